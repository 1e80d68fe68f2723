import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import { openReader, readToEnd } from '../../../src/kafka/reader.ts';
import { createTopicShapes } from '../../../src/kafka/topic-shapes.ts';
import { createTopic, deleteTopic, listTopics } from '../../../src/kafka/topics.ts';
import type { Failure } from '../../../src/model/failure.ts';
import { type KafkaNode, startKafka } from '../../stack/kafka-broker.ts';
import { startProxy } from '../../stack/proxy.ts';
import { cacheFolder } from '../../stack/repository.ts';
import { clientOf } from './support.ts';

let broker: KafkaNode;
let client: KafkaClient;
beforeAll(async () => {
  // A killed broker may come back only when its session has ended: 9 s, unless told otherwise.
  const properties = { 'broker.session.timeout.ms': 1000, 'broker.heartbeat.interval.ms': 200 };
  broker = await startKafka({ properties: { ...properties, 'auto.create.topics.enable': true } });
  client = await clientOf(broker.bootstrap);
});
afterAll(async () => {
  client.close();
  await broker.discard();
});

async function make(name: string, partitions = 1): Promise<void> {
  const cluster = newCluster(client);
  await createTopic(cluster, { name, partitions, config: {} });
  cluster.close();
}

async function send(topic: string, partition: number, value: string): Promise<void> {
  const producer = client.kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ partition, value }] });
  await producer.disconnect();
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 25_000; !holds(); await new Promise((resolve) => setTimeout(resolve, 20))) {
    if (Date.now() > end) throw new Error('it did not come to pass within 25 s');
  }
}

describe('a broker that is killed while it is read', () => {
  it('is gone on from when it is back, every record once, the trouble told once', { timeout: 60_000 }, async () => {
    await make('killed', 2);
    const seen: string[] = [];
    const interruptions: Failure[] = [];
    const reader = await openReader(client, {
      topic: 'killed',
      from: 'beginning',
      onRecords: ({ records }) => void seen.push(...records.map(({ value }) => String(value))),
      onInterrupted: (failure) => interruptions.push(failure),
    });
    for (let round = 0; round < 3; round++) {
      await send('killed', 0, `a${round}`);
      await send('killed', 1, `b${round}`);
      await until(() => seen.length === 2 * round + 2);
      await broker.kill();
      await until(() => interruptions.length > round);
      await broker.restart();
      const since = performance.now();
      await Promise.all([reader.untilFresh(0, since), reader.untilFresh(1, since)]);
    }
    expect(seen.sort()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2']);
    for (const failure of interruptions) expect(failure).toMatchObject({ kind: 'kafka', retryable: true });
    // Dozens of attempts, each told of once: lost, and refused while it is down.
    expect(interruptions.length).toBeLessThanOrEqual(9);
    await reader.stop();
  });

  it('ends a reader whose patience is at an end', { timeout: 60_000 }, async () => {
    await make('impatient');
    const reader = await openReader(client, {
      topic: 'impatient',
      from: 'end',
      patience: 300,
      onRecords: () => undefined,
    });
    await broker.kill();
    await expect(reader.done).rejects.toMatchObject({ kind: 'kafka', code: 'ECONNREFUSED' });
    await broker.restart();
  });
});

describe('a topic that is deleted while it is read', () => {
  it('ends the reading, saying so', { timeout: 60_000 }, async () => {
    await make('deleted');
    const reader = await openReader(client, { topic: 'deleted', from: 'end', onRecords: () => undefined });
    const cluster = newCluster(client);
    await deleteTopic(cluster, 'deleted');
    cluster.close();
    await expect(reader.done).rejects.toMatchObject({
      kind: 'topic',
      message: expect.stringContaining('topic `deleted` does not exist'),
    });
  });
});

describe('a broker that accepts and never answers', () => {
  it('is told of after the request timeout, and does not keep a reader from stopping', async () => {
    await make('frozen');
    const proxy = await startProxy('bytes');
    proxy.forwardTo(broker.bootstrap);
    const through = await clientOf(proxy.address);
    const thaw = proxy.freeze();
    const cluster = newCluster(through, { requestTimeout: 500 });
    await expect(cluster.metadata([])).rejects.toMatchObject({
      kind: 'kafka',
      retryable: true,
      message: `kafka: ${proxy.address} did not answer in time`,
    });
    thaw();
    expect((await cluster.metadata([])).brokers).toHaveLength(1);
    cluster.close();
    through.close();
    await proxy.stop();
  });
});

describe('a cluster that creates topics when asked for them', () => {
  it('is not made to, whatever asks', async () => {
    const name = 'never-made';
    const cluster = newCluster(client);
    const shapes = createTopicShapes(client);
    await expect(shapes.shapeOf(name)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await expect(readToEnd(client, { topic: name, from: 'end', onRecords: () => undefined })).rejects.toThrow(name);
    await expect(send(name, 0, 'v')).rejects.toThrow();
    const consumer = client.kafka.consumer({ groupId: name, retry: { retries: 0 } });
    await consumer.connect();
    await expect(consumer.subscribe({ topics: [name] })).rejects.toThrow();
    await consumer.disconnect();
    expect((await listTopics(cluster)).map((topic) => topic.name)).not.toContain(name);
    // What all of them would have done: kafkajs as it is asks so that the broker creates the topic.
    const { Kafka, logLevel } = loadKafkajs().library;
    const stock = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).producer();
    await stock.connect();
    await stock.send({ topic: name, messages: [{ value: 'v' }] });
    await stock.disconnect();
    expect((await listTopics(cluster)).map((topic) => topic.name)).toContain(name);
    shapes.close();
    cluster.close();
  });
});

describe('closing', () => {
  it('waits for no fetch that is still out', async () => {
    await make('quick');
    const reader = await openReader(client, {
      topic: 'quick',
      from: 'end',
      maxWait: 60_000,
      onRecords: () => undefined,
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await reader.stop();
    await reader.done;
  });

  it('leaves nothing behind that keeps the process alive, also in the form in which the command is built', async () => {
    const file = join(cacheFolder('tests'), `exits-${process.pid}.js`);
    await build({
      input: join(import.meta.dirname, 'exits.ts'),
      platform: 'node',
      external: (name) => !/^[./]/.test(name),
      output: { file, format: 'esm', minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } } },
      logLevel: 'silent',
    });
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [file, broker.bootstrap], { timeout: 20_000 });
      expect(stdout).toBe('read and closed\n');
    } finally {
      rmSync(file);
    }
  });
});
