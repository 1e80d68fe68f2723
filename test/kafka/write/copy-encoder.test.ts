import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { type CopyEncoderOptions, chooseBatchBytes, createCopyEncoder } from '../../../src/kafka/copy-encoder.ts';
import { BATCH_OVERHEAD, type EncodedBatch, encodeRecords, sizeOfRecord } from '../../../src/kafka/record-batch.ts';
import { Failure } from '../../../src/model/failure.ts';
import { copyData, copyRow, cut, decodeBatch, type Field } from './copy-data.ts';

const OPTIONS: CopyEncoderOptions = {
  partitions: 1,
  keylessPartition: 0,
  constantHeaders: [],
  rowHeaders: [],
  nullKey: 'allow',
  nullValue: 'tombstone',
  maxRecordBytes: 1_048_588,
  batchBytes: 524_288,
};
const text = (value: string) => Buffer.from(value);

function encode(rows: readonly (readonly Field[])[], options: Partial<CopyEncoderOptions> = {}): EncodedBatch[] {
  const encoder = createCopyEncoder({ ...OPTIONS, ...options });
  encoder.write(copyData(rows));
  return encoder.finish();
}

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const bytes = (maxLength: number) =>
  fc
    .oneof(
      { weight: 4, arbitrary: fc.uint8Array({ maxLength: 20 }) },
      { weight: 2, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 70 }) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength }) },
    )
    .map((array) => Buffer.from(array));
const nullable = (maxLength: number): fc.Arbitrary<Field> => fc.option(bytes(maxLength), { freq: 5 });
const header = fc.tuple(fc.constantFrom('a', 'b', 'ü', 'pgtally-job'), fc.string({ maxLength: 12 }));

const runs = fc
  .record({
    rowHeaders: fc.array(fc.constantFrom('x', 'y', 'a'), { maxLength: 3 }),
    constantHeaders: fc.array(header, { maxLength: 3 }),
    partitions: fc.integer({ min: 1, max: 12 }),
    keyless: fc.nat(),
    batchBytes: fc.integer({ min: BATCH_OVERHEAD + 1, max: 9000 }),
    extension: bytes(40),
    cuts: fc.array(fc.nat(40_000), { maxLength: 60 }),
  })
  .chain((run) => {
    const row = fc
      .tuple(
        nullable(400),
        nullable(9000),
        fc.array(nullable(100), { minLength: run.rowHeaders.length, maxLength: run.rowHeaders.length }),
      )
      // A tombstone needs a key.
      .map(([key, value, headers]) => [key, key === null && value === null ? Buffer.alloc(0) : value, ...headers]);
    return fc.record({ run: fc.constant(run), rows: fc.array(row, { maxLength: 60 }) });
  });

test('every row becomes the record that kafkajs reads back, in order, wherever the data is cut', async () => {
  const partitioner = Partitioners.DefaultPartitioner();
  await fc.assert(
    fc.asyncProperty(runs, async ({ run, rows }) => {
      const { partitions, rowHeaders, constantHeaders } = run;
      const keylessPartition = run.keyless % partitions;
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [],
        isr: [],
      }));
      const encoder = createCopyEncoder({ ...OPTIONS, ...run, keylessPartition });
      const batches: EncodedBatch[] = [];
      for (const chunk of cut(copyData(rows as Field[][], run.extension), run.cuts)) {
        encoder.write(chunk);
        batches.push(...encoder.takeFull());
      }
      batches.push(...encoder.finish());

      const expected = Array.from({ length: partitions }, () => [] as unknown[]);
      for (const [key, value, ...values] of rows as Field[][]) {
        const message = { key: key ?? null, value: value ?? null };
        const partition = key ? partitioner({ topic: 't', partitionMetadata, message }) : keylessPartition;
        const headers: Record<string, Field | Field[]> = {};
        const all: [string, Field][] = constantHeaders.map(([name, content]) => [name, text(content)]);
        all.push(...rowHeaders.map((name, index): [string, Field] => [name, values[index] ?? null]));
        for (const [name, content] of all) {
          const known = headers[name];
          headers[name] = known === undefined ? content : [...(Array.isArray(known) ? known : [known]), content];
        }
        expected[partition]?.push({ key, value, headers });
      }
      const actual = Array.from({ length: partitions }, () => [] as unknown[]);
      for (const batch of batches) {
        const records = await decodeBatch(batch);
        expect(records.map(({ offset }) => offset)).toEqual(records.map((_, index) => String(index)));
        expect(records.every(({ timestamp }) => timestamp === '1800000000000')).toBe(true);
        expect(batch.bytes.length + BATCH_OVERHEAD <= run.batchBytes || batch.count === 1).toBe(true);
        actual[batch.partition]?.push(...records.map(({ key, value, headers }) => ({ key, value, headers })));
      }
      expect(actual).toEqual(expected);
      expect(encoder.rows).toBe(rows.length);
      expect(encoder.bytes).toBe(batches.reduce((sum, batch) => sum + batch.bytes.length, 0));
      expect(encoder.buffered).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('batches of many small rows are as large as they may be and keep every row', async () => {
  const rows = Array.from({ length: 400 }, (_, index) => [text('key'), text(String(index))]);
  for (let batchBytes = 1500; batchBytes < 1540; batchBytes++) {
    const batches = encode(rows, { batchBytes });
    const records = (await Promise.all(batches.map(decodeBatch))).flat();
    expect(records.map(({ value }) => value)).toEqual(rows.map(([, value]) => value));
    const largest = Math.max(...batches.map(({ bytes: { length } }) => BATCH_OVERHEAD + length));
    expect(largest).toBeLessThanOrEqual(batchBytes);
    expect(largest).toBeGreaterThan(batchBytes - 20);
  }
});

test('records given as values become the same bytes as the rows of a COPY', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(bytes(300), nullable(3000), nullable(50)), { minLength: 1, maxLength: 30 }),
      (rows) => {
        const [fromCopy] = encode(rows, { rowHeaders: ['h'], constantHeaders: [['job', 'zażółć']] });
        const records = rows.map(([key, value, content]) => ({
          key,
          value,
          headers: [
            ['job', text('zażółć')],
            ['h', content],
          ] as const,
        }));
        const fromValues = encodeRecords(0, records);
        expect(fromValues).toEqual(fromCopy);
        expect(records.reduce((sum, record, index) => sum + sizeOfRecord(record, index), 0)).toBe(
          fromValues.bytes.length,
        );
      },
    ),
  );
});

test('a run without rows gives no batches', () => {
  expect(encode([])).toEqual([]);
});

test('a NULL key fails the run naming the row, unless it is allowed', () => {
  const rows = [
    [text('k'), text('v')],
    [null, text('v')],
  ];
  const failure = failureOf(() => encode(rows, { nullKey: 'error' }));
  expect(failure).toMatchObject({ kind: 'data', retryable: false, message: 'row 2 has a NULL key' });
  expect(encode(rows, { nullKey: 'allow' })[0]?.count).toBe(2);
});

test('an empty key is a key', async () => {
  const [batch] = encode([[text(''), text('')]], { nullKey: 'error', nullValue: 'error' });
  expect(await decodeBatch(batch!)).toMatchObject([{ key: text(''), value: text('') }]);
});

test('a NULL value fails the run naming the row where it is no tombstone', () => {
  const failure = failureOf(() => encode([[text('k'), null]], { nullValue: 'error' }));
  expect(failure).toMatchObject({ kind: 'data', message: 'row 1 has a NULL value' });
});

test('a tombstone without a key fails the run naming the row', () => {
  const failure = failureOf(() =>
    encode([
      [text('k'), null],
      [null, null],
    ]),
  );
  expect(failure).toMatchObject({
    kind: 'data',
    message: expect.stringContaining('row 2 has a NULL value and no key'),
  });
});

test('the largest record that fits the topic passes and one byte more fails naming row, key, size and limit', () => {
  const limit = 2000;
  const options = { maxRecordBytes: limit, batchBytes: 500 };
  const key = text('the key');
  const fits = (length: number) => BATCH_OVERHEAD + sizeOfRecord({ key, value: Buffer.alloc(length) }) <= limit;
  let length = 0;
  while (fits(length + 1)) length++;
  const small = [text('k'), text('v')];
  expect(encode([small, [key, Buffer.alloc(length)], small], options).map(({ count }) => count)).toEqual([1, 1, 1]);
  const encoder = createCopyEncoder({ ...OPTIONS, ...options });
  for (const chunk of cut(copyData([[key, Buffer.alloc(length)]]), [1, 5, 20, 30, 1000])) encoder.write(chunk);
  expect(encoder.finish()).toHaveLength(1);
  const failure = failureOf(() => encode([small, [key, Buffer.alloc(length + 1)]], options));
  expect(failure).toMatchObject({ kind: 'record', retryable: false });
  expect(failure.message).toBe(
    'row 2 with key `the key` makes a record of 2001 bytes, but its topic takes at most 2000',
  );
});

test('a row that no topic would take fails before its end has come, with a long key shortened', () => {
  const encoder = createCopyEncoder({ ...OPTIONS, maxRecordBytes: 5000 });
  const beginning = copyRow([Buffer.alloc(500, 'k'), Buffer.alloc(100, 'v')]);
  beginning.writeInt32BE(900_000_000, 2 + 4 + 500);
  const failure = failureOf(() => encoder.write(Buffer.concat([copyData([]).subarray(0, 19), beginning])));
  expect(failure).toMatchObject({ kind: 'record', message: expect.stringMatching(/^row 1 with key `k{60}…` makes/) });
});

test('data that stops before its end is refused', () => {
  const data = copyData([[text('k'), text('v')]]);
  for (const length of [0, 11, 19, 25, data.length - 1]) {
    const encoder = createCopyEncoder(OPTIONS);
    encoder.write(data.subarray(0, length));
    expect(failureOf(() => encoder.finish())).toMatchObject({ kind: 'internal' });
  }
});

test.each([
  ['another signature', Buffer.concat([Buffer.from('PGCOPX'), Buffer.alloc(20)]), 'begin with PGCOPY'],
  ['another number of columns', copyData([[text('only one')]]), '1 columns in place of 2'],
  ['bytes after the end', Buffer.concat([copyData([]), Buffer.alloc(1)]), 'follow the end'],
])('COPY data with %s is refused', (_, data, message) => {
  const encoder = createCopyEncoder(OPTIONS);
  expect(failureOf(() => encoder.write(data))).toMatchObject({
    kind: 'internal',
    message: expect.stringContaining(message),
  });
});

test('full batches can be taken while rows still come, and a buffer given back serves for a later batch', () => {
  const encoder = createCopyEncoder({ ...OPTIONS, batchBytes: 1000 });
  const row = copyRow([text('key'), Buffer.alloc(100)]);
  encoder.write(copyData([]).subarray(0, 19));
  const seen = new Set<ArrayBufferLike>();
  let batches = 0;
  for (let i = 0; i < 200; i++) {
    encoder.write(row);
    const full = encoder.takeFull();
    for (const batch of full) seen.add(batch.bytes.buffer);
    batches += full.length;
    encoder.recycle(full);
    expect(encoder.buffered).toBeLessThanOrEqual(1000);
  }
  expect(batches).toBeGreaterThan(20);
  expect(seen.size).toBeLessThanOrEqual(3);
});

test('a batch given back twice, or of another encoder, is refused', () => {
  const one = createCopyEncoder(OPTIONS);
  one.write(copyData([[text('k'), text('v')]]));
  const batches = one.finish();
  expect(failureOf(() => createCopyEncoder(OPTIONS).recycle(batches))).toMatchObject({ kind: 'internal' });
  one.recycle(batches);
  expect(failureOf(() => one.recycle(batches))).toMatchObject({ kind: 'internal' });
});

test("batches stay below the topic's limit and small enough together for many partitions", () => {
  expect(chooseBatchBytes(8, 1_048_588)).toBe(512 * 1024);
  expect(chooseBatchBytes(8, 300_000)).toBe(300_000);
  expect(chooseBatchBytes(100, 1_048_588)).toBe(Math.floor((16 * 1024 * 1024) / 100));
  expect(chooseBatchBytes(1000, 1_048_588)).toBe(64 * 1024);
});
