// A year of slots in four zones, each in one record, next to croner: one year without a fault, and one of a machine that is off
// now and then, for minutes or days, under each catch-up policy.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ScheduledJob } from '../../src/daemon/scheduled.ts';
import type { PublishJob } from '../../src/model/project.ts';
import type { Slot } from '../../src/model/units.ts';
import { accountFor, cronersSlots } from './account.ts';
import { createWorld } from './replicas.ts';
import { prepared, timetable } from './scripted.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Between wake-ups: every slot falls on one, so that it is on time. */
const STEP = 5 * MINUTE;
const DAY = 24 * HOUR;
const FROM = '2027-01-01T00:00:00Z';
const START = Date.parse(FROM);
const YEAR = 365 * DAY;
const ON_TIME = 10_000;

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
/** Each zone's changes of offset fall between 1:30 and 3:00. */
const SCHEDULES = ['5 */4 * * *', '*/30 1,2 * * *', '30 2 * * *', '45 9 * * 1-5', '0 0 1 * *'];
const POLICIES: readonly Pick<PublishJob, 'catchup' | 'catchupWindow'>[] = [
  { catchup: 'none', catchupWindow: HOUR },
  { catchup: 'latest', catchupWindow: 6 * HOUR },
  { catchup: 'all', catchupWindow: 12 * HOUR },
];

beforeAll(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterAll(() => void vi.useRealTimers());

const nameOf = (schedule: number, policy: number): string => `schedule-${schedule}-policy-${policy}`;

function jobsIn(zone: string): ScheduledJob[] {
  return SCHEDULES.flatMap((schedule, at) =>
    POLICIES.map((policy, by) => ({
      ...prepared(schedule, { name: nameOf(at, by), ...policy }),
      timetable: timetable(schedule, zone),
    })),
  );
}

/** A sequence that looks random and is the same each time (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What the contract says of a slot that came due while the machine was off; `due`: all that did, `back`: the first wake-up. */
function afterOutage(slot: Slot, due: readonly Slot[], back: number, policy: (typeof POLICIES)[number]): string {
  const isLatest = slot === due.at(-1);
  const onTime = isLatest && back - slot <= ON_TIME;
  const inWindow = slot >= back - policy.catchupWindow;
  const caughtUp = inWindow && (policy.catchup === 'all' || (policy.catchup === 'latest' && isLatest));
  return onTime || caughtUp ? 'published' : 'missed';
}

describe.each(ZONES)('a year in %s', (zone) => {
  const slots = SCHEDULES.map((schedule) => cronersSlots(schedule, zone, START - 32 * DAY, START + YEAR + 20 * DAY));
  // At the first wake-up the jobs are registered.
  const due = slots.map((all) => all.filter((slot) => slot > START + STEP && slot <= START + YEAR));

  test('ends each slot in one record, published', async () => {
    const world = createWorld(FROM);
    world.join('a', jobsIn(zone));
    await world.pass(YEAR, STEP);
    for (const [at, all] of slots.entries()) {
      expect(due[at]?.length).toBeGreaterThan(10);
      for (const by of POLICIES.keys()) {
        const { outcomes, wrong } = accountFor(world.records(nameOf(at, by)), all);
        expect(wrong).toEqual([]);
        expect([...outcomes.keys()]).toEqual(due[at]);
        expect(new Set(outcomes.values())).toEqual(new Set(['published']));
      }
    }
  });

  test('with outages ends each slot in one record, caught up or missed as its job says', async () => {
    const world = createWorld(FROM);
    const machine = world.join('a', jobsIn(zone));
    const random = sequence(zone.length);
    const outages: { readonly from: number; readonly back: number }[] = [];
    while (world.now < START + YEAR) {
      await world.pass(Math.ceil(random() * 12 * (DAY / STEP)) * STEP, STEP);
      const from = world.now;
      machine.awake = false;
      // Often short, at times days.
      await world.pass(Math.ceil(3 * (DAY / STEP) * random() ** 4) * STEP, STEP);
      machine.awake = true;
      await world.pass(STEP, STEP);
      outages.push({ from, back: world.now });
    }
    await world.pass(HOUR, STEP);
    expect(outages.length).toBeGreaterThan(30);
    const missing: string[] = [];
    for (const [at, all] of slots.entries()) {
      for (const [by, policy] of POLICIES.entries()) {
        const { outcomes, wrong } = accountFor(world.records(nameOf(at, by)), all);
        const expected = new Map(due[at]?.map((slot) => [slot, 'published']));
        for (const { from, back } of outages) {
          const missed = all.filter((slot) => slot > from && slot <= back);
          for (const slot of missed)
            if (expected.has(slot)) expected.set(slot, afterOutage(slot, missed, back, policy));
        }
        expect(wrong).toEqual([]);
        expect([...outcomes].filter(([slot]) => slot <= START + YEAR)).toEqual([...expected]);
        missing.push(...[...expected.values()].filter((outcome) => outcome === 'missed'));
      }
    }
    expect(missing.length).toBeGreaterThan(500);
  });
});
