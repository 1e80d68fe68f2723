// Replicas over three brokers (replication 3, min.insync.replicas 2): leaders that move, brokers that die and restart, latency
// alone, partitions without a leader. Expected each time: no slot missing, none doubled, none by half.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaClient, type KafkaClient } from '../../../src/kafka/client.ts';
import { readTopic } from '../../stack/for-tests.ts';
import { type KafkaCluster, startKafkaCluster } from '../../stack/kafka-cluster.ts';
import { createLeaderControl, type LeaderControl } from '../write/leaders.ts';
import { createFleet, type Fleet, NOTHING_LOST } from './fleet.ts';
import { describeLateness, seconds } from './lateness.ts';

let cluster: KafkaCluster;
let direct: KafkaClient;
let leaders: LeaderControl;

beforeAll(async () => {
  // The default of 9 s until a dead broker is noticed is Kafka's; here it is 4 s.
  cluster = await startKafkaCluster({ proxies: true });
  direct = createKafkaClient({ brokers: cluster.directBootstrap.split(','), clientId: 'test', compression: 'none' });
  leaders = await createLeaderControl(direct, [1, 2, 3]);
}, 120_000);

afterAll(async () => {
  await leaders.close();
  direct.close();
  await cluster.discard();
});

async function under(
  name: string,
  fault: (fleet: Fleet, over: () => boolean) => Promise<void>,
  duration = 30,
  oddTopic?: string,
): Promise<void> {
  const { bootstrap, directBootstrap } = cluster;
  const fleet = await createFleet({
    bootstrap,
    directBootstrap,
    shards: 4,
    jobs: 12,
    streams: 2,
    seconds: seconds(duration),
  });
  const odd = oddTopic ? { oddTopic } : {};
  fleet.start(odd);
  fleet.start(odd);
  await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
  await fault(fleet, () => Date.now() > fleet.until * 1000 - 3000);
  await fleet.finish(20_000);
  console.log(`${name}: ${describeLateness(fleet)}`);
  expect({ name, ...(await fleet.count()) }).toMatchObject({ name, ...NOTHING_LOST });
}

describe('on three brokers', () => {
  it('leaders reshuffled every 2.5 s', { timeout: 180_000 }, async () => {
    await under('leaders moving', async (fleet, over) => {
      while (!over()) {
        await sleep(2500);
        await leaders.shuffle(fleet.rows);
        await leaders.shuffle(fleet.ledger);
      }
    });
  });

  it('a broker killed and back', { timeout: 240_000 }, async () => {
    await under('broker killed', async () => {
      await cluster.brokers[1]?.kill();
      await sleep(10_000);
      await cluster.brokers[1]?.restart();
    });
  });

  it('brokers restarted one after the other', { timeout: 300_000 }, async () => {
    await under(
      'rolling restart of brokers',
      async () => {
        for (const broker of cluster.brokers) {
          await broker.stop();
          await broker.restart();
          await sleep(4000);
        }
      },
      40,
    );
  });

  it('300 ms of latency and no fault', { timeout: 180_000 }, async () => {
    await under('latency', async (_, over) => {
      for (const proxy of cluster.proxies) proxy.setLatency(300);
      while (!over()) await sleep(100);
      for (const proxy of cluster.proxies) proxy.setLatency(0);
    });
  });

  it('a topic of nobody and a topic of one job without a leader', { timeout: 300_000 }, async () => {
    const unrelated = await leaders.create(`unrelated-${Date.now()}`, [3], 'leader');
    const odd = await leaders.create(`odd-${Date.now()}`, [3], 'leader');
    expect(unrelated).not.toBe(odd);
    await under(
      'leaderless',
      async (_, over) => {
        await cluster.brokers[2]?.kill();
        await sleep(7000);
        await cluster.brokers[2]?.restart();
        while (!over()) await sleep(100);
      },
      30,
      odd,
    );
    // What was held out is published when its leader is back, in order, each slot once.
    const slots = (await readTopic(odd, { bootstrap: cluster.directBootstrap })).map(({ value }) =>
      Number(value?.toString().split(' ')[1]),
    );
    expect(slots).toEqual(slots.map((_, n) => (slots[0] ?? 0) + n));
    expect(slots.length).toBeGreaterThan(3);
  });
});
