// What a send was to write against what kafkajs says it wrote: its answer may lack a partition or hold one twice and still be
// a success (ledger.md, Several brokers).
import type { RecordMetadata } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import type { EncodedBatch } from './record-batch.ts';

/** Batches for one topic. */
export interface TopicBatches {
  readonly topic: string;
  readonly batches: readonly EncodedBatch[];
}

/** Throws a Failure (`kafka`, retryable) unless each partition sent, and no other, was written exactly once. */
export function checkWritten(sent: readonly TopicBatches[], written: readonly RecordMetadata[]): void {
  const times = new Map<string, number>();
  for (const { topic, batches } of sent) for (const { partition } of batches) times.set(`${topic}/${partition}`, 0);
  for (const { topicName, partition } of written) {
    const name = `${topicName}/${partition}`;
    times.set(name, (times.get(name) ?? 1) + 1);
  }
  for (const [partition, count] of times) {
    if (count === 1) continue;
    const what = count === 0 ? 'was left out' : 'was written more than once';
    throw new Failure(`kafka: partition ${partition} ${what} of a send`, {
      kind: 'kafka',
      retryable: true,
      code: count === 0 ? 'PARTITION_LOST' : 'PARTITION_TWICE',
    });
  }
}
