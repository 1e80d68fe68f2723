// Replicas killed, frozen, joining and leaving, on one broker. Expected each time: no slot missing, none doubled, none by half.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ProtocolStep } from '../../../src/ledger/steps.ts';
import { kafkaBootstrap } from '../../stack/for-tests.ts';
import { createFleet, type Fleet, NOTHING_LOST, type Replica } from './fleet.ts';
import { describeLateness, failovers, seconds } from './lateness.ts';

const STEPS: readonly ProtocolStep[] = [
  'main-fenced',
  'stream-fenced',
  'claim-sent',
  'claim-committed',
  'claim-read',
  'begun',
  'rows-sent',
  'commit-asked',
  'committed',
  'stream-begun',
  'stream-rows-sent',
  'stream-ledger-sent',
  'stream-commit-asked',
  'stream-committed',
  'release-sent',
  'released',
];
/** Of two shards the second is not taken to the end, and the first only is released. */
const NTH: Partial<Record<ProtocolStep, number>> = {
  'main-fenced': 2,
  'stream-fenced': 2,
  'claim-sent': 2,
  'claim-committed': 2,
  'claim-read': 2,
  'release-sent': 1,
  released: 1,
};
const SIDE_BY_SIDE = 3;
const alive = (fleet: Fleet): Replica[] => fleet.replicas.filter((replica) => replica.alive);
const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
const between = (least: number, most: number): number => least + Math.random() * (most - least);

describe('a replica that is killed', () => {
  const rounds = STEPS.flatMap((_, index) =>
    index % SIDE_BY_SIDE === 0 ? [STEPS.slice(index, index + SIDE_BY_SIDE)] : [],
  );
  it.each(rounds.map((steps) => [steps.join(', '), steps] as const))(
    'at the step %s loses and doubles nothing',
    async (_, steps) => {
      await Promise.all(steps.map(killAt));
    },
    60_000,
  );

  async function killAt(step: ProtocolStep): Promise<void> {
    const fleet = await createFleet({ bootstrap: await kafkaBootstrap(), shards: 2, jobs: 6, streams: 2, seconds: 8 });
    const delay = step.endsWith('asked') ? between(0, 3) : 0;
    const doomed = fleet.start({ fault: { step, nth: NTH[step] ?? 3, signal: 'SIGKILL', delay } });
    if (step.startsWith('release')) {
      await sleep(Math.max(0, fleet.from * 1000 + 2000 - Date.now()));
      doomed.kill('SIGTERM');
    }
    // Alone until then, so that it surely comes to that step.
    await Promise.race([doomed.faulted, sleep(15_000)]);
    expect(doomed.events.some(({ event }) => event === 'fault')).toBe(true);
    fleet.start();
    fleet.start();
    await fleet.finish();
    expect({ step, ...(await fleet.count()) }).toMatchObject({ step, ...NOTHING_LOST });
  }

  it('again and again, every 2 to 5 s, loses and doubles nothing', async () => {
    const duration = seconds(300);
    const fleet = await createFleet({
      bootstrap: await kafkaBootstrap(),
      shards: 8,
      jobs: 40,
      streams: 4,
      seconds: duration,
    });
    for (let n = 0; n < 3; n++) fleet.start();
    await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
    while (Date.now() < fleet.until * 1000 - 5000) {
      await sleep(between(2000, 5000));
      pick(alive(fleet))?.kill('SIGKILL');
      await sleep(500);
      fleet.start();
    }
    await fleet.finish(20_000);
    console.log(`kill storm, ${duration} s, ${fleet.replicas.length} replicas: ${describeLateness(fleet)}`);
    expect(await fleet.count()).toMatchObject(NOTHING_LOST);
  }, 500_000);

  it('alone is followed by another within 5 s', async () => {
    const fleet = await createFleet({
      bootstrap: await kafkaBootstrap(),
      shards: 8,
      jobs: 40,
      streams: 0,
      seconds: seconds(60),
    });
    for (let n = 0; n < 3; n++) fleet.start();
    const kills: { at: number; replica: string }[] = [];
    await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
    while (Date.now() < fleet.until * 1000 - 12_000) {
      const doomed = pick(alive(fleet));
      if (!doomed) break;
      doomed.kill('SIGKILL');
      kills.push({ at: Date.now(), replica: doomed.name });
      fleet.start();
      await sleep(10_000);
    }
    await fleet.finish();
    const times = failovers(fleet, kills);
    console.log(`single kills: failover of ${times.length} shards, ms: ${times.map(Math.round).join(' ')}`);
    expect(await fleet.count()).toMatchObject(NOTHING_LOST);
    expect(times.length).toBeGreaterThan(0);
  }, 180_000);
});

describe('a replica that is frozen', () => {
  it.each(['begun', 'rows-sent', 'stream-rows-sent'] as const)(
    'at the step %s, for longer than its lease, commits nothing when it wakes',
    async (step) => {
      const frozenFor = seconds(60);
      const fleet = await createFleet({
        bootstrap: await kafkaBootstrap(),
        shards: 2,
        jobs: 10,
        streams: 2,
        seconds: frozenFor + 8,
      });
      const zombie = fleet.start({ fault: { step, nth: 6, signal: 'SIGSTOP', delay: 0 } });
      await zombie.faulted;
      fleet.start();
      await sleep(frozenFor * 1000);
      zombie.kill('SIGCONT');
      await fleet.finish();
      expect(await fleet.count()).toMatchObject(NOTHING_LOST);
    },
    180_000,
  );
});

describe('the count', () => {
  it('sees the double that a kill makes where there is no transaction (control)', async () => {
    const fleet = await createFleet({ bootstrap: await kafkaBootstrap(), shards: 2, jobs: 6, streams: 0, seconds: 8 });
    const doomed = fleet.start({ unfenced: true, fault: { step: 'rows-sent', nth: 3, signal: 'SIGKILL', delay: 0 } });
    await doomed.faulted;
    fleet.start({ unfenced: true });
    await fleet.finish();
    const { doubled, missing } = await fleet.count();
    expect(missing).toEqual([]);
    expect(doubled.length).toBeGreaterThan(0);
  }, 60_000);
});

describe('replicas that come and go', () => {
  it('each second lose and double nothing', async () => {
    const duration = seconds(180);
    const fleet = await createFleet({
      bootstrap: await kafkaBootstrap(),
      shards: 8,
      jobs: 30,
      streams: 3,
      seconds: duration,
    });
    for (let n = 0; n < 2; n++) fleet.start();
    await sleep(Math.max(0, fleet.from * 1000 + 2000 - Date.now()));
    while (Date.now() < fleet.until * 1000 - 5000) {
      await sleep(1000);
      const here = alive(fleet);
      if (here.length < 3 || (here.length < 6 && Math.random() < 0.5)) fleet.start();
      else pick(here.slice(1))?.kill(Math.random() < 0.2 ? 'SIGKILL' : 'SIGTERM');
    }
    await fleet.finish(20_000);
    console.log(`joining and leaving, ${duration} s, ${fleet.replicas.length} replicas: ${describeLateness(fleet)}`);
    expect(await fleet.count()).toMatchObject(NOTHING_LOST);
  }, 400_000);

  it('one after the other, as in a rolling restart, are hardly late', async () => {
    const fleet = await createFleet({
      bootstrap: await kafkaBootstrap(),
      shards: 8,
      jobs: 40,
      streams: 0,
      seconds: seconds(45),
    });
    let running = [0, 1, 2].map(() => fleet.start());
    await sleep(Math.max(0, fleet.from * 1000 + 3000 - Date.now()));
    while (Date.now() < fleet.until * 1000 - 8000) {
      const [oldest, ...others] = running;
      oldest?.kill('SIGTERM');
      await oldest?.ended;
      running = [...others, fleet.start()];
      await sleep(4000);
    }
    await fleet.finish();
    console.log(`rolling restart: ${describeLateness(fleet)}`);
    expect(await fleet.count()).toMatchObject(NOTHING_LOST);
  }, 180_000);

  it('with clocks an hour apart lose and double nothing', async () => {
    const fleet = await createFleet({
      bootstrap: await kafkaBootstrap(),
      shards: 4,
      jobs: 20,
      streams: 2,
      seconds: seconds(20),
    });
    const doomed = fleet.start({ heartbeatClock: 3_600_000 });
    fleet.start({ heartbeatClock: -3_600_000 });
    fleet.start();
    await sleep(Math.max(0, fleet.from * 1000 + 6000 - Date.now()));
    doomed.kill('SIGKILL');
    await fleet.finish();
    expect(await fleet.count()).toMatchObject(NOTHING_LOST);
  }, 120_000);
});
