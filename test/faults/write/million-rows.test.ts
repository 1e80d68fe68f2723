// A million rows from Postgres to Kafka and back by Kafka's Java consumer, equal to the table byte for byte: every kind of key, of
// JSON value and of header, in each partition in the table's order.
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseBatchBytes, createCopyEncoder } from '../../../src/kafka/copy-encoder.ts';
import { openIdempotentProducer, openTransactionalProducer } from '../../../src/kafka/producer.ts';
import type { EncodedBatch } from '../../../src/kafka/record-batch.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import { connect } from '../../../src/postgres/connect.ts';
import { clientOf, partitionOf } from '../../kafka/write/clients.ts';
import { targetAt } from '../../postgres/targets.ts';
import { freshDatabase, freshTopic, kafkaBootstrap, readTopic, type TestDatabase } from '../../stack/for-tests.ts';

const PARTITIONS = 8;
const MAX_MESSAGE_BYTES = 1_048_588;
const MINUTE = 60_000;
let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase();
  // Keys: NULL, empty, 10 kB, emoji, plain. Values: every JSON type, numeric(60,20), bigint beyond 2^53, tombstones. Headers: NULL,
  // empty, text.
  await database.sql(`create table main as select i as id,
    case i % 11 when 0 then null when 1 then '' when 2 then 'zażółć-日本-😀-' || i when 3 then repeat('k', i % 3000) || i
      else 'key-' || lpad(i::text, 9, '0') end as key,
    case when i % 1000 = 4 then repeat('x', 10240) end as long,
    (i::numeric * 123456789012345678901234567890.12345678901234567890)::numeric(60,20) as n,
    9007199254740993 + i as b,
    case i % 7 when 0 then 'null'::jsonb when 1 then 'true' when 2 then to_jsonb(i) when 3 then to_jsonb('ü😀"\\'::text)
      when 4 then '[1, [], {}]' when 5 then '{"a": {"b": null}}' else to_jsonb(1.50) end as j,
    i % 13 = 5 and i % 11 <> 0 as tombstone,
    case i % 5 when 0 then null when 1 then '' else 'h' || i end as h
    from generate_series(1, 1000000) i`);
  await database.sql('create index on main(id)');
}, 5 * MINUTE);

afterAll(() => database.drop());

const KEY = `coalesce(long || id, key)`;
const VALUE = `case when not tombstone then row_to_json(r.*)::text end`;
const select = (first: number, last: number) =>
  `from (select id, key, long, n, b, j, h, tombstone from main where id between ${first} and ${last} order by id) r`;

/** One COPY of the first `rows` rows through an encoder into `send`, which is given the full batches in order. */
async function copyRows(rows: number, send: (batches: readonly EncodedBatch[]) => Promise<void>): Promise<void> {
  const encoder = createCopyEncoder({
    partitions: PARTITIONS,
    keylessPartition: PARTITIONS - 1,
    constantHeaders: [
      ['pgtally-job', 'million'],
      ['pgtally-slot', '2027-03-28T01:00:00Z'],
    ],
    rowHeaders: ['h', 'pgtally-job'],
    nullKey: 'allow',
    nullValue: 'tombstone',
    maxRecordBytes: MAX_MESSAGE_BYTES,
    batchBytes: chooseBatchBytes(PARTITIONS, MAX_MESSAGE_BYTES),
  });
  const connection = await connect(targetAt(database, database.name), { applicationName: 'test' });
  await connection.begin({ statementTimeout: 5 * MINUTE, lockTimeout: 1000, idleTimeout: MINUTE });
  const write = (chunk: Buffer): Promise<void> | undefined => {
    encoder.write(chunk);
    const full = encoder.takeFull();
    return full.length === 0 ? undefined : send(full).then(() => encoder.recycle(full));
  };
  const sql = `copy (select ${KEY}, ${VALUE}, h, id::text ${select(1, rows)}) to stdout (format binary)`;
  expect(await connection.copyOut(sql, { write })).toBe(rows);
  await send(encoder.finish());
  await connection.close();
  expect(encoder.rows).toBe(rows);
}

/** Compares the topic with the table, which is asked for in hexadecimal so that nothing of it is interpreted on the way. */
async function expectTable(topic: string, rows: number): Promise<void> {
  const expected = Array.from({ length: PARTITIONS }, () => [] as string[]);
  const hex = (text: string) => `encode(convert_to(${text}, 'utf8'), 'hex')`;
  for (let first = 1; first <= rows; first += 50_000) {
    const last = Math.min(rows, first + 49_999);
    const found = await database.sql(
      `select id::text, ${hex(KEY)} as key, ${hex(VALUE)} as value, ${hex('h')} as h ${select(first, last)}`,
    );
    for (const row of found as Record<'id' | 'key' | 'value' | 'h', string | null>[]) {
      const key = row.key === null ? null : Buffer.from(row.key, 'hex');
      expected[partitionOf({ key, value: null }, PARTITIONS)]?.push(
        JSON.stringify([row.id, row.key, row.value, row.h]),
      );
    }
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const lines = (await readTopic(topic, { partition })).map(({ key, value, headers }) => {
      const [job, slot, h, id] = headers;
      expect([job, slot, h?.[0], id?.[0], headers.length]).toEqual([
        ['pgtally-job', 'million'],
        ['pgtally-slot', '2027-03-28T01:00:00Z'],
        'h',
        'pgtally-job',
        4,
      ]);
      const text = h?.[1] ?? null;
      const hex = (bytes: Buffer | null) => bytes?.toString('hex') ?? null;
      return JSON.stringify([id?.[1], hex(key), hex(value), text === null ? null : hex(Buffer.from(text))]);
    });
    const at = lines.findIndex((line, index) => line !== expected[partition]?.[index]);
    expect([at, lines[at], lines.length]).toEqual([-1, undefined, expected[partition]?.length]);
    expect(lines.length).toBeGreaterThan(0);
  }
}

async function throughTransaction(
  topic: string,
  rows: number,
  compression: KafkaSettings['compression'],
): Promise<void> {
  const client = clientOf(await kafkaBootstrap(), compression);
  const options = { topic, transactionalId: topic, transactionTimeout: 5 * MINUTE, purpose: 'stream' } as const;
  const producer = await openTransactionalProducer(client, options);
  const transaction = await producer.begin();
  await copyRows(rows, (batches) => transaction.stream(topic, batches));
  await transaction.commit();
  await producer.close();
  client.close();
}

const COMPRESSIONS: [KafkaSettings['compression'], number][] = [
  ['none', 1_000_000],
  ['gzip', 200_000],
  ['lz4', 1_000_000],
];
if ('zstdCompress' in zlib) COMPRESSIONS.push(['zstd', 200_000]);

test.each(COMPRESSIONS)(
  'compression %s: %i rows of one transaction are the table',
  async (compression, rows) => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    await throughTransaction(topic, rows, compression);
    await expectTable(topic, rows);
  },
  10 * MINUTE,
);

test(
  '200,000 rows of an idempotent producer are the table',
  async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const client = clientOf(await kafkaBootstrap());
    const producer = await openIdempotentProducer(client, { topic });
    await copyRows(200_000, (batches) => producer.send(topic, batches));
    await producer.close();
    client.close();
    await expectTable(topic, 200_000);
  },
  10 * MINUTE,
);
