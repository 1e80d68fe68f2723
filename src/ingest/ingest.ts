// One ingest run: a topic's partitions read side by side and written into a table, up to an end or until it is told to stop.
// Which slot it belongs to, who may do it and what is recorded of it is not known here.
import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { newCluster } from '../kafka/cluster.ts';
import { openReader, type TopicReader } from '../kafka/reader.ts';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { ConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { createPartitionWriter, type PartitionWriter } from './partition-writer.ts';
import { openPositions, type Positions } from './positions.ts';
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

/** How long a partition may be without a broker: longer than one takes to be replaced as leader (9 s). */
const PATIENCE: Milliseconds = 20_000;
const ANSWER_BYTES: Bytes = 8 * 1024 * 1024;
const PARTITION_BYTES: Bytes = 1024 * 1024;
/** Fetched for each message of a `limit`: more would be fetched in vain. */
const BYTES_A_MESSAGE: Bytes = 4096;
/** What no reader sees is moved over so often, so that a quiet topic's offsets do not fall behind its log. */
const SWEEP: Milliseconds = 30_000;

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
    await readAndWrite(context, input, writers, ends, halt);
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

/** Reads with one reader, and with another one whenever a partition leaves or has to be read again from elsewhere. */
async function readAndWrite(
  { kafka }: IngestContext,
  input: IngestInput,
  writers: readonly PartitionWriter[],
  ends: ReadonlyMap<number, number>,
  halt: (partition: number, failure: Failure) => void,
): Promise<void> {
  const { topic, limit = Number.POSITIVE_INFINITY } = input.prepared.job;
  const until = input.until === 'end' ? ends : undefined;
  const rows = (): number => writers.reduce((total, writer) => total + writer.rows, 0);
  let reading = [...writers];
  while (reading.length > 0 && !input.stopping.aborted) {
    const byPartition = new Map(reading.map((writer) => [writer.partition, writer]));
    for (const writer of reading) writer.restart();
    let again = false;
    const reader: TopicReader = await openReader(kafka, {
      topic,
      partitions: [...byPartition.keys()],
      from: new Map(reading.map(({ partition, next }) => [partition, next])),
      ...(until ? { until, patience: PATIENCE } : {}),
      ...(Number.isFinite(limit) && until ? { limit } : {}),
      maxBytes: ANSWER_BYTES,
      partitionBytes: until ? Math.min(PARTITION_BYTES, limit * BYTES_A_MESSAGE) : PARTITION_BYTES,
      onInterrupted: (failure) => input.onWarning(failure.message),
      onRecords: async ({ partition, records, next: after, end }) => {
        const writer = byPartition.get(partition);
        if (!writer || again) return;
        await writer.write({ records, after });
        input.onProgress?.({ partition, next: writer.next, end, rows: rows() });
        if (!writer.failure && !writer.rewound) return;
        again = true;
        void reader.stop();
      },
    });
    const stop = (): void => void reader.stop();
    input.stopping.addEventListener('abort', stop, { once: true });
    if (input.stopping.aborted) stop();
    const sweeping = setInterval(() => void sweep(reader, reading), SWEEP);
    try {
      await reader.done;
    } finally {
      clearInterval(sweeping);
      input.stopping.removeEventListener('abort', stop);
      await reader.stop();
    }
    if (!again) await sweep(reader, reading);
    for (const { partition, failure } of reading) if (failure) halt(partition, failure);
    const isDone = ({ partition, failure, full, next }: PartitionWriter): boolean =>
      failure !== undefined || full || (until !== undefined && next >= (until.get(partition) ?? 0));
    reading = again ? reading.filter((writer) => !isDone(writer)) : [];
  }
}

/** Moves offsets over what no reader sees: the ends of transactions, aborted records, what compaction took. */
async function sweep(reader: TopicReader, writers: readonly PartitionWriter[]): Promise<void> {
  for (const writer of writers) await writer.advance(reader.position(writer.partition));
}
