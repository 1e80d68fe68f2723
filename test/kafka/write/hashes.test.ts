import { createRequire } from 'node:module';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { crc32c, crc32cOfRecords } from '../../../src/kafka/crc32c.ts';
import { murmur2, murmur2Partition, murmur2PartitionOfText } from '../../../src/kafka/murmur2.ts';
import { encodeRecords } from '../../../src/kafka/record-batch.ts';

const require = createRequire(import.meta.url);
const kafkajsCrc32c = require('kafkajs/src/protocol/recordBatch/crc32C/crc32C') as (bytes: Buffer) => number;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])("murmur2 of `%s` is what the test of Kafka's Java client expects", (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test('a key goes to the partition where kafkajs puts it, wherever it lies in its buffer', () => {
  const partitioner = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(bytes(70), fc.integer({ min: 1, max: 1000 }), fc.nat(9), (key, partitions, before) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [],
        isr: [],
      }));
      const expected = partitioner({ topic: 't', partitionMetadata, message: { key, value: null } });
      expect(murmur2Partition(key, partitions)).toBe(expected);
      const surrounded = Buffer.concat([Buffer.alloc(before, 7), key, Buffer.alloc(3, 9)]);
      expect(murmur2Partition(surrounded, partitions, before, before + key.length)).toBe(expected);
    }),
  );
});

test('a key held as text goes where its bytes do, however long it is', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary', minLength: 300, maxLength: 1500 }),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
      expect(murmur2PartitionOfText(key, partitions)).toBe(murmur2Partition(Buffer.from(key), partitions));
    }),
  );
});

test.each([
  ['123456789', 0xe3069283],
  ['', 0],
])('crc32c of `%s` is the published check value', (text, checksum) => {
  expect(crc32c(Buffer.from(text))).toBe(checksum);
});

test.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 bytes counting up', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
])('crc32c of %s is that of RFC 3720, appendix B.4', (_, buffer, checksum) => {
  expect(crc32c(buffer)).toBe(checksum);
});

/** Records that end alike, of at least 64 KiB: fewer are not worth a short cut. */
function recordsWithTail(value: Buffer, header: string, others: readonly number[]) {
  const headers = [['common', Buffer.from(header)]] as const;
  const size = (part: number): number => (value.length * part) % (3 * value.length + 1);
  const parts = [1, 2, 3, ...others];
  const count = Math.ceil(70_000 / (parts.reduce((sum, part) => sum + size(part), 0) / parts.length + header.length));
  const records = Array.from({ length: count }, (_, i) => ({
    key: i % 3 === 0 ? null : Buffer.from(`key ${i}`),
    value: i % 7 === 0 ? null : Buffer.alloc(size(parts[i % parts.length] ?? 1), value),
    headers,
  }));
  const { bytes: encoded } = encodeRecords(0, records);
  // The number of headers, then each with the lengths of its name and its value.
  const lengthBytes = header.length < 0x40 ? 1 : 2;
  return { encoded, tail: 1 + 1 + 'common'.length + lengthBytes + header.length };
}

test("crc32c of records that end alike is kafkajs's own of their bytes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array)),
      fc.integer({ min: 10, max: 300 }),
      fc.array(fc.nat(50), { maxLength: 4 }),
      bytes(70),
      fc.nat(16),
      (value, headerLength, others, head, before) => {
        const { encoded, tail } = recordsWithTail(value, 'h'.repeat(headerLength), others);
        const whole = Buffer.concat([Buffer.alloc(before), head, encoded]).subarray(before);
        const records = whole.subarray(head.length);
        expect(records.length).toBeGreaterThan(65_536);
        const expected = kafkajsCrc32c(whole) >>> 0;
        expect(crc32cOfRecords(records, tail, crc32c(head))).toBe(expected);
        // Any part of what they have in common will do, and none of it.
        expect(crc32cOfRecords(records, tail - 9, crc32c(head))).toBe(expected);
        expect(crc32cOfRecords(records, 0, crc32c(head))).toBe(expected);
      },
    ),
    { numRuns: 50 },
  );
});

test("crc32c equals kafkajs's own for any length and any alignment", () => {
  fc.assert(
    fc.property(bytes(300), fc.nat(16), (content, before) => {
      const buffer = Buffer.concat([Buffer.alloc(before), content]).subarray(before);
      expect(crc32c(buffer)).toBe(kafkajsCrc32c(buffer) >>> 0);
    }),
  );
});
