import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DueRequest, dueSlots, ON_TIME } from '../../src/schedule/due.ts';
import { countTicks, nextTick, previousTick, ticks } from '../../src/schedule/ticks.ts';
import { placesAndTimes, schedule, schedules } from './arbitrary.ts';

const HOUR = 3_600_000;
const NOON = Date.UTC(2027, 4, 5, 12);

/** A job of each ten seconds whose last outcome was at noon, asked `late` ms after noon. */
function tenSeconds(late: number, change: Partial<DueRequest> = {}): string {
  const due = dueSlots({
    schedule: schedule('*/10 * * * * *'),
    timezone: 'UTC',
    lastSlot: NOON,
    now: NOON + late,
    delay: 0,
    catchup: 'latest',
    catchupWindow: HOUR,
    ...change,
  });
  const seconds = (slot: number): string => `${(slot - NOON) / 1000}`;
  const skipped = due.skipped.map((range) => `missed ${seconds(range.since)}..${seconds(range.last)} (${range.count})`);
  const run = due.run.map(({ slot, trigger }) => `${trigger} ${seconds(slot)}`);
  return [...skipped, ...run].join(', ') || 'nothing';
}

describe('slots that are due', () => {
  test('before the next slot nothing is', () => {
    expect(tenSeconds(9999)).toBe('nothing');
    expect(tenSeconds(0)).toBe('nothing');
  });

  test('the slot that has just come is run by the schedule, whatever the policy', () => {
    for (const catchup of ['none', 'latest', 'all'] as const)
      expect(tenSeconds(10_000, { catchup })).toBe('schedule 10');
  });

  test('a dispatch waits for the delay, and the slot keeps its time', () => {
    expect(tenSeconds(14_999, { delay: 5000 })).toBe('nothing');
    expect(tenSeconds(15_000, { delay: 5000 })).toBe('schedule 10');
  });

  test('a delay longer than the catch-up window does not turn every slot into a missed one', () => {
    for (const catchup of ['none', 'latest', 'all'] as const) {
      expect(tenSeconds(2 * HOUR + 10_000, { catchup, delay: 2 * HOUR, catchupWindow: HOUR })).toBe('schedule 10');
    }
  });

  test('after a stall the older slots are missed by a snapshot job and caught up by an interval job', () => {
    expect(tenSeconds(34_000, { catchup: 'none' })).toBe('missed 10..20 (2), schedule 30');
    expect(tenSeconds(34_000, { catchup: 'latest' })).toBe('missed 10..20 (2), schedule 30');
    expect(tenSeconds(34_000, { catchup: 'all' })).toBe('catchup 10, catchup 20, schedule 30');
  });

  test('beyond the catch-up window only the slot that is on time is run', () => {
    expect(tenSeconds(34_000, { catchup: 'all', catchupWindow: 14_000 })).toBe(
      'missed 10..10 (1), catchup 20, schedule 30',
    );
    expect(tenSeconds(34_000, { catchup: 'all', catchupWindow: 13_999 })).toBe('missed 10..20 (2), schedule 30');
    expect(tenSeconds(34_000, { catchup: 'all', catchupWindow: 0 })).toBe('missed 10..20 (2), schedule 30');
  });

  test('a slot that fell into a failover is still on time', () => {
    expect(tenSeconds(10_000 + ON_TIME - 1, { catchup: 'none' })).toBe('schedule 10');
  });

  test('a clock that was set back gives nothing', () => {
    expect(tenSeconds(-HOUR)).toBe('nothing');
  });

  test('what does not fit into the queue stays due', () => {
    expect(tenSeconds(44_000, { catchup: 'all', limit: 2 })).toBe('catchup 10, catchup 20');
    expect(tenSeconds(44_000, { catchup: 'all', limit: 2, lastSlot: NOON + 20_000 })).toBe('catchup 30, schedule 40');
    expect(tenSeconds(44_000, { catchup: 'all', limit: 0, catchupWindow: 14_000 })).toBe('missed 10..20 (2)');
  });

  test('a month of missed seconds is counted without being listed', () => {
    const due = dueSlots({
      schedule: schedule('* * * * * *'),
      timezone: 'Europe/Berlin',
      lastSlot: NOON,
      now: NOON + 30 * 24 * HOUR,
      delay: 0,
      catchup: 'all',
      catchupWindow: HOUR,
    });
    expect(due.skipped).toEqual([
      { since: NOON + 1000, last: NOON + 30 * 24 * HOUR - HOUR - 1000, count: 30 * 86_400 - 3601, reason: 'missed' },
    ]);
    expect(due.run.length).toBe(1000);
    expect(due.upTo).toBe(due.run.at(-1)?.slot);
  });

  describe('of a nightly job', () => {
    const night = (now: string, change: Partial<DueRequest> = {}): unknown =>
      dueSlots({
        schedule: schedule('30 2 * * *'),
        timezone: 'Europe/Berlin',
        lastSlot: Date.parse('2027-05-04T00:30:00Z'),
        now: Date.parse(now),
        delay: 0,
        catchup: 'latest',
        catchupWindow: HOUR,
        ...change,
      });

    test('the missed night is caught up within the window, under its own slot', () => {
      expect(night('2027-05-05T01:29:00Z')).toMatchObject({
        run: [{ slot: Date.parse('2027-05-05T00:30:00Z'), trigger: 'catchup' }],
        skipped: [],
      });
    });

    test('the missed night is skipped after the window, or at once without catch-up', () => {
      const slot = Date.parse('2027-05-05T00:30:00Z');
      const skipped = { run: [], skipped: [{ since: slot, last: slot, count: 1, reason: 'missed' }], upTo: slot };
      expect(night('2027-05-05T01:30:01Z')).toEqual(skipped);
      expect(night('2027-05-05T00:30:11Z', { catchup: 'none' })).toEqual(skipped);
    });
  });
});

describe('every slot that has come', () => {
  const requests = fc
    .record({
      text: schedules,
      place: placesAndTimes,
      back: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 3 * 24 * HOUR })),
      delay: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * HOUR })),
      catchup: fc.constantFrom('none', 'latest', 'all'),
      catchupWindow: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 30 * HOUR })),
    })
    .map(({ text, place, back, ...rest }) => {
      const parsed = schedule(text);
      const lastSlot = previousTick(parsed, place.zone, place.at - back);
      return { schedule: parsed, timezone: place.zone, lastSlot, now: place.at, ...rest } as const;
    })
    .filter(({ schedule, timezone, lastSlot, now }) => countTicks(schedule, timezone, lastSlot, now) < 5000);

  test('is either run or skipped, once and in order', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { schedule, timezone, lastSlot, now, delay } = request;
        const { run, skipped, upTo } = dueSlots({ ...request, limit: Number.POSITIVE_INFINITY });
        const listed = skipped.flatMap(({ since, last, count }) => {
          const slots = ticks(schedule, timezone, since - 1, last);
          expect([slots[0], slots.at(-1), slots.length]).toEqual([since, last, count]);
          return slots;
        });
        const all = ticks(schedule, timezone, lastSlot, now - delay);
        expect([...listed, ...run.map(({ slot }) => slot)]).toEqual(all);
        expect(upTo).toBe(all.at(-1) ?? lastSlot);
      }),
      { numRuns: 1000 },
    );
  });

  test('has the same fate whether the queue is large or small', () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 50 }), (request, limit) => {
        const whole = dueSlots({ ...request, limit: Number.POSITIVE_INFINITY });
        const run = [];
        const skipped = [];
        let { lastSlot } = request;
        for (;;) {
          const part = dueSlots({ ...request, lastSlot, limit });
          run.push(...part.run);
          skipped.push(...part.skipped);
          if (part.upTo === lastSlot) break;
          lastSlot = part.upTo;
        }
        expect({ run, skipped, upTo: lastSlot }).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test('is caught up or on time by its own lateness, not by when it is asked for', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { schedule, timezone, now, delay, catchup, catchupWindow } = request;
        for (const { slot, trigger } of dueSlots(request).run) {
          const late = now - delay - slot;
          const isLatest = nextTick(schedule, timezone, slot) > now - delay;
          expect(trigger).toBe(isLatest && late <= ON_TIME ? 'schedule' : 'catchup');
          if (trigger === 'catchup') {
            expect(catchup).not.toBe('none');
            expect(late).toBeLessThanOrEqual(catchupWindow);
            if (catchup === 'latest') expect(isLatest).toBe(true);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
