import { createRequire } from 'node:module';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { crc32c } from '../../../src/kafka/crc32c.ts';
import { murmur2, murmur2Partition, murmur2PartitionOfText } from '../../../src/kafka/murmur2.ts';

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

test("crc32c equals kafkajs's own for any length and any alignment", () => {
  fc.assert(
    fc.property(bytes(300), fc.nat(16), (content, before) => {
      const buffer = Buffer.concat([Buffer.alloc(before), content]).subarray(before);
      expect(crc32c(buffer)).toBe(kafkajsCrc32c(buffer) >>> 0);
    }),
  );
});
