// What the daemon must know of a job to give it its slots, whichever way its rows go. A publishing job is one as it is.
import type { PublishJob } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import type { PreparedIngest, PreparedJob, PreparedPublish, Timetable } from '../project/prepared.ts';

export interface ScheduledIngest {
  readonly kind: 'ingest';
  readonly ingest: PreparedIngest;
  readonly job: Pick<
    PublishJob,
    'name' | 'servers' | 'retries' | 'delay' | 'splay' | 'catchupWindow' | 'delivery' | 'topic'
  >;
  readonly timetable: Timetable | undefined;
  readonly interval: boolean;
  readonly overlap: PreparedPublish['overlap'];
  readonly catchup: PreparedPublish['catchup'];
  readonly fingerprint: string;
}

export type ScheduledJob = PreparedPublish | ScheduledIngest;

/** A run takes all that was missed, so one is enough. */
const CATCHUP_WINDOW: Milliseconds = 3_600_000;

/** The jobs that have slots. Ingest jobs have no window: a slot is nothing but the moment to go on. */
export function scheduledJobs(jobs: readonly PreparedJob[]): ScheduledJob[] {
  return jobs.flatMap((prepared): ScheduledJob[] => {
    if (prepared.kind === 'publish') return [prepared];
    return prepared.job.stream ? [] : [scheduleIngest(prepared)];
  });
}

function scheduleIngest(ingest: PreparedIngest): ScheduledIngest {
  const { name, servers, retries, topic } = ingest.job;
  return {
    kind: 'ingest',
    ingest,
    job: {
      name,
      servers,
      retries,
      topic: { name: topic, config: {} },
      delay: 0,
      splay: 0,
      catchupWindow: CATCHUP_WINDOW,
      delivery: 'exactly_once',
    },
    timetable: ingest.timetable,
    interval: false,
    overlap: 'skip',
    catchup: 'latest',
    fingerprint: ingest.fingerprint,
  };
}
