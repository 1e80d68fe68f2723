// The short form of test/faults/ledger/brokers.test.ts: over three brokers latency alone, leaders that move, a broker that is
// killed, and meanwhile a topic of nobody and one of a job without a leader, one after the other in one fleet.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKafkaClient, type KafkaClient } from '../../src/kafka/client.ts';
import { createFleet, NOTHING_LOST } from '../faults/ledger/fleet.ts';
import { createLeaderControl, type LeaderControl } from '../faults/write/leaders.ts';
import { readTopic } from '../stack/for-tests.ts';
import { type KafkaCluster, startKafkaCluster } from '../stack/kafka-cluster.ts';

let cluster: KafkaCluster;
let client: KafkaClient;
let leaders: LeaderControl;

beforeAll(async () => {
  cluster = await startKafkaCluster({ proxies: true });
  client = createKafkaClient({ brokers: cluster.directBootstrap.split(','), clientId: 'test', compression: 'none' });
  leaders = await createLeaderControl(client, [1, 2, 3]);
}, 120_000);

afterAll(async () => {
  await leaders.close();
  client.close();
  await cluster.discard();
});

it('publishes every slot once whatever happens to the brokers', async () => {
  await leaders.create('unrelated', [3], 'leader');
  const oddTopic = await leaders.create('odd', [3], 'leader');
  const { bootstrap, directBootstrap, proxies, brokers } = cluster;
  const fleet = await createFleet({ bootstrap, directBootstrap, shards: 2, jobs: 6, streams: 1, seconds: 15 });
  fleet.start({ oddTopic });
  fleet.start({ oddTopic });
  await sleep(Math.max(0, fleet.from * 1000 + 1000 - Date.now()));
  for (const proxy of proxies) proxy.setLatency(300);
  await sleep(3000);
  for (const proxy of proxies) proxy.setLatency(0);
  for (const topic of [fleet.rows, fleet.ledger]) await leaders.shuffle(topic);
  await sleep(2000);
  await brokers[2]?.kill();
  await sleep(2000);
  await brokers[2]?.restart();
  await fleet.finish(12_000);
  expect(await fleet.count()).toMatchObject(NOTHING_LOST);
  // What was held out while its topic had no leader is published after that, in order, each slot once.
  const slots = (await readTopic(oddTopic, { bootstrap: directBootstrap })).map(({ value }) =>
    Number(value?.toString().split(' ')[1]),
  );
  expect(slots).toEqual(slots.map((_, n) => (slots[0] ?? 0) + n));
  expect(slots.length).toBeGreaterThan(3);
}, 120_000);
