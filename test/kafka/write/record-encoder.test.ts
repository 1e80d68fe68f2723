import fc from 'fast-check';
import { expect, test } from 'vitest';
import { murmur2Partition } from '../../../src/kafka/murmur2.ts';
import { BATCH_OVERHEAD, type EncodedBatch, type RecordFields, sizeOfRecord } from '../../../src/kafka/record-batch.ts';
import { createRecordEncoder } from '../../../src/kafka/record-encoder.ts';
import { decodeBatch } from './copy-data.ts';

const bytes = fc.uint8Array({ maxLength: 900 }).map((array) => Buffer.from(array));
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(bytes)), { maxLength: 1 }),
  own: fc.option(fc.nat(4), { nil: undefined }),
  takes: fc.boolean(),
});

test('records come back from kafkajs in the order of each partition, keyed ones where their key belongs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 60 }), async (list) => {
      const encoder = createRecordEncoder({ partitions: 5, maxRecordBytes: 4000 });
      const batches: EncodedBatch[] = [];
      for (const { own, takes, ...fields } of list) {
        encoder.add(fields, own);
        if (takes) batches.push(...encoder.takeFull());
      }
      expect(encoder.records).toBe(list.length);
      batches.push(...encoder.takeAll());
      expect(encoder.buffered).toBe(0);
      const read = new Map<number, unknown[]>();
      for (const batch of batches) {
        expect(BATCH_OVERHEAD + batch.bytes.length).toBeLessThanOrEqual(4000);
        const records = (await decodeBatch(batch)).map(({ key, value, headers }) => ({ key, value, headers }));
        read.set(batch.partition, [...(read.get(batch.partition) ?? []), ...records]);
      }
      const toRead = ({ key, value, headers }: RecordFields) => ({
        key,
        value,
        headers: Object.fromEntries(headers ?? []),
      });
      for (let partition = 0; partition < 5; partition++) {
        const placed = list.filter(({ key, own }) => (own ?? (key && murmur2Partition(key, 5))) === partition);
        const ofPartition = (read.get(partition) ?? []) as ReturnType<typeof toRead>[];
        // Records without key and place of their own may be among them anywhere.
        const kept = ofPartition.filter(({ key }) => key !== null || placed.some((one) => one.key === null));
        if (placed.every(({ key }) => key !== null)) expect(kept).toEqual(placed.map(toRead));
      }
      expect([...read.values()].flat()).toHaveLength(list.length);
    }),
  );
});

test('records without a key fill one batch and then go to the next partition', () => {
  const encoder = createRecordEncoder({ partitions: 3, maxRecordBytes: 1000 });
  const partitions: number[] = [];
  for (let i = 0; i < 100; i++) {
    encoder.add({ key: null, value: Buffer.alloc(90) });
    partitions.push(...encoder.takeFull().map(({ partition }) => partition));
  }
  expect(partitions.slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2]);
  encoder.takeAll();
  encoder.add({ key: null, value: Buffer.alloc(1) });
  expect(encoder.takeAll()).toHaveLength(1);
});

test('a record too large for its topic is refused by its number and key, with size and limit', () => {
  const encoder = createRecordEncoder({ partitions: 1, maxRecordBytes: 1000 });
  const large = { key: Buffer.from('the key'), value: Buffer.alloc(1000) };
  encoder.add({ key: null, value: null });
  const size = BATCH_OVERHEAD + sizeOfRecord(large);
  expect(() => encoder.add(large)).toThrow(
    expect.objectContaining({
      kind: 'record',
      message: `record 2 with key \`the key\` takes ${size} bytes, but its topic takes at most 1000`,
    }),
  );
});
