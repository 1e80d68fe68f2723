// What only several brokers show: kafkajs's own retry writes records twice where one broker answers late, and ours does not.
import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import {
  fenceTransactionalId,
  openIdempotentProducer,
  openTransactionalProducer,
  type TransactionalProducer,
} from '../../../src/kafka/producer.ts';
import { type EncodedBatch, encodeRecords } from '../../../src/kafka/record-batch.ts';
import { Failure } from '../../../src/model/failure.ts';
import { clientOf } from '../../kafka/write/clients.ts';
import { type ConsumedRecord, readTopic } from '../../stack/for-tests.ts';
import { type KafkaCluster, startKafkaCluster } from '../../stack/kafka-cluster.ts';
import { createLeaderControl, type LeaderControl } from './leaders.ts';

let cluster: KafkaCluster;
let leaders: LeaderControl;
let direct: KafkaClient;
const clients: KafkaClient[] = [];

beforeAll(async () => {
  cluster = await startKafkaCluster({ proxies: true });
  direct = clientOf(cluster.directBootstrap);
  leaders = await createLeaderControl(direct, [1, 2, 3]);
});

afterAll(async () => {
  await leaders.close();
  for (const client of [direct, ...clients]) client.close();
  await cluster.discard();
});

/** Through the proxies. */
function newClient(requestTimeout?: number): KafkaClient {
  const client = clientOf(cluster.bootstrap, 'none', requestTimeout === undefined ? {} : { requestTimeout });
  clients.push(client);
  return client;
}

function open(client: KafkaClient, topic: string, purpose: 'main' | 'stream' = 'main'): Promise<TransactionalProducer> {
  return openTransactionalProducer(client, { topic, transactionalId: topic, transactionTimeout: 10_000, purpose });
}

const values = (tag: string) => Array.from({ length: 10 }, (_, i) => Buffer.from(`${tag} ${i}`));
const batches = (tag: string): EncodedBatch[] =>
  [0, 1, 2].map((partition) =>
    encodeRecords(
      partition,
      values(tag).map((value) => ({ key: null, value })),
    ),
  );
const messages = (tag: string) => [0, 1, 2].flatMap((partition) => values(tag).map((value) => ({ partition, value })));

/** How many records of `tag` a read_committed consumer sees in each partition; 10 were sent. */
async function seen(topic: string, tag: string): Promise<number[]> {
  const records = await readToEnd(topic);
  const ours = records.filter(({ value }) => value?.toString().startsWith(`${tag} `));
  return [0, 1, 2].map((partition) => ours.filter((record) => record.partition === partition).length);
}

/**
 * What is committed when all that was ended is ended: brokers write the markers of a transaction after they have answered its
 * commit, and what comes after an open transaction is not seen before.
 */
async function readToEnd(topic: string): Promise<ConsumedRecord[]> {
  const last = Buffer.from(`last-${Math.random()}`);
  const producer = await openIdempotentProducer(direct, { topic });
  await producer.send(
    topic,
    [0, 1, 2].map((partition) => encodeRecords(partition, [{ key: last, value: last }])),
  );
  await producer.close();
  for (;;) {
    const records = await readTopic(topic, { bootstrap: cluster.directBootstrap });
    if (records.filter(({ key }) => key?.equals(last)).length === 3) return records;
  }
}

/**
 * While `send` starts, partition 0 has just moved from broker 1 to another, which the producer does not know, and broker 2
 * answers two seconds late: one of its requests fails at once while another is still under way.
 */
async function whileLeadersMoved<T>(topic: string, to: number, send: () => Promise<T>): Promise<T> {
  await leaders.move(topic, { 0: to });
  const late = cluster.proxies[1]?.addFault({ api: 'Produce', action: 'delay-reply', delay: 2000 });
  try {
    return await send();
  } finally {
    late?.end();
  }
}

async function sendNaively(topic: string, to: number): Promise<{ written: number[]; seen: number[] }> {
  const naive: Producer = newClient().kafka.producer({
    transactionalId: topic,
    maxInFlightRequests: 1,
    createPartitioner: loadKafkajs().library.Partitioners.DefaultPartitioner,
  });
  await naive.connect();
  const transaction = await naive.transaction();
  await transaction.send({ topic, messages: messages('first') });
  const written = await whileLeadersMoved(topic, to, () => transaction.send({ topic, messages: messages('rows') }));
  await transaction.commit();
  await naive.disconnect();
  return { written: written.map(({ partition }) => partition).sort((a, b) => a - b), seen: await seen(topic, 'rows') };
}

test("kafkajs's own send writes a partition twice, commits it and shows no sign of it", async () => {
  // By chance: whether kafkajs asks the broker that answers late for the new leaders, and so waits for its answer.
  const results = [];
  for (let attempt = 0; attempt < 12; attempt++) {
    const topic = await leaders.create(`naive-doubled-${attempt}`, [1, 2, 3]);
    const result = await sendNaively(topic, 2);
    results.push(result);
    if (result.seen[1] === 20) break;
  }
  expect(results.at(-1)).toEqual({ written: [0, 1, 2], seen: [10, 20, 10] });
});

test("kafkajs's own send leaves out a partition that moves to a broker which has answered, and resolves", async () => {
  const topic = await leaders.create('naive-lost', [1, 2, 3]);
  const result = await sendNaively(topic, 3);
  expect(result.written).toEqual([1, 2]);
  expect(result.seen[0]).toBe(0);
});

describe.each([2, 3])('when a partition moves to broker %i', (to) => {
  test('a send of a small transaction fails and the next attempt writes all once', async () => {
    const topic = await leaders.create(`once-${to}`, [1, 2, 3]);
    const client = newClient();
    const producer = await open(client, topic);
    const transaction = await producer.begin();
    await transaction.sendOnce([{ topic, batches: batches('first') }]);
    const rows = batches('rows');
    const failure = await whileLeadersMoved(topic, to, () =>
      transaction.sendOnce([{ topic, batches: rows }]).catch((error: unknown) => error),
    );
    expect(failure).toMatchObject({ kind: 'kafka', retryable: true, outcome: 'not committed' });
    expect(producer.dead).toBe(true);
    await producer.close();

    const next = await open(client, topic);
    const again = await next.begin();
    await again.sendOnce([{ topic, batches: rows }]);
    await again.commit();
    await next.close();
    expect(await seen(topic, 'rows')).toEqual([10, 10, 10]);
    expect(await seen(topic, 'first')).toEqual([0, 0, 0]);
  });

  test('a stream goes on and writes all once', async () => {
    const topic = await leaders.create(`stream-${to}`, [1, 2, 3]);
    const producer = await open(newClient(), topic, 'stream');
    const transaction = await producer.begin();
    await transaction.stream(topic, batches('first'));
    await whileLeadersMoved(topic, to, () => transaction.stream(topic, batches('rows')));
    await transaction.commit();
    await producer.close();
    expect(await seen(topic, 'first')).toEqual([10, 10, 10]);
    expect(await seen(topic, 'rows')).toEqual([10, 10, 10]);
  });

  test.each([
    ['three brokers', [1, 2, 3]],
    ['two, one of which leads two partitions', [1, 1, 2]],
  ])('so does an idempotent producer with partitions on %s', async (_, at) => {
    const topic = await leaders.create(`idempotent-${to}-${at.join('')}`, at);
    const producer = await openIdempotentProducer(newClient(), { topic });
    await producer.send(topic, batches('first'));
    await whileLeadersMoved(topic, to, () => producer.send(topic, batches('rows')));
    await producer.close();
    expect(await seen(topic, 'first')).toEqual([10, 10, 10]);
    expect(await seen(topic, 'rows')).toEqual([10, 10, 10]);
  });
});

test('a commit whose answer is lost has an unknown outcome, and what it committed is there once', async () => {
  const topic = await leaders.create('lost-commit', [1, 2, 3]);
  const client = newClient(1500);
  const producer = await open(client, topic);
  const transaction = await producer.begin();
  await transaction.sendOnce([{ topic, batches: batches('rows') }]);
  const faults = cluster.proxies.map((proxy) => proxy.addFault({ api: 'EndTxn', action: 'drop-reply' }));
  const failure = await transaction.commit().catch((error: unknown) => error);
  for (const fault of faults) fault.end();
  expect(failure).toMatchObject({ kind: 'kafka', retryable: true, outcome: 'unknown' });
  expect(producer.dead).toBe(true);
  await producer.close();
  await fenceTransactionalId(client, { topic, transactionalId: topic, transactionTimeout: 10_000 });
  expect(await seen(topic, 'rows')).toEqual([10, 10, 10]);
});

test('a send whose answer is lost fails, and nothing of it is seen', async () => {
  const topic = await leaders.create('lost-send', [1, 2, 3]);
  const client = newClient(1500);
  const producer = await open(client, topic);
  const transaction = await producer.begin();
  const fault = cluster.proxies[2]?.addFault({ api: 'Produce', action: 'drop-reply' });
  const failure = await transaction.sendOnce([{ topic, batches: batches('rows') }]).catch((error: unknown) => error);
  fault?.end();
  expect(failure).toMatchObject({ kind: 'kafka', outcome: 'not committed' });
  await producer.close();
  await fenceTransactionalId(client, { topic, transactionalId: topic, transactionTimeout: 10_000 });
  expect(await seen(topic, 'rows')).toEqual([0, 0, 0]);
});

test('a lost answer to the first step of a producer is a failure, and the next producer works', async () => {
  const topic = await leaders.create('lost-init', [1, 2, 3]);
  const client = newClient(1500);
  const producer = await open(client, topic);
  const faults = cluster.proxies.map((proxy) => proxy.addFault({ api: 'InitProducerId', action: 'drop-reply' }));
  const failure = await producer.begin().catch((error: unknown) => error);
  for (const fault of faults) fault.end();
  expect(failure).toMatchObject({ kind: 'kafka', retryable: true, outcome: 'not committed' });
  await producer.close();
  const next = await open(client, topic);
  const transaction = await next.begin();
  await transaction.sendOnce([{ topic, batches: batches('rows') }]);
  await transaction.commit();
  await next.close();
  expect(await seen(topic, 'rows')).toEqual([10, 10, 10]);
});

test('latency alone neither doubles nor loses anything', async () => {
  const topic = await leaders.create('latency', [1, 2, 3]);
  const client = newClient();
  const [main, stream] = [await open(client, topic), await open(client, topic, 'stream')];
  const plain = await openIdempotentProducer(client, { topic });
  for (const [index, proxy] of cluster.proxies.entries()) proxy.setLatency(index * 40);
  try {
    const streamed = await stream.begin();
    await streamed.stream(topic, batches('streamed'));
    await streamed.commit();
    // Of the same transactional id: it takes over.
    for (let i = 0; i < 5; i++) {
      const transaction = await main.begin();
      await transaction.sendFirst(topic, encodeRecords(0, [{ key: null, value: Buffer.from('ledger') }]));
      await transaction.sendOnce([{ topic, batches: batches(`main${i}`) }]);
      await transaction.commit();
    }
    await plain.send(topic, batches('plain'));
  } finally {
    for (const proxy of cluster.proxies) proxy.setLatency(0);
    await Promise.all([main.close(), stream.close(), plain.close()]);
  }
  for (const tag of ['streamed', 'plain', 'main0', 'main1', 'main2', 'main3', 'main4']) {
    expect(await seen(topic, tag)).toEqual([10, 10, 10]);
  }
});

test('a partition without a leader stops its own topic only', async () => {
  const ledger = await leaders.create('healthy', [1, 2, 1]);
  const broken = await leaders.create('broken', [1, 2, 3], 'leader');
  await cluster.brokers[2]?.kill();
  const client = newClient();
  const asked = newCluster(client);
  try {
    while ((await asked.metadata([broken])).topics[0]?.partitions[2]?.leader !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const naive = client.kafka.producer({ transactionalId: 'naive-2', maxInFlightRequests: 1 });
    await naive.connect();
    await expect(naive.transaction()).rejects.toThrow('no leader');
    await naive.disconnect();

    const options = { topic: ledger, transactionalId: ledger, transactionTimeout: 10_000, purpose: 'main' } as const;
    const producer = await openTransactionalProducer(client, { ...options, cluster: asked });
    const transaction = await producer.begin();
    const failure = await transaction.sendOnce([{ topic: broken, batches: batches('rows') }]).catch((error) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ kind: 'topic', retryable: true, code: 'LEADER_NOT_AVAILABLE' });
    expect(failure.message).toContain('partition 2 of 3');
    expect(producer.dead).toBe(false);
    await transaction.sendOnce([{ topic: ledger, batches: batches('rows') }]);
    await transaction.commit();
    await producer.close();

    const plain = await openIdempotentProducer(client, { topic: ledger });
    await plain.send(ledger, batches('plain'));
    await plain.close();
  } finally {
    asked.close();
    await cluster.brokers[2]?.restart();
  }
  expect(await seen(ledger, 'rows')).toEqual([10, 10, 10]);
  expect(await seen(ledger, 'plain')).toEqual([10, 10, 10]);
});
