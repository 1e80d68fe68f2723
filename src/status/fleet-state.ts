// The whole fleet as the page gets it first: every job, server and last run, from the ledger as this replica has read it.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseRecord } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { RecordedError } from '../model/run.ts';
import type { JobName, ServerName } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { nextTick, previousTick } from '../schedule/ticks.ts';
import type { StatusSource } from './source.ts';
import {
  createErrorTable,
  createRunColumns,
  type JobLine,
  type Seconds,
  type ServerLine,
  type Timing,
  toRun,
  toSeconds,
} from './wire.ts';

export interface FleetState {
  /** The oldest slot: the others are told after it. */
  readonly from: Seconds;
  readonly jobs: readonly JobLine[];
  readonly servers: readonly ServerLine[];
  readonly errors: readonly RecordedError[];
  readonly pauses: Readonly<Record<JobName, { readonly since: string; readonly note?: string }>>;
  /** Records that could not be read, each a sentence. */
  readonly problems: readonly string[];
}

/** Records read in one turn of the event loop: some 10 ms, as runs must not wait for a page; nor it for too many turns of theirs. */
const RECORDS_A_TURN = 2000;
const FIRST_SLOT: Seconds = 1_700_000_000;
const GRACE = 5000;

/** Takes many turns of the event loop: a record that changes meanwhile may be told old or new. */
export async function readFleet(source: StatusSource): Promise<FleetState> {
  const prepared = source.jobs();
  const ledger = source.ledger();
  const servers: ServerLine[] = source.project().servers.map(({ name, host, port, database, labels }) => ({
    name,
    address: `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`,
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
  }));
  const places = new Map(servers.map(({ name }, place) => [name, place]));
  const placeOf = (name: ServerName): number => {
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, servers.length);
    return servers.push({ name }) - 1;
  };
  const errors = createErrorTable();
  const problems: string[] = [];
  const columns = new Map<JobName, ReturnType<typeof createRunColumns>>();
  let read = 0;
  for (const { job, server, text } of ledger?.records() ?? []) {
    let runs = columns.get(job);
    if (!runs) {
      runs = createRunColumns(FIRST_SLOT, placeOf, errors);
      columns.set(job, runs);
    }
    try {
      runs.add(toRun(server, parseRecord(text)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(`the ledger's record of \`${job}/${server}\` cannot be read: ${error.message}`);
    }
    if (++read % RECORDS_A_TURN === 0) await nextTurn();
  }
  const none = createRunColumns(FIRST_SLOT, placeOf, errors).columns();
  const known = prepared.map((one) => lineOf(one, placeOf, columns.get(one.job.name)?.columns() ?? none));
  const names = new Set(known.map(({ name }) => name));
  const others = [...columns].flatMap(([name, runs]): JobLine[] => {
    const only = runs.columns();
    return names.has(name) ? [] : [{ name, kind: 'publish', servers: only.at, runs: only }];
  });
  return {
    from: FIRST_SLOT,
    jobs: [...known, ...others],
    servers,
    errors: errors.errors,
    pauses: Object.fromEntries(ledger?.pauses() ?? []),
    problems,
  };
}

/** Undefined for a job without a schedule. */
export function timingOf({ job, timetable }: PreparedJob, now: number): Timing | undefined {
  if (!timetable) return undefined;
  const { schedule, timezone } = timetable;
  const wait = job.timeout + GRACE + (job.kind === 'publish' ? job.delay + job.splay : 0);
  return [toSeconds(nextTick(schedule, timezone, now)), toSeconds(previousTick(schedule, timezone, now - wait))];
}

function lineOf({ job }: PreparedJob, placeOf: (name: ServerName) => number, runs: JobLine['runs']): JobLine {
  return {
    name: job.name,
    ...(job.description === undefined ? {} : { description: job.description }),
    kind: job.kind,
    ...(job.schedule ? { schedule: job.schedule.value, timezone: job.timezone.value } : {}),
    ...(job.kind === 'ingest' && job.stream ? { stream: true as const } : {}),
    topic: job.kind === 'publish' ? job.topic.name : job.topic,
    servers: job.servers.map(({ name }) => placeOf(name)),
    known: true,
    runs,
  };
}
