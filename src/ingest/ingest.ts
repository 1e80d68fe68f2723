// One ingest run: a topic's partitions read side by side and written into a table, up to an end or until it is told to stop.
// Which slot it belongs to, who may do it and what is recorded of it is not known here.
import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { newCluster } from '../kafka/cluster.ts';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { Bytes } from '../model/units.ts';
import type { ConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { createPartitionWriter, type PartitionWriter } from './partition-writer.ts';
import { openPositions, type Positions } from './positions.ts';
import { readAndWrite } from './read-and-write.ts';
import { createRetries } from './retries.ts';
import { createStatements } from './statements.ts';

export interface IngestInput {
  readonly prepared: PreparedIngest;
  readonly server: Server;
  /** `end`: to the end as of the start, and no more than the job's `limit` of a partition; `never`: until it is stopped. */
  readonly until: 'end' | 'never';
  /** Names of the project's jobs, to tell one that was renamed. */
  readonly jobs: readonly string[];
  /** Ends it in good order: what is being written is written. */
  readonly stopping: AbortSignal;
  /** Ends it at once: statements are cancelled. */
  readonly signal: AbortSignal;
  /** When this job needs the server next (epoch ms): connections are kept until then if that is near. */
  readonly nextUse?: number;
  readonly onWarning: (message: string) => void;
  /** A partition goes no further; the others do. */
  readonly onHalted?: (partition: number, failure: Failure) => void;
  /** After each batch: the partition's next offset, the end that was last seen, and rows of the run so far. */
  readonly onProgress?: (progress: IngestProgress) => void;
}

export interface IngestProgress {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
  readonly rows: number;
}

export interface IngestContext {
  readonly kafka: KafkaClient;
  readonly connections: ConnectionKeeper;
}

export interface IngestResult {
  /** Messages that became rows. */
  readonly rows: number;
  readonly bytes: Bytes;
  /** Messages that became dead letters. */
  readonly dead: number;
  /** Why the run, or a partition of it, did not come to its end. */
  readonly failures: readonly Failure[];
}

/** Never rejects for what goes wrong in Kafka, Postgres or the messages: that is in `failures`. */
export async function ingest(context: IngestContext, input: IngestInput): Promise<IngestResult> {
  const { prepared, server } = input;
  const lanes = createLanes(context.connections, prepared, server, input.signal);
  const writers: PartitionWriter[] = [];
  const failures: Failure[] = [];
  const halt = (partition: number, failure: Failure): void => {
    failures.push(failure);
    input.onHalted?.(partition, failure);
  };
  try {
    const { positions, halted, warnings } = await findPositions(context, input, lanes);
    for (const warning of warnings) input.onWarning(warning);
    for (const [partition, failure] of halted) halt(partition, failure);
    const statements = createStatements(prepared);
    const owner = randomUUID();
    const ends = new Map(positions.map(({ partition, end }) => [partition, end]));
    for (const { partition, next, end } of positions) {
      if (input.until === 'end' && next >= end) continue;
      const limit = input.until === 'end' ? (prepared.job.limit ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
      const { job } = prepared;
      const { stopping } = input;
      writers.push(createPartitionWriter({ job, partition, next, limit, owner, statements, lanes, stopping }));
    }
    await readAndWrite({ ...context, input, lanes, writers, ends, halt });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failures.push(error);
  } finally {
    await lanes.close(input.nextUse);
  }
  const sum = (part: 'rows' | 'bytes' | 'dead'): number => writers.reduce((total, writer) => total + writer[part], 0);
  return { rows: sum('rows'), bytes: sum('bytes'), dead: sum('dead'), failures };
}

async function findPositions(
  { kafka }: IngestContext,
  { prepared, jobs, stopping }: IngestInput,
  lanes: Lanes,
): Promise<Positions> {
  const cluster = newCluster(kafka);
  const retries = createRetries(prepared.job.retries, stopping);
  const others = new Set(jobs);
  try {
    for (;;) {
      const found = await retries.attempt(() =>
        lanes.use((connection, call) => openPositions(connection, cluster, prepared.job, others, call)),
      );
      if (found) return found;
    }
  } finally {
    cluster.close();
  }
}
