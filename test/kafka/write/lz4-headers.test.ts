// Whether LZ4's own implementations read these frames is shown by the Java client in producer.test.ts; here against the decoder
// of src/kafka/lz4.ts, which reads theirs (read/record-batch-decoder.test.ts).
import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCopyEncoder } from '../../../src/kafka/copy-encoder.ts';
import { lz4Decompress } from '../../../src/kafka/lz4.ts';
import { mostPacked, packHeaders } from '../../../src/kafka/lz4-headers.ts';
import { mergeBatches } from '../../../src/kafka/merge-batches.ts';
import { openIdempotentProducer } from '../../../src/kafka/producer.ts';
import { type EncodedBatch, encodeRecords, type RecordFields } from '../../../src/kafka/record-batch.ts';
import { freshTopic, kafkaBootstrap } from '../../stack/for-tests.ts';
import { clientOf } from './clients.ts';
import { copyData } from './copy-data.ts';

const MANY = 64 * 1024 * 1024;
const HEADERS = [
  ['pgtally-job', 'orders'],
  ['pgtally-server', 'edge-1'],
  ['pgtally-slot', '2026-11-25T03:47:23Z'],
  ['pgtally-run', '84b303aa3184d6fd8d21ee5ff6a4fd3f'],
] as const;

function unpack(batch: EncodedBatch): Buffer {
  const packed = packHeaders(batch);
  return packed === batch.bytes ? packed : lz4Decompress(packed, MANY);
}

/** Batches of a run as its COPY gives them; `rowHeaders` are the columns after key and value. */
function copied(rows: number, rowHeaders: readonly string[], partitions = 1, batchBytes = 512 * 1024): EncodedBatch[] {
  const encoder = createCopyEncoder({
    partitions,
    keylessPartition: 0,
    constantHeaders: HEADERS,
    rowHeaders,
    nullKey: 'allow',
    nullValue: 'tombstone',
    maxRecordBytes: 1_048_588,
    batchBytes,
  });
  const row = (i: number) => [
    i % 9 === 0 ? null : Buffer.from(`key-${i}`),
    i % 9 === 1 ? null : Buffer.from(`{"id":${i},"word":"${'ä'.repeat(i % 50)}"}`),
    ...rowHeaders.map((name) => (i % 7 === 0 ? null : Buffer.from(`${name} ${i % 100}`))),
  ];
  encoder.write(copyData(Array.from({ length: rows }, (_, i) => row(i))));
  return encoder.finish();
}

const field = fc.option(
  fc
    .oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 40 }) },
      { weight: 2, arbitrary: fc.uint8Array({ minLength: 250, maxLength: 300 }) },
      // Longer than a match can reach back.
      { weight: 1, arbitrary: fc.constant(new Uint8Array(70_000).fill(7)) },
    )
    .map((bytes) => Buffer.from(bytes)),
  { freq: 6 },
);
const record: fc.Arbitrary<RecordFields> = fc.record({
  key: field,
  value: field,
  headers: fc.array(fc.tuple(fc.constantFrom('a', 'pgtally-job', 'pgtally-run'), field), { maxLength: 4 }),
});
/** Runs of one record and of records that share parts of their headers. */
const records = fc
  .array(fc.tuple(record, fc.integer({ min: 1, max: 6 }), fc.boolean()), { maxLength: 6 })
  .map((groups) =>
    groups.flatMap(([first, times, same]) =>
      Array.from({ length: times }, (_, i) =>
        same ? first : { ...first, headers: [...(first.headers ?? []), ['i', Buffer.of(i)] as const] },
      ),
    ),
  );

test('whatever the records are, a frame gives them back, and is never larger than was said', () => {
  fc.assert(
    fc.property(records, (list) => {
      const batch = encodeRecords(0, list);
      expect(packHeaders(batch).length).toBeLessThanOrEqual(mostPacked(batch.bytes.length));
      expect(unpack(batch).equals(batch.bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ['shared by all', []],
  ['shared in part', ['state', 'x']],
])('what the rows of a run repeat is there once: headers %s', (_, rowHeaders) => {
  const batches = copied(20_000, rowHeaders, 3);
  expect(batches.length).toBeGreaterThan(6);
  for (const batch of batches) {
    const before = Buffer.from(batch.bytes);
    expect(unpack(batch).equals(before)).toBe(true);
    expect(batch.bytes.equals(before)).toBe(true);
    expect(packHeaders(batch).length).toBeLessThan(0.6 * before.length);
  }
});

test('batches that were joined or divided are packed as well', () => {
  const [first, second] = [copied(300, []), copied(200, ['state'])];
  for (const batch of [...mergeBatches([...first, ...second], MANY), ...mergeBatches(copied(2000, []), 4096)]) {
    expect(unpack(batch).equals(batch.bytes)).toBe(true);
    expect(packHeaders(batch).length).toBeLessThan(0.8 * batch.bytes.length);
  }
});

test.each([
  ['one record', encodeRecords(0, [{ key: null, value: Buffer.alloc(500) }])],
  ['more than a block may hold', encodeRecords(0, Array(2).fill({ key: null, value: Buffer.alloc(3_000_000) }))],
])('%s stays as it is', (_, batch) => {
  expect(packHeaders(batch)).toBe(batch.bytes);
});

test('librdkafka reads blocks of every size', async (context) => {
  if (spawnSync('kcat', ['-V']).status !== 0) return context.skip('kcat is not installed');
  const topic = await freshTopic({ config: { 'max.message.bytes': String(8 * 1024 * 1024) } });
  const client = clientOf(await kafkaBootstrap(), 'lz4');
  const producer = await openIdempotentProducer(client, { topic });
  const expected: string[] = [];
  for (const bytes of [200, 60_000, 200_000, 900_000, 3_000_000]) {
    const count = Math.ceil(bytes / 200);
    const values = Array.from({ length: count }, (_, i) => `${bytes} ${i} ${'v'.repeat(i % 90)}`);
    expected.push(...values);
    const headers = HEADERS.map(([name, value]) => [name, Buffer.from(value)] as const);
    await producer.send(topic, [
      encodeRecords(
        0,
        values.map((value) => ({ key: null, value: Buffer.from(value), headers })),
      ),
    ]);
  }
  await producer.close();
  client.close();
  const args = ['-C', '-b', await kafkaBootstrap(), '-t', topic, '-e', '-q', '-f', '%s|%h\n'];
  const lines = execFileSync('kcat', args, { maxBuffer: MANY }).toString().trimEnd().split('\n');
  const shown = HEADERS.map(([name, value]) => `${name}=${value}`).join(',');
  expect(lines).toEqual(expected.map((value) => `${value}|${shown}`));
});
