// The cluster of test/stack itself: what the other tests of this folder build on.

import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTopic } from '../stack/for-tests.ts';
import { type KafkaCluster, startKafkaCluster } from '../stack/kafka-cluster.ts';

let cluster: KafkaCluster;

beforeAll(async () => {
  cluster = await startKafkaCluster({ proxies: true });
});

afterAll(() => cluster.discard());

function client(bootstrap: string): Kafka {
  return new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING });
}

/** A topic with one partition whose replicas are on the brokers of these ids; the first leads. */
async function topicOn(topic: string, ...brokers: number[]): Promise<string> {
  const admin = client(cluster.directBootstrap).admin();
  await admin.connect();
  const replicaAssignment = [{ partition: 0, replicas: brokers }];
  await admin.createTopics({ topics: [{ topic, replicaAssignment }], waitForLeaders: true });
  await admin.disconnect();
  return topic;
}

test('clients are led through the proxy of the broker that leads', async () => {
  const topic = await topicOn('led-by-2', 2);
  const producer = client(cluster.bootstrap).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: 'a' }] });
  await producer.disconnect();
  expect(cluster.proxies.map((proxy) => proxy.requests('Produce'))).toEqual([0, 1, 0]);
  expect(await readTopic(topic, { bootstrap: cluster.directBootstrap })).toHaveLength(1);
});

test('a killed broker loses the lead to another and catches up after a restart', async () => {
  const topic = await topicOn('leader', 1, 2, 3);
  await cluster.brokers[0]?.kill();
  const patient = client(cluster.directBootstrap);
  const survivor = patient.producer({ retry: { retries: 60, initialRetryTime: 300, factor: 0 } });
  await survivor.connect();
  await survivor.send({ topic, messages: [{ value: 'a' }] });
  await survivor.disconnect();
  await cluster.brokers[0]?.restart();
  expect(await readTopic(topic, { bootstrap: cluster.brokers[0]?.bootstrap ?? '' })).toHaveLength(1);
});
