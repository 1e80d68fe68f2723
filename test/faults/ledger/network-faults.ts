// The faults between a replica and its broker, as data and as what a test does with a fleet: the long forms are in network.test.ts,
// the short ones in test/ledger/faults.test.ts. One replica is behind a proxy that drops, cuts, slows; the other reaches the
// broker directly, so that a wrong step of the first would be seen as a double.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type KafkaNode, startKafka } from '../../stack/kafka-broker.ts';
import { type FaultOptions, type FaultProxy, startProxy } from '../../stack/proxy.ts';
import { createFleet, type Fleet, NOTHING_LOST } from './fleet.ts';
import { describeLateness } from './lateness.ts';

export interface Place {
  readonly broker: KafkaNode;
  /** Each leads to the broker. */
  readonly proxies: readonly FaultProxy[];
  discard(): Promise<void>;
}

/** A broker with so many proxies before it. */
export async function startPlace(count: number): Promise<Place> {
  const proxies = await Promise.all(Array.from({ length: count }, () => startProxy('kafka')));
  const named = proxies.map((proxy, n) => [`PROXIED${n}`, { advertised: proxy.address }] as const);
  const broker = await startKafka({ listeners: { DIRECT: {}, ...Object.fromEntries(named) } });
  for (const [n, proxy] of proxies.entries()) proxy.forwardTo(broker.listeners[`PROXIED${n}`] ?? '');
  return {
    broker,
    proxies,
    async discard() {
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await broker.discard();
    },
  };
}

export interface FaultPlan {
  readonly name: string;
  /** When it begins. Default: a little after the first slots. */
  readonly from?: 'start';
  strike(place: Pick<Place, 'broker'>, proxy: FaultProxy, over: () => boolean): Promise<void>;
}

/** Two replicas for so many seconds, and the fault from its beginning until a little before the last slots. Nothing may be lost. */
export async function under(
  plan: FaultPlan,
  place: Place,
  proxy: FaultProxy,
  size: { readonly jobs: number; readonly streams: number; readonly seconds: number },
): Promise<void> {
  const fleet: Fleet = await createFleet({ bootstrap: place.broker.bootstrap, shards: 4, ...size });
  fleet.start({ bootstrap: proxy.address });
  fleet.start();
  const margin = Math.min(3000, size.seconds * 200);
  if (plan.from !== 'start') await sleep(Math.max(0, fleet.from * 1000 + margin - Date.now()));
  await plan.strike(place, proxy, () => Date.now() > fleet.until * 1000 - margin);
  await fleet.finish(15_000);
  console.log(`${plan.name}: ${describeLateness(fleet)}`);
  expect({ name: plan.name, ...(await fleet.count()) }).toMatchObject({ name: plan.name, ...NOTHING_LOST });
}

const replies: readonly (readonly [string, FaultOptions])[] = [
  ['the reply to the commit lost', { api: 'EndTxn', action: 'drop-reply', probability: 0.3 }],
  ['the connection cut instead of the reply to the commit', { api: 'EndTxn', action: 'cut-reply', probability: 0.2 }],
  ['the connection cut instead of the reply to a send', { api: 'Produce', action: 'cut-reply', probability: 0.05 }],
  ['a send cut off before the broker sees it', { api: 'Produce', action: 'cut-request', probability: 0.05 }],
  ['the reply to the fencing lost', { api: 'InitProducerId', action: 'drop-reply', probability: 0.5 }],
];

/** On the way between a replica and the broker. */
export const NETWORK_FAULTS: readonly FaultPlan[] = [
  ...replies.map(
    ([name, options]): FaultPlan => ({
      name,
      ...(options.api === 'InitProducerId' ? { from: 'start' as const } : {}),
      async strike(_, proxy, over) {
        const fault = proxy.addFault(options);
        while (!over()) await sleep(100);
        fault.end();
        console.log(`${name}: struck ${fault.hits()} times`);
        expect(fault.hits()).toBeGreaterThan(0);
      },
    }),
  ),
  {
    name: 'every connection reset each second or two',
    async strike(_, proxy, over) {
      do {
        proxy.cut();
        await sleep(1000 + Math.random() * 1000);
      } while (!over());
    },
  },
  {
    name: '300 ms each way',
    async strike(_, proxy, over) {
      proxy.setLatency(300);
      while (!over()) await sleep(100);
      proxy.setLatency(0);
    },
  },
  {
    name: '10 kB a second',
    async strike(_, proxy, over) {
      proxy.setRate(10_000);
      while (!over()) await sleep(100);
      proxy.setRate(undefined);
    },
  },
  {
    name: 'nothing for longer than the lease, and then all of it at once',
    async strike(_, proxy, over) {
      do {
        const thaw = proxy.freeze();
        await sleep(6000);
        thaw();
        await sleep(2000);
      } while (!over());
    },
  },
];

/** Of the broker itself. */
export const BROKER_FAULTS: readonly FaultPlan[] = [
  {
    name: 'killed and restarted, also in the middle of a commit',
    async strike({ broker }, proxy) {
      // Its log is written to disk by the operating system: a kill of the process loses nothing that was acknowledged.
      const held = proxy.addFault({ api: 'EndTxn', action: 'hold-reply', times: 1 });
      await Promise.race([held.struck, sleep(5000)]);
      await broker.kill();
      const killed = Date.now();
      held.end();
      await sleep(2000);
      await broker.restart();
      console.log(`broker down for ${Date.now() - killed} ms`);
    },
  },
  {
    name: 'frozen for 8 s',
    async strike({ broker }) {
      process.kill(broker.pid() ?? 0, 'SIGSTOP');
      await sleep(8000);
      process.kill(broker.pid() ?? 0, 'SIGCONT');
      await sleep(5000);
    },
  },
];
