// The short forms of test/faults/ledger: replicas as processes of their own, each fault for some seconds. Every (job, slot, row)
// is counted as Kafka's Java client reads it: no slot missing, none doubled, none by half.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFleet, type Fleet, NOTHING_LOST } from '../faults/ledger/fleet.ts';
import { type FaultPlan, NETWORK_FAULTS, type Place, startPlace, under } from '../faults/ledger/network-faults.ts';

/** Where faults side by side do not meet each other. */
let place: Place;

beforeAll(async () => {
  place = await startPlace(6);
});

afterAll(() => place.discard());

async function finished(fleet: Fleet): Promise<void> {
  await fleet.finish(6000);
  expect(await fleet.count()).toMatchObject(NOTHING_LOST);
}

const fleetOf = (seconds: number): Promise<Fleet> =>
  createFleet({ bootstrap: place.broker.bootstrap, shards: 2, jobs: 4, streams: 1, seconds });

describe.concurrent('a replica', () => {
  it.each(['claim-sent', 'rows-sent', 'commit-asked', 'stream-rows-sent'] as const)(
    'that is killed at the step %s',
    async (step) => {
      const fleet = await fleetOf(6);
      const doomed = fleet.start({
        fault: { step, nth: 2, signal: 'SIGKILL', delay: step === 'commit-asked' ? 2 : 0 },
      });
      await doomed.faulted;
      fleet.start();
      await finished(fleet);
    },
    60_000,
  );

  it('that is frozen for longer than its lease, and wakes in the middle of a transaction', async () => {
    const fleet = await fleetOf(9);
    const zombie = fleet.start({ fault: { step: 'rows-sent', nth: 4, signal: 'SIGSTOP', delay: 0 } });
    await zombie.faulted;
    fleet.start();
    await sleep(6000);
    zombie.kill('SIGCONT');
    await finished(fleet);
  }, 60_000);

  it('that comes, and one that leaves, each second', async () => {
    const fleet = await fleetOf(8);
    fleet.start();
    await sleep(Math.max(0, fleet.from * 1000 + 1000 - Date.now()));
    for (let second = 0; second < 5; second++) {
      fleet.start();
      await sleep(1000);
      const oldest = fleet.replicas.find(({ alive }) => alive);
      oldest?.kill(second === 2 ? 'SIGKILL' : 'SIGTERM');
    }
    await finished(fleet);
  }, 60_000);

  it('whose clock is an hour ahead, beside one an hour behind, killed', async () => {
    const fleet = await fleetOf(7);
    const doomed = fleet.start({ heartbeatClock: 3_600_000 });
    fleet.start({ heartbeatClock: -3_600_000 });
    await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
    doomed.kill('SIGKILL');
    await finished(fleet);
  }, 60_000);
});

describe.concurrent('between a replica and the broker', () => {
  const few = (action: 'drop-reply' | 'cut-reply', api: 'EndTxn' | 'Produce'): FaultPlan => ({
    name: `${action} of ${api}, twice`,
    async strike(_, proxy, over) {
      const fault = proxy.addFault({ api, action, times: 2 });
      while (!over()) await sleep(100);
      fault.end();
      expect(fault.hits()).toBeGreaterThan(0);
    },
  });
  const lasting = NETWORK_FAULTS.filter(({ name }) => /reset|300 ms|10 kB/.test(name));

  const plans = [few('drop-reply', 'EndTxn'), few('cut-reply', 'EndTxn'), few('cut-reply', 'Produce'), ...lasting];

  for (const [n, plan] of plans.entries())
    it(plan.name, async () => {
      const proxy = place.proxies[n];
      if (!proxy) throw new Error('no proxy is left');
      await under(plan, place, proxy, { jobs: 4, streams: 1, seconds: 8 });
    }, 120_000);
});
