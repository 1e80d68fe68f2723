// Faults between replicas and one broker, and of that broker. One replica is behind a proxy that drops, cuts, slows; the other
// reaches the broker directly, so that a wrong step of the first would be seen as a double.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KafkaNode, startKafka } from '../../stack/kafka-broker.ts';
import { type FaultOptions, type FaultProxy, startProxy } from '../../stack/proxy.ts';
import { createFleet, type Fleet, NOTHING_LOST } from './fleet.ts';
import { describeLateness, seconds } from './lateness.ts';

let broker: KafkaNode;
let proxy: FaultProxy;

beforeAll(async () => {
  proxy = await startProxy('kafka');
  broker = await startKafka({ listeners: { DIRECT: {}, PROXIED: { advertised: proxy.address } } });
  proxy.forwardTo(broker.listeners.PROXIED ?? '');
});

afterAll(async () => {
  await proxy.stop();
  await broker.discard();
});

/** Two replicas, one behind the proxy; `fault` runs from the third second of slots (or the start) on until the last. */
async function under(
  name: string,
  fault: (fleet: Fleet, over: () => boolean) => Promise<void>,
  from: 'start' | 'third second' = 'third second',
): Promise<void> {
  const fleet = await createFleet({
    bootstrap: broker.bootstrap,
    shards: 4,
    jobs: 12,
    streams: 2,
    seconds: seconds(25),
  });
  fleet.start({ bootstrap: proxy.address });
  fleet.start();
  if (from !== 'start') await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
  await fault(fleet, () => Date.now() > fleet.until * 1000 - 3000);
  await fleet.finish(15_000);
  console.log(`${name}: ${describeLateness(fleet)}`);
  expect({ name, ...(await fleet.count()) }).toMatchObject({ name, ...NOTHING_LOST });
}

describe('between a replica and the broker', () => {
  const faults: readonly (readonly [string, FaultOptions])[] = [
    ['the reply to the commit lost', { api: 'EndTxn', action: 'drop-reply', probability: 0.3 }],
    ['the connection cut instead of the reply to the commit', { api: 'EndTxn', action: 'cut-reply', probability: 0.2 }],
    ['the connection cut instead of the reply to a send', { api: 'Produce', action: 'cut-reply', probability: 0.05 }],
    ['a send cut off before the broker sees it', { api: 'Produce', action: 'cut-request', probability: 0.05 }],
    ['the reply to the fencing lost', { api: 'InitProducerId', action: 'drop-reply', probability: 0.5 }],
  ];
  it.each(faults)(
    '%s',
    async (name, options) => {
      const from = options.api === 'InitProducerId' ? 'start' : 'third second';
      await under(
        name,
        async (_, over) => {
          const fault = proxy.addFault(options);
          while (!over()) await sleep(100);
          fault.end();
          console.log(`${name}: struck ${fault.hits()} times`);
          expect(fault.hits()).toBeGreaterThan(0);
        },
        from,
      );
    },
    120_000,
  );

  it('every connection reset each second or two', async () => {
    await under('resets', async (_, over) => {
      while (!over()) {
        proxy.cut();
        await sleep(1000 + Math.random() * 1000);
      }
    });
  }, 120_000);

  it('300 ms each way', async () => {
    await under('latency', async (_, over) => {
      proxy.setLatency(300);
      while (!over()) await sleep(100);
      proxy.setLatency(0);
    });
  }, 120_000);

  it('10 kB a second', async () => {
    await under('rate', async (_, over) => {
      proxy.setRate(10_000);
      while (!over()) await sleep(100);
      proxy.setRate(undefined);
    });
  }, 120_000);

  it('nothing for longer than the lease, and then all of it at once', async () => {
    await under('partition', async (_, over) => {
      while (!over()) {
        const thaw = proxy.freeze();
        await sleep(6000);
        thaw();
        await sleep(2000);
      }
    });
  }, 120_000);
});

describe('the broker', () => {
  it('killed and restarted, also in the middle of a commit', async () => {
    await under('broker killed', async () => {
      // Its log is written to disk by the operating system: a kill of the process loses nothing that was acknowledged.
      const held = proxy.addFault({ api: 'EndTxn', action: 'hold-reply', times: 1 });
      await Promise.race([held.struck, sleep(5000)]);
      await broker.kill();
      const killed = Date.now();
      held.end();
      await sleep(2000);
      await broker.restart();
      console.log(`broker down for ${Date.now() - killed} ms`);
    });
  }, 180_000);

  it('frozen for 8 s', async () => {
    await under('broker frozen', async () => {
      process.kill(broker.pid() ?? 0, 'SIGSTOP');
      await sleep(8000);
      process.kill(broker.pid() ?? 0, 'SIGCONT');
      await sleep(5000);
    });
  }, 180_000);
});
