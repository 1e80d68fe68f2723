import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EncodedBatch } from '../../../src/kafka/record-batch.ts';
import { splitForSending } from '../../../src/kafka/send-rounds.ts';
import { checkWritten, type TopicBatches } from '../../../src/kafka/written.ts';

const batch = (partition: number, size: number): EncodedBatch => ({ partition, count: 1, bytes: Buffer.alloc(size) });
const topics = fc
  .array(
    fc.record({ topic: fc.constantFrom('a', 'b', 'c'), partition: fc.nat(4), size: fc.integer({ min: 1, max: 60 }) }),
  )
  .map((list) =>
    ['a', 'b', 'c'].map(
      (topic): TopicBatches => ({
        topic,
        batches: list.filter((one) => one.topic === topic).map(({ partition, size }) => batch(partition, size)),
      }),
    ),
  );

test('sends hold every batch once, one of a partition each, in order and within the limit', () => {
  fc.assert(
    fc.property(topics, fc.boolean(), (all, hasSent) => {
      const sends = splitForSending(all, hasSent ? 'all' : 'one', 100);
      for (const { topic, batches } of all) {
        for (let partition = 0; partition <= 4; partition++) {
          const sent = sends.flatMap((send) =>
            send.flatMap((one) => (one.topic === topic ? one.batches.filter((b) => b.partition === partition) : [])),
          );
          expect(sent).toEqual(batches.filter((b) => b.partition === partition));
        }
      }
      for (const send of sends) {
        const names = send.flatMap(({ topic, batches }) => batches.map(({ partition }) => `${topic}/${partition}`));
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeGreaterThan(0);
        expect(
          send.flatMap(({ batches }) => batches).reduce((sum, { bytes }) => sum + bytes.length, 0),
        ).toBeLessThanOrEqual(100);
      }
      if (!hasSent && sends[0]) expect(sends[0].flatMap(({ batches }) => batches)).toHaveLength(1);
    }),
  );
});

test('a batch above the limit is a send of its own', () => {
  const sends = splitForSending([{ topic: 'a', batches: [batch(0, 500), batch(1, 10)] }], 'all', 100);
  expect(sends.map((send) => send.flatMap(({ batches }) => batches.length))).toEqual([[1], [1]]);
});

test('an answer that lacks a partition, holds one twice or holds another is a failure that names it', () => {
  const sent = [{ topic: 'a', batches: [batch(0, 1), batch(1, 1)] }];
  const written = (...partitions: number[]) =>
    partitions.map((partition) => ({ topicName: 'a', partition, errorCode: 0 }));
  checkWritten(sent, written(1, 0));
  expect(() => checkWritten(sent, written(0))).toThrow('a/1 was left out');
  expect(() => checkWritten(sent, written(0, 1, 1))).toThrow('a/1 was written more than once');
  expect(() => checkWritten(sent, written(0, 1, 2))).toThrow('a/2 was written more than once');
});
