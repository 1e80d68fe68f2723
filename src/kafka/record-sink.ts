// A topic that records held as values are written to as they come: batches are sent when they are full or when the caller has
// no more for now, and what is on its way is bounded. Without a transaction: for data that comes by hand.
import type { Bytes } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import { openIdempotentProducer } from './producer.ts';
import type { EncodedBatch, RecordFields } from './record-batch.ts';
import { createRecordEncoder } from './record-encoder.ts';
import { createTopicShapes } from './topic-shapes.ts';

export interface RecordSink {
  /** How many the topic has. */
  readonly partitions: number;
  /**
   * Adds a record, to its own partition if it has one (`createRecordEncoder`). Throws a Failure (`record`) for one that is too
   * large. Gives a promise when the next one should wait, which rejects as `flush` does.
   */
  add(record: RecordFields, partition?: number): Promise<void> | undefined;
  /** Resolves when the brokers have all that was added. Rejects with the first Failure of a send. */
  flush(): Promise<void>;
  /** Records that the brokers have. */
  readonly acknowledged: number;
  /** Resolves within 2 s and never rejects. What was not flushed may be lost. */
  close(): Promise<void>;
}

/** Of batches that were sent and not answered. */
const MOST_UNDER_WAY: Bytes = 8 * 1024 * 1024;

/** Connects. Rejects with a Failure: `topic` when it does not exist or may not be written to, or of Kafka. */
export async function openRecordSink(client: KafkaClient, topic: string): Promise<RecordSink> {
  const shapes = createTopicShapes(client);
  const { partitions, maxMessageBytes } = await shapes.shapeOf(topic).finally(() => shapes.close());
  const encoder = createRecordEncoder({ partitions, maxRecordBytes: maxMessageBytes });
  const producer = await openIdempotentProducer(client, { topic });
  const underWay = new Set<Promise<void>>();
  let bytesUnderWay = 0;
  let acknowledged = 0;
  let failure: unknown;

  const send = async (batches: readonly EncodedBatch[], bytes: Bytes): Promise<void> => {
    try {
      await producer.send(topic, batches);
      for (const { count } of batches) acknowledged += count;
      encoder.recycle(batches);
    } catch (error) {
      failure ??= error;
    } finally {
      bytesUnderWay -= bytes;
    }
  };
  const dispatch = (batches: readonly EncodedBatch[]): void => {
    if (batches.length === 0) return;
    const bytes = batches.reduce((total, batch) => total + batch.bytes.length, 0);
    bytesUnderWay += bytes;
    const sending = send(batches, bytes);
    underWay.add(sending);
    void sending.then(() => underWay.delete(sending));
  };
  const check = (): void => {
    if (failure !== undefined) throw failure;
  };
  const room = async (): Promise<void> => {
    while (bytesUnderWay > MOST_UNDER_WAY && failure === undefined) await Promise.race(underWay);
    check();
  };

  return {
    partitions,
    add(record, partition) {
      check();
      encoder.add(record, partition);
      dispatch(encoder.takeFull());
      return bytesUnderWay > MOST_UNDER_WAY ? room() : undefined;
    },
    async flush() {
      dispatch(encoder.takeAll());
      await Promise.all(underWay);
      check();
    },
    get acknowledged() {
      return acknowledged;
    },
    close: () => producer.close(),
  };
}
