import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../src/kafka/client.ts';
import { type Cluster, newCluster } from '../../src/kafka/cluster.ts';
import { listOffsets } from '../../src/kafka/offsets.ts';
import { openReader, readToEnd } from '../../src/kafka/reader.ts';
import { createTopicShapes } from '../../src/kafka/topic-shapes.ts';
import { createTopic, describeTopic, listTopics } from '../../src/kafka/topics.ts';
import type { Failure } from '../../src/model/failure.ts';
import { clientOf } from '../kafka/read/support.ts';
import { startKafka } from '../stack/kafka-broker.ts';
import { type KafkaCluster, startKafkaCluster } from '../stack/kafka-cluster.ts';
import { startProxy } from '../stack/proxy.ts';

let brokers: KafkaCluster;
let client: KafkaClient;
let cluster: Cluster;
beforeAll(async () => {
  brokers = await startKafkaCluster({
    properties: { 'broker.session.timeout.ms': 2000, 'broker.heartbeat.interval.ms': 300 },
  });
  client = await clientOf(brokers.bootstrap);
  cluster = newCluster(client);
});
afterAll(async () => {
  cluster.close();
  client.close();
  await brokers.discard();
});

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a reader of three brokers', () => {
  it('follows leaders through kill -9 and clean restarts, giving every record once and in order', {
    timeout: 180_000,
  }, async () => {
    const topic = 'moving';
    await createTopic(cluster, { name: topic, partitions: 6, replication: 3, config: { 'min.insync.replicas': '1' } });
    const seen = numbers(6).map((): number[] => []);
    const interruptions: Failure[] = [];
    const reader = await openReader(client, {
      topic,
      from: 'beginning',
      onRecords: async ({ partition, records }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen[partition]?.push(...records.map(({ value }) => Number(value)));
      },
      onInterrupted: (failure) => interruptions.push(failure),
    });
    let stop = false;
    const sent = numbers(6).map(() => 0);
    // One send a partition: kafkajs's retries are then safe (ledger.md, Several brokers).
    const sending = numbers(6).map(async (partition) => {
      const producer = client.kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        retry: { retries: 50, maxRetryTime: 300 },
      });
      await producer.connect();
      while (!stop) {
        await producer.send({ topic, messages: [{ partition, value: String(sent[partition]) }] });
        sent[partition] = (sent[partition] ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await producer.disconnect();
    });
    for (const [index, broker] of brokers.brokers.entries()) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await (index === 1 ? broker.stop() : broker.kill());
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await broker.restart();
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
    stop = true;
    await Promise.all(sending);
    const since = performance.now();
    await Promise.all(reader.partitions.map((partition) => reader.untilFresh(partition, since)));
    expect(seen).toEqual(sent.map(numbers));
    expect(Math.min(...sent)).toBeGreaterThan(100);
    for (const failure of interruptions) expect(failure).toMatchObject({ retryable: true });
    await reader.stop();
  });
});

describe('a topic with a leaderless partition', () => {
  it('is described, and its other partitions are read', { timeout: 120_000 }, async () => {
    const topic = 'leaderless';
    await createTopic(cluster, { name: topic, partitions: 3, replication: 1, config: {} });
    const producer = client.kafka.producer();
    await producer.connect();
    for (const partition of [0, 1, 2])
      await producer.send({ topic, messages: [{ partition, value: `p${partition}` }] });
    await producer.disconnect();
    const { partitions } = await describeTopic(cluster, topic);
    const gone = partitions[0]?.leader ?? 0;
    const broker = brokers.brokers[gone - 1];
    await broker?.kill();
    const lost = partitions.filter(({ leader }) => leader === gone).map(({ partition }) => partition);
    const others = [0, 1, 2].filter((partition) => !lost.includes(partition));

    for (const end = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const described = await describeTopic(cluster, topic);
      if (described.partitions.every(({ partition, leader }) => (leader === undefined) === lost.includes(partition)))
        break;
      if (Date.now() > end) throw new Error('the partition did not become leaderless');
    }
    expect((await describeTopic(cluster, topic)).config?.['cleanup.policy']?.value).toBe('delete');
    expect((await listTopics(cluster)).find(({ name }) => name === topic)?.leaderless).toEqual(lost);
    const offsets = await listOffsets(cluster, topic);
    expect(offsets.filter(({ error }) => error === 'LEADER_NOT_AVAILABLE').map(({ partition }) => partition)).toEqual(
      lost,
    );
    expect(offsets.filter(({ error }) => error === undefined).map(({ partition }) => partition)).toEqual(others);
    const shapes = createTopicShapes(client);
    expect(await shapes.shapeOf(topic)).toMatchObject({ partitions: 3 });
    shapes.close();
    await createTopic(cluster, { name: 'made-meanwhile', partitions: 2, replication: 1, config: {} });

    const seen: string[] = [];
    const interruptions: Failure[] = [];
    const reader = await openReader(client, {
      topic,
      from: 'beginning',
      onRecords: ({ records }) => void seen.push(...records.map(({ value }) => String(value))),
      onInterrupted: (failure) => interruptions.push(failure),
    });
    await Promise.all(others.map((partition) => reader.untilFresh(partition, performance.now())));
    expect(seen.sort()).toEqual(others.map((partition) => `p${partition}`));
    expect(interruptions[0]).toMatchObject({ kind: 'topic', code: 'LEADER_NOT_AVAILABLE', retryable: true });
    const bounded = readToEnd(client, { topic, from: 'beginning', patience: 500, onRecords: () => undefined });
    await expect(bounded).rejects.toMatchObject({ code: 'LEADER_NOT_AVAILABLE' });
    await broker?.restart();
    await Promise.all(lost.map((partition) => reader.untilFresh(partition, performance.now())));
    expect(seen.sort()).toEqual(['p0', 'p1', 'p2']);
    await reader.stop();
  });
});

describe('a slow line', () => {
  it('is read over in smaller pieces, with more time for each', { timeout: 180_000 }, async () => {
    const proxy = await startProxy('kafka');
    const node = await startKafka({ listeners: { PLAINTEXT: {}, PROXIED: { advertised: proxy.address } } });
    proxy.forwardTo(node.listeners.PROXIED ?? '');
    const near = await clientOf(node.bootstrap);
    const admin = newCluster(near);
    await createTopic(admin, { name: 'slow', partitions: 1, config: {} });
    const producer = near.kafka.producer();
    await producer.connect();
    for (const index of numbers(12)) {
      await producer.send({ topic: 'slow', messages: [{ key: String(index), value: randomBytes(80_000) }] });
    }
    await producer.disconnect();
    admin.close();
    near.close();
    // A whole answer of 1 MB would take 16 s.
    proxy.setRate(60_000);
    const far = await clientOf(proxy.address);
    const seen: string[] = [];
    const interruptions: Failure[] = [];
    await readToEnd(far, {
      topic: 'slow',
      from: 'beginning',
      patience: 60_000,
      onRecords: ({ records }) => void seen.push(...records.map(({ key }) => String(key))),
      onInterrupted: (failure) => interruptions.push(failure),
    });
    expect(seen).toEqual(numbers(12).map(String));
    expect(interruptions[0]?.message).toContain('did not answer in time');
    far.close();
    await node.discard();
    await proxy.stop();
  });
});

describe('a broker that is frozen', () => {
  it('is left for the new leader, and the reader goes on when it thaws', { timeout: 180_000 }, async () => {
    const topic = 'frozen';
    await createTopic(cluster, { name: topic, partitions: 3, replication: 3, config: {} });
    const seen: string[] = [];
    const reader = await openReader(client, {
      topic,
      from: 'beginning',
      onRecords: ({ records }) => void seen.push(...records.map(({ value }) => String(value))),
    });
    const pid = brokers.brokers[0]?.pid() ?? 0;
    process.kill(pid, 'SIGSTOP');
    const sent: string[] = [];
    for (const round of numbers(2)) {
      for (const partition of numbers(3)) {
        const value = `${round}-${partition}`;
        sent.push(value);
        await sendSomehow(topic, partition, value);
      }
      const since = performance.now();
      await Promise.all(numbers(3).map((partition) => reader.untilFresh(partition, since)));
      expect([...new Set(seen)].sort()).toEqual([...sent].sort());
      if (round === 0) process.kill(pid, 'SIGCONT');
    }
    await reader.stop();
  });
});

/** With new producers until one succeeds; the record may be there twice. */
async function sendSomehow(topic: string, partition: number, value: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    const producer = client.kafka.producer({ retry: { retries: 1 } });
    try {
      await producer.connect();
      await producer.send({ topic, messages: [{ partition, value }] });
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    } finally {
      await producer.disconnect();
    }
  }
}
