import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { type Cluster, newCluster } from '../../../src/kafka/cluster.ts';
import { listOffsets } from '../../../src/kafka/offsets.ts';
import { createTopicShapes } from '../../../src/kafka/topic-shapes.ts';
import { createTopic, deleteTopic, describeCluster, describeTopic, listTopics } from '../../../src/kafka/topics.ts';
import { freshTopic, topicExists } from '../../stack/for-tests.ts';
import { clientOf } from './support.ts';

let client: KafkaClient;
let cluster: Cluster;
beforeAll(async () => {
  client = await clientOf();
  cluster = newCluster(client);
});
afterAll(() => {
  cluster.close();
  client.close();
});

const freshName = () => `made-${randomBytes(6).toString('hex')}`;

describe('createTopic', () => {
  it('makes a topic that a producer can use at once', async () => {
    const name = freshName();
    await createTopic(cluster, { name, partitions: 3, replication: 1, config: { 'max.message.bytes': '54321' } });
    const producer = client.kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    await producer.send({ topic: name, messages: [0, 1, 2].map((partition) => ({ partition, value: 'v' })) });
    await producer.disconnect();
    const described = await describeTopic(cluster, name);
    expect(described.partitions.map(({ partition, leader, replicas }) => [partition, leader, replicas])).toEqual([
      [0, 1, [1]],
      [1, 1, [1]],
      [2, 1, [1]],
    ]);
    expect(described.config?.['max.message.bytes']).toEqual({ value: '54321', own: true });
    expect(described.config?.['cleanup.policy']).toEqual({ value: 'delete', own: false });
    expect(described.operations).toContain('write');
  });

  it('takes the broker’s defaults for what is left out', async () => {
    const name = freshName();
    await createTopic(cluster, { name, config: {} });
    expect((await describeTopic(cluster, name)).partitions).toHaveLength(1);
  });

  it('only asks when told so', async () => {
    const name = freshName();
    await createTopic(cluster, { name, partitions: 2, config: {} }, { validateOnly: true });
    expect(await topicExists(name)).toBe(false);
    await expect(
      createTopic(cluster, { name, partitions: 2, replication: 7, config: {} }, { validateOnly: true }),
    ).rejects.toMatchObject({
      kind: 'topic',
      code: 'INVALID_REPLICATION_FACTOR',
    });
  });

  it.each([
    [
      { partitions: 1, replication: 9 },
      /^kafka: topic `.*` cannot have that many replicas: .*9/,
      'INVALID_REPLICATION_FACTOR',
    ],
    [{ partitions: 0 }, /^kafka: topic `.*` cannot have that number of partitions: /, 'INVALID_PARTITIONS'],
    [
      { config: { 'no.such.setting': '1' } },
      /^kafka: topic `.*` cannot have that configuration: .*no\.such\.setting/,
      'INVALID_CONFIG',
    ],
    [
      { config: { 'retention.ms': 'soon' } },
      /^kafka: topic `.*` cannot have that configuration: .*retention\.ms/,
      'INVALID_CONFIG',
    ],
    [{ name: 'a/b' }, /^kafka: topic `a\/b` is not a name Kafka takes/, 'INVALID_TOPIC_EXCEPTION'],
  ])('says why Kafka refuses %j', async (some, message, code) => {
    const refused = createTopic(cluster, { name: freshName(), config: {}, ...some });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ kind: 'topic', code, retryable: false });
  });

  it('says that a topic exists already', async () => {
    const name = await freshTopic();
    await expect(createTopic(cluster, { name, config: {} })).rejects.toMatchObject({
      message: expect.stringContaining(`topic \`${name}\` exists already`),
      code: 'TOPIC_ALREADY_EXISTS',
      hint: `see it with \`pgtally topics describe ${name}\``,
    });
  });
});

describe('deleteTopic', () => {
  it('resolves when the topic is gone, and says which topic does not exist', async () => {
    // Not one of freshTopic's, whose client would not get over it.
    const name = freshName();
    await createTopic(cluster, { name, config: {} });
    await deleteTopic(cluster, name);
    expect(await topicExists(name)).toBe(false);
    await expect(deleteTopic(cluster, name)).rejects.toThrow(`kafka: topic \`${name}\` does not exist`);
    await expect(describeTopic(cluster, name)).rejects.toMatchObject({
      kind: 'topic',
      hint: `create it: \`pgtally topics create ${name}\``,
    });
  });
});

describe('listTopics', () => {
  it('names topics in order with their partitions, Kafka’s own only on request', async () => {
    const name = await freshTopic({ partitions: 4 });
    const producer = client.kafka.producer({ transactionalId: name });
    await producer.connect();
    await (await producer.transaction()).abort();
    await producer.disconnect();
    const listed = await listTopics(cluster);
    expect(listed.find((topic) => topic.name === name)).toEqual({
      name,
      partitions: 4,
      replication: 1,
      internal: false,
      leaderless: [],
    });
    expect(listed.map((topic) => topic.name)).toEqual(listed.map((topic) => topic.name).sort());
    expect(listed.some(({ internal }) => internal)).toBe(false);
    const all = await listTopics(cluster, { internal: true });
    expect(all.map((topic) => topic.name)).toContain('__transaction_state');
  });
});

describe('describeCluster', () => {
  it('names the brokers with their addresses', async () => {
    const { brokers, operations } = await describeCluster(cluster);
    expect(brokers.map(({ nodeId, host, port }) => `${nodeId} ${host}:${port}`)).toEqual([`1 ${client.brokers[0]}`]);
    expect(operations).toContain('create');
  });
});

describe('listOffsets', () => {
  it('gives log start, last stable offset and high watermark of each partition', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const producer = client.kafka.producer({ transactionalId: topic, maxInFlightRequests: 1 });
    await producer.connect();
    const done = await producer.transaction();
    await done.send({ topic, messages: [{ partition: 1, value: 'v' }] });
    await done.commit();
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ partition: 1, value: 'v' }] });
    expect(await listOffsets(cluster, topic)).toEqual([
      { partition: 0, logStart: 0, lastStable: 0, highWatermark: 0 },
      { partition: 1, logStart: 0, lastStable: 2, highWatermark: 3 },
    ]);
    await open.abort();
    await producer.disconnect();
  });
});

describe('createTopicShapes', () => {
  it('gives partitions and max.message.bytes, and asks once for many at the same time', async () => {
    const topic = await freshTopic({ partitions: 3, config: { 'max.message.bytes': '2000' } });
    const shapes = createTopicShapes(client);
    const [first, second] = [shapes.shapeOf(topic), shapes.shapeOf(topic)];
    expect(second).toBe(first);
    expect(await first).toEqual({ partitions: 3, maxMessageBytes: 2000 });
    expect(shapes.shapeOf(topic)).toBe(first);
    shapes.forget(topic);
    expect(shapes.shapeOf(topic)).not.toBe(first);
    expect(await shapes.shapeOf(await freshTopic())).toEqual({ partitions: 1, maxMessageBytes: 1_048_588 });
    shapes.close();
  });

  it('does not remember that a topic was missing', async () => {
    const shapes = createTopicShapes(client);
    const name = freshName();
    await expect(shapes.shapeOf(name)).rejects.toMatchObject({ kind: 'topic', code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await createTopic(cluster, { name, partitions: 2, config: {} });
    expect(await shapes.shapeOf(name)).toMatchObject({ partitions: 2 });
    shapes.close();
  });
});
