// Clocks that jump, machines that sleep, replicas that do not agree on the time, and jobs that change while nobody runs them:
// every slot ends in one record, no slot is published twice, and nothing is missed but what catch-up says.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Account, accountFor, cronersSlots, sums } from './account.ts';
import { createWorld, type World } from './replicas.ts';
import { prepared } from './scripted.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = '2027-03-01T12:00:00Z';
const EVERY_10_S = '*/10 * * * * *';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** One for each way to catch up; `all` queues what comes due during a run, as interval jobs do. */
function jobs() {
  return (['none', 'latest', 'all'] as const).map((catchup) =>
    prepared(EVERY_10_S, {
      name: catchup,
      catchup,
      catchupWindow: HOUR,
      overlap: catchup === 'all' ? 'queue' : 'skip',
    }),
  );
}

/** What became of the slots of each ten seconds around this world's noon. */
function account(world: World, job: string): Account {
  const noon = Date.parse(NOON);
  const found = accountFor(world.records(job), tenSeconds(noon - HOUR, noon + 3 * DAY));
  expect(found.wrong).toEqual([]);
  return found;
}

/** Plain arithmetic: croner would take seconds for so many. */
function tenSeconds(from: number, until: number): number[] {
  const first = Math.ceil(from / (10 * SECOND)) * 10 * SECOND;
  return Array.from({ length: Math.floor((until - first) / (10 * SECOND)) + 1 }, (_, n) => first + n * 10 * SECOND);
}

const publishedSlots = (world: World, job: string): string[] =>
  world
    .records(job)
    .filter(({ outcome }) => outcome === 'published')
    .map(({ slot }) => slot);

test('the ten seconds that this file counts by are those of croner', () => {
  const noon = Date.parse(NOON);
  expect(tenSeconds(noon, noon + MINUTE)).toEqual(cronersSlots(EVERY_10_S, 'UTC', noon - 1, noon + MINUTE));
});

describe('a clock that jumps 24 h', () => {
  test('forward is downtime: its slots are missed or caught up as each job says, in order', async () => {
    const world = createWorld(NOON);
    const replica = world.join('a', jobs());
    await world.pass(MINUTE);
    // To a moment between two slots: the last one is on time.
    replica.skew = DAY + 3 * SECOND;
    await world.pass(MINUTE);
    const perDay = DAY / (10 * SECOND);
    const perHour = HOUR / (10 * SECOND);
    expect(sums(account(world, 'none'))).toEqual({ published: 6 + 1 + 6, missed: perDay - 1 });
    expect(sums(account(world, 'latest'))).toEqual({ published: 6 + 1 + 6, missed: perDay - 1 });
    expect(sums(account(world, 'all'))).toEqual({ published: 6 + perHour + 6, missed: perDay - perHour });
    const order = publishedSlots(world, 'all');
    expect(order).toEqual(order.toSorted());
  });

  test('back runs nothing twice: nothing is due until the clock has passed the last slot again', async () => {
    const world = createWorld(NOON);
    const replica = world.join('a', jobs());
    await world.pass(5 * MINUTE);
    const before = world.history.length;
    replica.skew = -DAY;
    await world.pass(DAY - MINUTE, 7 * SECOND);
    expect(world.history.length).toBe(before);
    await world.pass(6 * MINUTE);
    for (const job of ['none', 'latest', 'all']) {
      const slots = publishedSlots(world, job);
      expect(new Set(slots).size).toBe(slots.length);
      const all = account(world, job);
      expect(new Set(all.outcomes.values())).toEqual(new Set(['published']));
      expect(Math.max(...all.outcomes.keys())).toBe(Date.parse(NOON) + 10 * MINUTE);
    }
  });

  test.each([
    ['to a replica that runs nothing', 'idle'],
    ['while Kafka is away', 'cut off'],
  ] as const)('forward and is then set right, %s, delays none of its later slots', async (_, how) => {
    const world = createWorld(NOON);
    const other = world.join('other', jobs());
    const replica = world.join('a', jobs());
    if (how === 'cut off') world.handOver(replica);
    await world.pass(MINUTE);
    if (how === 'cut off') replica.reachesKafka = false;
    replica.skew = DAY;
    await world.pass(5 * SECOND);
    replica.skew = 0;
    await world.pass(5 * SECOND);
    replica.reachesKafka = true;
    replica.dispatcher.evaluateAll();
    if (how === 'idle') world.handOver(replica, 'by force');
    other.awake = false;
    await world.pass(MINUTE);
    for (const job of ['none', 'latest', 'all']) {
      expect(sums(account(world, job))).toEqual({ published: 13 });
    }
  });
});

describe('a machine that sleeps', () => {
  test('for 8 h catches up as each job says when it wakes, and goes on', async () => {
    const world = createWorld(NOON);
    const laptop = world.join('a', jobs());
    await world.pass(MINUTE);
    laptop.awake = false;
    await world.pass(8 * HOUR + 5 * SECOND, HOUR);
    laptop.awake = true;
    await world.pass(MINUTE);
    const slept = (8 * HOUR) / (10 * SECOND);
    const anHour = HOUR / (10 * SECOND);
    // The last slot of the night is 6 s old when it wakes.
    expect(sums(account(world, 'none'))).toEqual({ published: 6 + 1 + 6, missed: slept - 1 });
    expect(sums(account(world, 'latest'))).toEqual({ published: 6 + 1 + 6, missed: slept - 1 });
    expect(sums(account(world, 'all'))).toEqual({ published: 6 + anHour + 6, missed: slept - anHour });
  });

  test('in the middle of a query commits its rows once, and the slots it slept through are skipped by one record', async () => {
    const world = createWorld(NOON, 4 * SECOND);
    const laptop = world.join('a', jobs());
    await world.pass(12 * SECOND);
    laptop.awake = false;
    // The query's answer comes when the machine is awake again.
    await world.pass(8 * HOUR, 8 * HOUR);
    laptop.awake = true;
    await world.pass(MINUTE);
    for (const job of ['none', 'latest', 'all']) {
      const slots = publishedSlots(world, job);
      expect(new Set(slots).size).toBe(slots.length);
      expect(slots[0]).toBe('2027-03-01T12:00:10Z');
      account(world, job);
      const skipped = world.records(job).filter(({ outcome }) => outcome === 'skipped');
      expect(skipped).toMatchObject([{ reason: job === 'all' ? 'missed' : 'overlap' }]);
    }
  });
});

describe('two replicas whose clocks differ by 90 s', () => {
  const SKEW = 90 * SECOND;
  const MINUTES = 30;

  /** The shard goes to and fro every `each`; queries take 3 s, so that runs are under way when it does. */
  async function toAndFro(how: 'in good order' | 'by force', each: number): Promise<World> {
    const world = createWorld(NOON, 3 * SECOND);
    const replicas = [world.join('right', jobs()), world.join('ahead', jobs(), SKEW)];
    for (let turn = 1; world.now < Date.parse(NOON) + MINUTES * MINUTE; turn++) {
      await world.pass(each);
      const to = replicas[turn % 2];
      if (to) world.handOver(to, how);
    }
    return world;
  }

  test.each([
    ['in good order', 100],
    ['in good order', 37],
    ['by force', 100],
    ['by force', 37],
  ] as const)('hand a shard over %s every %d s: none doubled, none missing but by catch-up', async (how, each) => {
    const world = await toAndFro(how, each * SECOND);
    const turns = Math.floor((MINUTES * MINUTE) / (each * SECOND));
    for (const job of ['none', 'latest', 'all']) {
      const { outcomes, wrong } = accountFor(
        world.records(job),
        tenSeconds(Date.parse(NOON) - HOUR, Date.parse(NOON) + DAY),
      );
      expect(wrong).toEqual([]);
      const slots = publishedSlots(world, job);
      expect(new Set(slots).size).toBe(slots.length);
      // Both ran some: it did go to and fro.
      expect(new Set(world.history.map(({ by }) => by))).toEqual(new Set(['right', 'ahead']));
      const missed = [...outcomes.values()].filter((outcome) => outcome !== 'published').length;
      // Only who is ahead finds slots that nobody ran: at most 90 s of them each time it takes over, and the one under way.
      if (job === 'all') expect(missed).toBe(0);
      else expect(missed).toBeLessThanOrEqual((Math.ceil(turns / 2) + 1) * (SKEW / (10 * SECOND) + 1));
    }
  });
});

describe('a job that changed while nobody ran it', () => {
  test('in its schedule is registered anew, with no slot of the old one after that and none doubled', async () => {
    const world = createWorld(NOON);
    const before = world.join('before', [prepared(EVERY_10_S, { catchup: 'all' })]);
    await world.pass(MINUTE);
    before.awake = false;
    await world.pass(2 * HOUR, HOUR);
    const after = world.join('after', [prepared('*/15 * * * * *', { catchup: 'all' })]);
    world.handOver(after, 'by force');
    await world.pass(MINUTE);
    const told = world.records('j').map(({ outcome, slot }) => `${outcome} ${slot.slice(11, 19)}`);
    expect(told.slice(0, 3)).toEqual(['registered 12:00:00', 'published 12:00:10', 'published 12:00:20']);
    expect(told.slice(7)).toEqual([
      'registered 14:01:00',
      'published 14:01:15',
      'published 14:01:30',
      'published 14:01:45',
      'published 14:02:00',
    ]);
  });

  test('in its schedule and with a longer delay publishes no slot again that the old schedule had published', async () => {
    const world = createWorld(NOON);
    world.join('before', [prepared(EVERY_10_S)]).awake = true;
    await world.pass(MINUTE);
    const after = world.join('after', [prepared('*/5 * * * * *', { delay: MINUTE, catchup: 'all' })]);
    world.handOver(after, 'by force');
    await world.pass(3 * MINUTE);
    const slots = publishedSlots(world, 'j');
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots.at(-1)).toBe('2027-03-01T12:03:00Z');
  });

  test('in its schedule while the clock was set back publishes no slot again', async () => {
    const world = createWorld(NOON);
    world.join('before', [prepared(EVERY_10_S)]);
    await world.pass(5 * MINUTE);
    const after = world.join('after', [prepared('*/5 * * * * *', { catchup: 'all' })], -3 * MINUTE);
    world.handOver(after, 'by force');
    await world.pass(5 * MINUTE);
    const slots = publishedSlots(world, 'j');
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots.at(-1)).toBe('2027-03-01T12:07:00Z');
  });

  test('in its name is registered anew; named as before within a day it goes on where it was', async () => {
    const world = createWorld(NOON);
    const old = [prepared(EVERY_10_S, { name: 'old', catchup: 'all', catchupWindow: DAY })];
    const replica = world.join('a', old);
    await world.pass(MINUTE);
    replica.dispatcher.update([prepared(EVERY_10_S, { name: 'new', catchup: 'all' })]);
    await world.pass(MINUTE);
    expect(world.records('new')[0]).toMatchObject({ outcome: 'registered', slot: '2027-03-01T12:01:00Z' });
    expect(sums(account(world, 'new'))).toEqual({ published: 6 });
    expect(sums(account(world, 'old'))).toEqual({ published: 6 });
    replica.dispatcher.update(old);
    await world.pass(MINUTE);
    expect(sums(account(world, 'old'))).toEqual({ published: 18 });
    expect(sums(account(world, 'new'))).toEqual({ published: 6 });
  });

  test('and that is removed in the middle of a run records that run and starts no other', async () => {
    const world = createWorld(NOON, 3 * SECOND);
    const replica = world.join('a', jobs());
    await world.pass(11 * SECOND);
    replica.dispatcher.update([]);
    await world.pass(MINUTE);
    for (const job of ['none', 'latest', 'all']) {
      expect(world.records(job).map(({ outcome }) => outcome)).toEqual(['registered', 'published']);
    }
  });
});
