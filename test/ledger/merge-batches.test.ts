import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeBatches } from '../../src/kafka/merge-batches.ts';
import { BATCH_OVERHEAD, type EncodedBatch, encodeRecords, type RecordFields } from '../../src/kafka/record-batch.ts';

const bytes: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 5 }), fc.option(bytes)), { maxLength: 3 }),
});
const batch = fc.record({ partition: fc.nat(3), records: fc.array(record, { minLength: 1, maxLength: 90 }) });

/** What a partition should hold, written by encodeRecords in one batch. */
function expectedBytes(batches: readonly { partition: number; records: readonly RecordFields[] }[], partition: number) {
  const records = batches.filter((one) => one.partition === partition).flatMap((one) => one.records);
  return encodeRecords(partition, records).bytes;
}

describe('mergeBatches', () => {
  it('gives one batch a partition with the bytes that encoding all its records at once gives', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
        const merged = mergeBatches(
          batches.map((one) => encodeRecords(one.partition, one.records)),
          1 << 30,
        );
        expect(new Set(merged.map((one) => one.partition)).size).toBe(merged.length);
        for (const one of merged) expect(one.bytes.equals(expectedBytes(batches, one.partition))).toBe(true);
        expect(merged.reduce((sum, one) => sum + one.count, 0)).toBe(
          batches.reduce((sum, one) => sum + one.records.length, 0),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('keeps every record in order within batches of the size allowed, whatever the sizes were', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8 }), fc.integer({ min: 100, max: 5000 }), (batches, limit) => {
        const merged = mergeBatches(
          batches.map((one) => encodeRecords(one.partition, one.records)),
          limit,
        );
        for (const one of merged) {
          expect(one.bytes.length + BATCH_OVERHEAD <= limit || one.count === 1).toBe(true);
        }
        // Joined again without a limit they are what they were.
        const whole = mergeBatches(merged, 1 << 30);
        for (const one of whole) expect(one.bytes.equals(expectedBytes(batches, one.partition))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does not copy a batch that fits alone', () => {
    const one = encodeRecords(2, [{ key: null, value: Buffer.from('x') }]);
    expect(mergeBatches([one], 1000)[0]).toBe(one);
  });

  it('joins batches of more than 8192 records, whose offset deltas take three bytes', () => {
    const records = Array.from({ length: 9000 }, (_, n) => ({ key: null, value: Buffer.from(String(n)) }));
    const halves = [records.slice(0, 100), records.slice(100)].map((part) => encodeRecords(0, part));
    const [joined] = mergeBatches(halves, 1 << 20);
    expect(joined?.bytes.equals(encodeRecords(0, records).bytes)).toBe(true);
  });

  it('refuses bytes that are not the records announced', () => {
    const good = encodeRecords(0, [{ key: null, value: Buffer.from('x') }]);
    const torn: EncodedBatch = { partition: 0, count: 2, bytes: good.bytes };
    expect(() => mergeBatches([good, torn], 1000)).toThrow('does not hold the records it says');
    const garbage: EncodedBatch = { partition: 0, count: 1, bytes: Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 1]) };
    expect(() => mergeBatches([good, garbage], 1000)).toThrow('does not hold the records it says');
  });
});
