// The loop of an ingest run: one reader of all partitions, and another one whenever a partition leaves or has to be read again
// from elsewhere. Between batches it looks whether the offsets are still where they were left.
import type { KafkaClient } from '../kafka/client.ts';
import { openReader, type TopicReader } from '../kafka/reader.ts';
import { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { Lanes } from './lanes.ts';
import { readOffsets } from './offsets-table.ts';
import type { PartitionWriter } from './partition-writer.ts';
import type { IngestInput } from './run-types.ts';

export interface ReadAndWrite {
  readonly kafka: KafkaClient;
  readonly input: IngestInput;
  readonly lanes: Lanes;
  readonly writers: readonly PartitionWriter[];
  /** Where each partition ends, if the run does. */
  readonly ends: ReadonlyMap<number, number>;
  readonly halt: (partition: number, failure: Failure) => void;
}

/** How long a partition may be without a broker: longer than one takes to be replaced as leader (9 s). */
const PATIENCE: Milliseconds = 20_000;
const ANSWER_BYTES: Bytes = 8 * 1024 * 1024;
const PARTITION_BYTES: Bytes = 1024 * 1024;
/** Fetched for each message of a `limit`: more would be fetched in vain. */
const BYTES_A_MESSAGE: Bytes = 4096;
/** How often offsets are looked at without a message: a quiet topic's would not be, for as long as it is quiet. */
const LOOK: Milliseconds = 10_000;

/** Resolves when every partition came to its end, was halted, or the run is stopped. Rejects with a Failure of Kafka. */
export async function readAndWrite(run: ReadAndWrite): Promise<void> {
  const { input, writers, ends, halt } = run;
  let reading = [...writers];
  while (reading.length > 0 && !input.stopping.aborted) {
    for (const writer of reading) writer.restart();
    const again = await readOnce(run, reading);
    for (const { partition, failure } of reading) if (failure) halt(partition, failure);
    const isDone = ({ partition, failure, full, next }: PartitionWriter): boolean =>
      failure !== undefined || full || (input.until === 'end' && next >= (ends.get(partition) ?? 0));
    reading = again ? reading.filter((writer) => !isDone(writer)) : [];
  }
}

/** Whether it has to be read again, because a partition failed or was set back. */
async function readOnce(run: ReadAndWrite, reading: readonly PartitionWriter[]): Promise<boolean> {
  const { kafka, input, writers, ends } = run;
  const { topic, limit = Number.POSITIVE_INFINITY } = input.prepared.job;
  const byPartition = new Map(reading.map((writer) => [writer.partition, writer]));
  let again = false;
  const leave = (): void => {
    again = true;
    void reader.stop();
  };
  const bounds = {
    until: ends,
    patience: PATIENCE,
    ...(Number.isFinite(limit) ? { limit } : {}),
    partitionBytes: Math.min(PARTITION_BYTES, limit * BYTES_A_MESSAGE),
  };
  const reader: TopicReader = await openReader(kafka, {
    topic,
    partitions: [...byPartition.keys()],
    from: new Map(reading.map(({ partition, next }) => [partition, next])),
    maxBytes: ANSWER_BYTES,
    ...(input.until === 'end' ? bounds : { partitionBytes: PARTITION_BYTES }),
    onInterrupted: (failure) => input.onWarning(failure.message),
    onRecords: async ({ partition, records, next: after, end }) => {
      const writer = byPartition.get(partition);
      if (!writer) return;
      await writer.write({ records, after });
      const rows = writers.reduce((total, one) => total + one.rows, 0);
      input.onProgress?.({ partition, next: writer.next, end, rows });
      if (writer.failure || writer.rewound) leave();
    },
  });
  const stop = (): void => void reader.stop();
  input.stopping.addEventListener('abort', stop, { once: true });
  if (input.stopping.aborted) stop();
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(async () => {
      if (again) return;
      await advance(reader, reading);
      await lookAtOffsets(run, reading);
      if (reading.some(({ rewound }) => rewound)) leave();
    });
  }, LOOK);
  try {
    await reader.done;
  } finally {
    clearInterval(timer);
    input.stopping.removeEventListener('abort', stop);
    await reader.stop();
    await looking;
  }
  if (!again) await advance(reader, reading);
  return again;
}

/** Moves offsets over what no reader sees: the ends of transactions, aborted records, what compaction took. */
async function advance(reader: TopicReader, reading: readonly PartitionWriter[]): Promise<void> {
  for (const writer of reading) await writer.advance(reader.position(writer.partition));
}

/** Whether a row has gone back: it was reset, or its server was restored or has crashed without having kept its last commits. */
async function lookAtOffsets({ input, lanes }: ReadAndWrite, reading: readonly PartitionWriter[]): Promise<void> {
  const { name, topic } = input.prepared.job;
  const known = new Map(reading.map(({ partition, next }) => [partition, next]));
  try {
    const rows = await lanes.use((connection, call) => readOffsets(connection, topic, call));
    for (const { job, partition, next } of rows) {
      const writer = job === name ? reading.find((one) => one.partition === partition) : undefined;
      writer?.found(next, known.get(partition) ?? -1);
    }
  } catch (error) {
    // The next batch meets the same, or the next look finds it over.
    if (!(error instanceof Failure)) throw error;
  }
}
