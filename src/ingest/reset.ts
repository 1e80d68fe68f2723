// Setting the next offsets of an ingest job by hand: what would change, and the change.
import { createKafkaClient } from '../kafka/client.ts';
import { newCluster } from '../kafka/cluster.ts';
import { Failure } from '../model/failure.ts';
import type { IngestJob, Project } from '../model/project.ts';
import { connect } from '../postgres/connect.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { theServer } from './by-hand.ts';
import { ensureTables, readOffsets, resetOffsets } from './offsets-table.ts';
import { readTopicState, type TopicState } from './positions.ts';

/** Where to go on: a word, or an offset. */
export type ResetTarget = 'beginning' | 'end' | number;

export interface PlannedReset {
  readonly partition: number;
  /** Undefined when it was never read. */
  readonly from: number | undefined;
  readonly to: number;
  readonly logStart: number;
  readonly end: number;
}

export interface ResetOptions {
  readonly project: Project;
  readonly prepared: PreparedIngest;
  readonly to: ResetTarget;
  /** Default: all of the job's. */
  readonly partition?: number;
  /** Asked with what would change; nothing is changed when it says false. */
  readonly confirm: (plan: readonly PlannedReset[]) => Promise<boolean>;
}

/**
 * Resolves with whether it was done. Rejects with a Failure: `configuration` for an offset that the topic does not have, or for
 * one offset and several partitions; else of Kafka or Postgres.
 */
export async function resetJob({ project, prepared, to, partition, confirm }: ResetOptions): Promise<boolean> {
  const { job } = prepared;
  const server = theServer(prepared);
  const kafka = createKafkaClient(project.kafka);
  const cluster = newCluster(kafka);
  try {
    const state = await readTopicState(cluster, job);
    const chosen = choose(job, state, partition, to);
    const connection = await connect(server, { applicationName: `pgtally/${job.name}` });
    try {
      await ensureTables(connection, { deadLetters: false });
      const stored = (await readOffsets(connection, job.topic)).filter((row) => row.job === job.name);
      const plan = chosen.map(({ partition: number, logStart, lastStable, highWatermark }) => ({
        partition: number,
        from: stored.find((row) => row.partition === number)?.next,
        to: to === 'beginning' ? logStart : to === 'end' ? lastStable : to,
        logStart,
        end: highWatermark,
      }));
      for (const one of plan) requireInside(job, one);
      if (!(await confirm(plan))) return false;
      const wanted = plan.map((one) => ({ partition: one.partition, next: one.to }));
      await resetOffsets(connection, { job: job.name, topic: job.topic, topicId: state.id }, wanted);
      return true;
    } finally {
      await connection.close();
    }
  } finally {
    cluster.close();
    kafka.close();
  }
}

function choose(
  job: IngestJob,
  state: TopicState,
  partition: number | undefined,
  to: ResetTarget,
): TopicState['offsets'] {
  const chosen = partition === undefined ? state.offsets : state.offsets.filter((one) => one.partition === partition);
  if (chosen.length === 0) {
    const all = state.offsets.map((one) => one.partition).join(', ');
    throw new Failure(`job \`${job.name}\` does not read partition ${partition}`, {
      kind: 'configuration',
      hint: `it reads ${all}`,
    });
  }
  if (typeof to === 'number' && chosen.length > 1) {
    throw new Failure(`an offset is of one partition, and job \`${job.name}\` reads ${chosen.length}`, {
      kind: 'configuration',
      hint: 'say which with `--partition N`',
    });
  }
  const unreadable = chosen.find(({ error }) => error !== undefined);
  if (unreadable) {
    throw new Failure(`kafka: partition ${unreadable.partition} of \`${job.topic}\` has no leader now`, {
      kind: 'topic',
      retryable: true,
      ...(unreadable.error === undefined ? {} : { code: unreadable.error }),
    });
  }
  return chosen;
}

function requireInside(job: IngestJob, { partition, to, logStart, end }: PlannedReset): void {
  if (to >= logStart && to <= end) return;
  throw new Failure(
    `offset ${to} is not in partition ${partition} of \`${job.topic}\`, which has ${logStart} to ${end}`,
    {
      kind: 'configuration',
      hint: `choose one from ${logStart} to ${end}, \`beginning\` or \`end\``,
    },
  );
}
