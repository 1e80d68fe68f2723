import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countTicks, nextTick, previousTick, ticks } from '../../src/schedule/ticks.ts';
import { CHANGES, FIRST, LAST, minuteSchedules, placesAndTimes, schedule, schedules, ZONES } from './arbitrary.ts';
import { readings, slotsByWalking } from './oracle.ts';

const DAY = 86_400_000;

describe('ticks against a walk through Intl', () => {
  test.each(CHANGES)('around the change in %s the slots are those of a clock that is watched', (zone, at) => {
    const clock = readings(zone, at - 3 * DAY, at + 2 * DAY);
    const from = clock[1440]?.instant ?? 0;
    const last = clock.at(-1)?.instant ?? 0;
    fc.assert(
      fc.property(minuteSchedules, (text) => {
        expect(ticks(schedule(text), zone, from - 1, last)).toEqual(slotsByWalking(text, clock));
      }),
      { numRuns: 40 },
    );
  });

  test.each(['Europe/Berlin', 'Australia/Lord_Howe'])(
    'in %s they are the same through a whole year',
    (zone) => {
      const clock = readings(zone, Date.UTC(2026, 11, 30), Date.UTC(2028, 0, 3));
      const from = (clock[1440]?.instant ?? 0) - 1;
      const last = clock.at(-1)?.instant ?? 0;
      for (const text of ['0 30 2 * * *', '0 */7 1-3 * * *', '0 15 1,2,3 * * 1-5', '0 0 * 1,15 * *']) {
        expect(ticks(schedule(text), zone, from, last)).toEqual(slotsByWalking(text, clock));
      }
    },
    60_000,
  );
});

describe('a range of slots', () => {
  test.each(ZONES)(
    'in %s it does not depend on where it is cut, over three years',
    (zone) => {
      fc.assert(
        fc.property(
          schedules.filter((text) => countTicks(schedule(text), zone, FIRST, LAST) < 40_000),
          fc.array(fc.integer({ min: FIRST, max: LAST }), { maxLength: 12 }),
          (text, cuts) => {
            const parsed = schedule(text);
            const whole = ticks(parsed, zone, FIRST, LAST);
            const ends = [FIRST, ...cuts.sort((a, b) => a - b), LAST];
            const pieces = ends.slice(1).flatMap((end, i) => ticks(parsed, zone, ends[i] ?? FIRST, end));
            expect(pieces).toEqual(whole);
          },
        ),
        { numRuns: 60 },
      );
    },
    60_000,
  );

  test('it does not depend on cuts at, just before or just after a slot or a change of offset', () => {
    fc.assert(
      fc.property(
        schedules,
        fc.constantFrom(...CHANGES),
        fc.array(fc.tuple(fc.nat(40), fc.constantFrom(-1000, -1, 0, 1, 1000))),
        (text, [zone, at], cuts) => {
          const parsed = schedule(text);
          const from = at - 6 * 3_600_000;
          const until = at + 6 * 3_600_000;
          const whole = ticks(parsed, zone, from, until, 2000);
          const end = whole.length === 2000 ? (whole.at(-1) ?? until) : until;
          const places = [at, ...cuts.map(([i]) => whole[i % Math.max(whole.length, 1)] ?? at)];
          const inner = cuts.map(([, shift], i) => (places[i] ?? at) + shift).filter((cut) => cut > from && cut < end);
          const ends = [from, ...inner.sort((a, b) => a - b), end];
          expect(ends.slice(1).flatMap((until, i) => ticks(parsed, zone, ends[i] ?? from, until))).toEqual(whole);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('it is ascending, on whole seconds and inside its bounds', () => {
    fc.assert(
      fc.property(schedules, placesAndTimes, fc.integer({ min: 0, max: 3 * DAY }), (text, { zone, at }, length) => {
        const slots = ticks(schedule(text), zone, at, at + length, 500);
        for (const [i, slot] of slots.entries()) {
          expect(slot % 1000).toBe(0);
          expect(slot).toBeGreaterThan(slots[i - 1] ?? at);
          expect(slot).toBeLessThanOrEqual(at + length);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('next and previous slot agree with it', () => {
    fc.assert(
      fc.property(schedules, placesAndTimes, (text, { zone, at }) => {
        const parsed = schedule(text);
        const next = nextTick(parsed, zone, at);
        const previous = previousTick(parsed, zone, at);
        expect(previous).toBeLessThanOrEqual(at);
        expect(next).toBeGreaterThan(at);
        expect(nextTick(parsed, zone, previous)).toBe(next);
        expect(previousTick(parsed, zone, next)).toBe(next);
        expect(previousTick(parsed, zone, next - 1)).toBe(previous);
        expect(ticks(parsed, zone, previous - 1, next)).toEqual([previous, next]);
      }),
      { numRuns: 2000 },
    );
  });

  test('counting it gives its length', () => {
    fc.assert(
      fc.property(schedules, placesAndTimes, fc.integer({ min: 0, max: 3 * DAY }), (text, { zone, at }, length) => {
        const parsed = schedule(text);
        const counted = countTicks(parsed, zone, at, at + length);
        if (counted > 20_000) return;
        expect(counted).toBe(ticks(parsed, zone, at, at + length).length);
      }),
      { numRuns: 500 },
    );
  });
});
