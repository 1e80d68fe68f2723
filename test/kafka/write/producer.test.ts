import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { type KafkaClient, REQUEST_TIMEOUT } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import {
  fenceTransactionalId,
  openIdempotentProducer,
  openTransactionalProducer,
  type TransactionalProducer,
} from '../../../src/kafka/producer.ts';
import { ProducerFailure } from '../../../src/kafka/producer-session.ts';
import { encodeRecords } from '../../../src/kafka/record-batch.ts';
import { Failure } from '../../../src/model/failure.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import { freshTopic, kafkaBootstrap, readTopic } from '../../stack/for-tests.ts';
import { batchesOf, clientOf, expectedLines, readLines, variedRow } from './clients.ts';

const clients: KafkaClient[] = [];
afterAll(() => {
  for (const client of clients) client.close();
});

async function newClient(compression: KafkaSettings['compression'] = 'none'): Promise<KafkaClient> {
  const client = clientOf(await kafkaBootstrap(), compression);
  clients.push(client);
  return client;
}

function open(client: KafkaClient, topic: string, transactionalId = topic): Promise<TransactionalProducer> {
  return openTransactionalProducer(client, { topic, transactionalId, transactionTimeout: 10_000, purpose: 'main' });
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw new Error(`no Failure but ${String(error)}`);
}

const one = (partition: number, value: string) =>
  encodeRecords(partition, [{ key: Buffer.from('k'), value: Buffer.from(value) }]);
const valuesIn = async (topic: string) => (await readTopic(topic)).map(({ value }) => value?.toString());

const COMPRESSIONS: KafkaSettings['compression'][] = ['none', 'gzip', 'lz4'];
if ('zstdCompress' in zlib) COMPRESSIONS.push('zstd');

for (const compression of COMPRESSIONS) {
  test(`Java reads what a transaction sent, record by record (compression ${compression})`, async () => {
    const topic = await freshTopic({ partitions: 4 });
    const rows = Array.from({ length: 6000 }, (_, i) => variedRow(i));
    const producer = await open(await newClient(compression), topic);
    const transaction = await producer.begin();
    await transaction.sendOnce([{ topic, batches: batchesOf(rows, 4, 500) }]);
    await transaction.commit();
    await producer.close();
    expect(readLines(await readTopic(topic))).toEqual(expectedLines(rows, 4));
  });

  test(`Java reads what a stream and an idempotent producer sent (compression ${compression})`, async () => {
    const [streamed, idempotent] = [await freshTopic({ partitions: 4 }), await freshTopic({ partitions: 4 })];
    const client = await newClient(compression);
    const rows = Array.from({ length: 6000 }, (_, i) => variedRow(i));
    const options = { topic: streamed, transactionalId: streamed, transactionTimeout: 60_000 };
    const producer = await openTransactionalProducer(client, { ...options, purpose: 'stream' });
    const transaction = await producer.begin();
    const batches = batchesOf(rows, 4, 500);
    await Promise.all([
      transaction.stream(streamed, batches.slice(0, 5)),
      transaction.stream(streamed, batches.slice(5, 9)),
      transaction.stream(streamed, batches.slice(9)),
    ]);
    await transaction.commit();
    await producer.close();
    expect(readLines(await readTopic(streamed))).toEqual(expectedLines(rows, 4));

    const plain = await openIdempotentProducer(client, { topic: idempotent });
    await plain.send(idempotent, batches);
    await plain.close();
    expect(readLines(await readTopic(idempotent))).toEqual(expectedLines(rows, 4));
  });
}

test('zstd is refused with the version it needs where Node has none', async () => {
  if ('zstdCompress' in zlib) return;
  const topic = await freshTopic();
  const failure = await failureOf(open(await newClient('zstd'), topic));
  expect(failure).toMatchObject({ kind: 'configuration', message: expect.stringContaining('needs Node 22.15') });
});

test('records carry the time of their sending', async () => {
  const topic = await freshTopic();
  const batch = one(0, 'v');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = Date.now();
  const producer = await openIdempotentProducer(await newClient(), { topic });
  await producer.send(topic, [batch]);
  await producer.close();
  const [record] = await readTopic(topic);
  expect(record?.timestamp).toBeGreaterThanOrEqual(before);
  expect(record?.timestamp).toBeLessThanOrEqual(Date.now());
});

test('nothing of an aborted transaction is visible and the producer goes on', async () => {
  const topic = await freshTopic();
  const producer = await open(await newClient(), topic);
  const aborted = await producer.begin();
  await aborted.sendOnce([{ topic, batches: [one(0, 'aborted')] }]);
  await aborted.abort();
  const committed = await producer.begin();
  await committed.sendOnce([{ topic, batches: [one(0, 'committed')] }]);
  await committed.commit();
  await producer.close();
  expect(await valuesIn(topic)).toEqual(['committed']);
});

test('transactions back to back are all committed once, waiting for the broker to end each', async () => {
  const [ledger, topic] = [await freshTopic(), await freshTopic({ partitions: 3 })];
  const producer = await open(await newClient(), ledger);
  for (let i = 0; i < 60; i++) {
    const transaction = await producer.begin();
    await transaction.sendFirst(ledger, one(0, String(i)));
    await transaction.sendOnce([{ topic, batches: [one(0, String(i)), one(1, String(i)), one(2, String(i))] }]);
    await transaction.commit();
  }
  await producer.close();
  const all = Array.from({ length: 60 }, (_, i) => String(i));
  expect(await valuesIn(ledger)).toEqual(all);
  expect(await valuesIn(topic)).toEqual([...all, ...all, ...all]);
});

test('the second owner of a transactional id fences the first, whose transaction is not committed', async () => {
  const topic = await freshTopic();
  const client = await newClient();
  const first = await open(client, topic);
  const lost = await first.begin();
  await lost.sendOnce([{ topic, batches: [one(0, 'first')] }]);
  const second = await open(client, topic);
  const transaction = await second.begin();
  const failure = await failureOf(lost.commit());
  expect(failure).toBeInstanceOf(ProducerFailure);
  expect(failure).toMatchObject({ kind: 'fenced', outcome: 'unknown' });
  await transaction.sendOnce([{ topic, batches: [one(0, 'second')] }]);
  await transaction.commit();
  await Promise.all([first.close(), second.close()]);
  expect(await valuesIn(topic)).toEqual(['second']);
});

test('a send by a fenced producer is surely not committed', async () => {
  const topic = await freshTopic();
  const client = await newClient();
  const first = await open(client, topic);
  const lost = await first.begin();
  await fenceTransactionalId(client, { topic, transactionalId: topic, transactionTimeout: 10_000 });
  const failure = await failureOf(lost.sendOnce([{ topic, batches: [one(0, 'first')] }]));
  expect(failure).toMatchObject({ kind: 'fenced', outcome: 'not committed' });
  await first.close();
  expect(await valuesIn(topic)).toEqual([]);
});

test('after an error the producer is dead: every call gives that error, an abort does nothing, a new producer works', async () => {
  const topic = await freshTopic({ config: { 'max.message.bytes': '2000' } });
  const client = await newClient();
  const producer = await open(client, topic);
  const transaction = await producer.begin();
  const failure = await failureOf(transaction.sendOnce([{ topic, batches: [one(0, 'x'.repeat(3000))] }]));
  expect(failure).toMatchObject({
    kind: 'record',
    retryable: false,
    code: 'MESSAGE_TOO_LARGE',
    outcome: 'not committed',
  });
  expect(failure.message).toContain(topic);
  expect(producer.dead).toBe(true);
  expect(await failureOf(transaction.sendOnce([{ topic, batches: [one(0, 'y')] }]))).toBe(failure);
  expect(await failureOf(transaction.sendFirst(topic, one(0, 'y')))).toBe(failure);
  expect(await failureOf(transaction.stream(topic, [one(0, 'y')]))).toBe(failure);
  await transaction.abort();
  expect(await failureOf(transaction.commit())).toBe(failure);
  expect(await failureOf(producer.begin())).toBe(failure);
  await producer.close();

  const next = await open(client, topic);
  const retry = await next.begin();
  await retry.sendOnce([{ topic, batches: [one(0, 'small')] }]);
  await retry.commit();
  await next.close();
  expect(await valuesIn(topic)).toEqual(['small']);
});

test('a topic that does not exist is refused before it enters the producer, which goes on', async () => {
  const topic = await freshTopic();
  const client = await newClient();
  const cluster = newCluster(client);
  const producer = await openTransactionalProducer(client, {
    topic,
    transactionalId: topic,
    transactionTimeout: 10_000,
    purpose: 'main',
    cluster,
  });
  const transaction = await producer.begin();
  const failure = await failureOf(transaction.sendOnce([{ topic: 'absent', batches: [one(0, 'v')] }]));
  expect(failure).toMatchObject({ kind: 'topic', retryable: false, code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  expect(failure.hint).toContain('pgtally topics create absent');
  await transaction.sendOnce([{ topic, batches: [one(0, 'v')] }]);
  await transaction.commit();
  await producer.close();
  cluster.close();
  expect(await valuesIn(topic)).toEqual(['v']);
});

test('a partition the topic does not have is noticed as left out, for kafkajs passes over it', async () => {
  const topic = await freshTopic({ partitions: 2 });
  const producer = await open(await newClient(), topic);
  const transaction = await producer.begin();
  const failure = await failureOf(transaction.sendOnce([{ topic, batches: [one(0, 'v'), one(5, 'v')] }]));
  expect(failure).toMatchObject({ kind: 'kafka', code: 'PARTITION_LOST', outcome: 'not committed' });
  await producer.close();
  expect(await valuesIn(topic)).toEqual([]);
});

test('a producer that cannot reach its broker says which', async () => {
  const client = clientOf('127.0.0.1:1');
  clients.push(client);
  const failure = await failureOf(open(client, 'any'));
  expect(failure).toMatchObject({ kind: 'kafka', retryable: true });
  expect(failure.message).toContain('127.0.0.1:1');
});

test('a transaction that has ended, a second one at a time and a closed producer are refused', async () => {
  const topic = await freshTopic();
  const producer = await open(await newClient(), topic);
  const transaction = await producer.begin();
  expect(await failureOf(producer.begin())).toMatchObject({ kind: 'internal' });
  await transaction.commit();
  expect(await failureOf(transaction.commit())).toMatchObject({ kind: 'internal' });
  expect(await failureOf(transaction.sendFirst(topic, one(0, 'v')))).toMatchObject({ kind: 'internal' });
  expect(await failureOf(transaction.stream(topic, [one(0, 'v')]))).toMatchObject({ kind: 'internal' });
  await producer.close();
  expect(await failureOf(producer.begin())).toMatchObject({ kind: 'internal' });
});

test('a commit while rows are still under way is refused, and the rows are committed by the next one', async () => {
  const topic = await freshTopic();
  const producer = await open(await newClient(), topic);
  const transaction = await producer.begin();
  const sending = transaction.sendOnce([{ topic, batches: [one(0, 'v')] }]);
  expect(await failureOf(transaction.commit())).toMatchObject({ kind: 'internal' });
  await sending;
  await transaction.commit();
  await producer.close();
  expect(await valuesIn(topic)).toEqual(['v']);
});

test('what does not become smaller is not compressed, so that it fits its topic as it was measured', async () => {
  const topic = await freshTopic({ config: { 'max.message.bytes': '1100' } });
  const noise = randomBytes(1000);
  const batch = encodeRecords(0, [{ key: null, value: noise }]);
  const producer = await openIdempotentProducer(await newClient('gzip'), { topic });
  await producer.send(topic, [batch, one(0, 'small'.repeat(100))]);
  await producer.close();
  expect((await readTopic(topic)).map(({ value }) => value?.length)).toEqual([1000, 500]);
});

test('requests are given up before the transaction they belong to times out', () => {
  expect(2 * REQUEST_TIMEOUT).toBeLessThan(10_000);
});
