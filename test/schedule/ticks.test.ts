import { describe, expect, test } from 'vitest';
import { countTicks, nextTick, previousTick, ticks, window } from '../../src/schedule/ticks.ts';
import { toLocalIso } from '../../src/schedule/zone.ts';
import { schedule } from './arbitrary.ts';

/** The slots of (from, to] as both clocks show them. */
function slots(text: string, timezone: string, from: string, to: string): string[] {
  const found = ticks(schedule(text), timezone, Date.parse(from), Date.parse(to));
  return found.map((slot) => `${new Date(slot).toISOString().slice(5, 16)} = ${toLocalIso(slot, timezone).slice(5)}`);
}

describe('a change of offset', () => {
  test('a fixed job whose time the gap swallows runs at the first valid instant', () => {
    expect(slots('30 2 * * *', 'Europe/Berlin', '2027-03-27T00:00Z', '2027-03-30T00:00Z')).toEqual([
      '03-27T01:30 = 03-27T02:30:00+01:00',
      '03-28T01:00 = 03-28T03:00:00+02:00',
      '03-29T00:30 = 03-29T02:30:00+02:00',
    ]);
  });

  test('times of a fixed job that coincide after the gap are one slot', () => {
    expect(slots('0,30 2,3 * * *', 'Europe/Berlin', '2027-03-28T00:00Z', '2027-03-28T12:00Z')).toEqual([
      '03-28T01:00 = 03-28T03:00:00+02:00',
      '03-28T01:30 = 03-28T03:30:00+02:00',
    ]);
  });

  test('times that coincide after the gap are counted as one', () => {
    const from = Date.parse('2027-03-28T00:00Z');
    expect(countTicks(schedule('0,30 2,3 * * *'), 'Europe/Berlin', from, from + 43_200_000)).toBe(2);
    expect(countTicks(schedule('30 2,3 * * *'), 'Europe/Berlin', from, from + 43_200_000)).toBe(2);
    expect(countTicks(schedule('30 2 * * *'), 'Europe/Berlin', from, from + 43_200_000)).toBe(1);
  });

  test('a fixed job runs in the first of two repeated hours only', () => {
    expect(slots('30 2 * * *', 'Europe/Berlin', '2027-10-31T00:00Z', '2027-10-31T12:00Z')).toEqual([
      '10-31T00:30 = 10-31T02:30:00+02:00',
    ]);
    expect(slots('0 0-23 * * *', 'Europe/Berlin', '2027-10-30T23:00Z', '2027-10-31T03:00Z')).toEqual([
      '10-31T00:00 = 10-31T02:00:00+02:00',
      '10-31T02:00 = 10-31T03:00:00+01:00',
      '10-31T03:00 = 10-31T04:00:00+01:00',
    ]);
  });

  test('a wildcard job loses what falls into the gap', () => {
    expect(slots('*/30 2 * * *', 'Europe/Berlin', '2027-03-28T00:00Z', '2027-03-28T12:00Z')).toEqual([]);
    expect(slots('0 */2 * * *', 'Europe/Berlin', '2027-03-28T00:00Z', '2027-03-28T05:00Z')).toEqual([
      '03-28T02:00 = 03-28T04:00:00+02:00',
      '03-28T04:00 = 03-28T06:00:00+02:00',
    ]);
  });

  test('a wildcard job runs again in the repeated hour', () => {
    expect(slots('0 * * * *', 'Europe/Berlin', '2027-10-30T23:00Z', '2027-10-31T02:00Z')).toEqual([
      '10-31T00:00 = 10-31T02:00:00+02:00',
      '10-31T01:00 = 10-31T02:00:00+01:00',
      '10-31T02:00 = 10-31T03:00:00+01:00',
    ]);
    expect(slots('*/30 2 * * *', 'Europe/Berlin', '2027-10-31T00:00Z', '2027-10-31T02:00Z')).toEqual([
      '10-31T00:30 = 10-31T02:30:00+02:00',
      '10-31T01:00 = 10-31T02:00:00+01:00',
      '10-31T01:30 = 10-31T02:30:00+01:00',
    ]);
  });

  test('a job of every 10 seconds has as many slots as there are tens of seconds, in every hour', () => {
    const tenSeconds = schedule('*/10 * * * * *');
    for (const day of ['2027-03-28', '2027-10-31', '2027-07-01']) {
      expect(countTicks(tenSeconds, 'Europe/Berlin', Date.parse(day), Date.parse(day) + 86_400_000)).toBe(8640);
    }
  });

  test('half an hour of summer time is half an hour of gap and of repeat', () => {
    // 2027-10-03 02:00+10:30 → 02:30+11:00; 2027-04-04 02:00+11:00 → 01:30+10:30.
    expect(slots('15 2 * * *', 'Australia/Lord_Howe', '2027-10-02T12:00Z', '2027-10-03T12:00Z')).toEqual([
      '10-02T15:30 = 10-03T02:30:00+11:00',
    ]);
    expect(slots('45 1 * * *', 'Australia/Lord_Howe', '2027-04-03T12:00Z', '2027-04-04T12:00Z')).toEqual([
      '04-03T14:45 = 04-04T01:45:00+11:00',
    ]);
    expect(slots('*/15 1 * * *', 'Australia/Lord_Howe', '2027-04-03T14:15Z', '2027-04-04T00:00Z')).toEqual([
      '04-03T14:30 = 04-04T01:30:00+11:00',
      '04-03T14:45 = 04-04T01:45:00+11:00',
      '04-03T15:00 = 04-04T01:30:00+10:30',
      '04-03T15:15 = 04-04T01:45:00+10:30',
    ]);
  });

  test('of a day that never was, each nominal time still runs once, at the first instant after it', () => {
    // Samoa went from 29 to 31 December 2011.
    expect(slots('0 12 * * *', 'Pacific/Apia', '2011-12-29T00:00Z', '2011-12-31T00:00Z')).toEqual([
      '12-29T22:00 = 12-29T12:00:00-10:00',
      '12-30T10:00 = 12-31T00:00:00+14:00',
      '12-30T22:00 = 12-31T12:00:00+14:00',
    ]);
    expect(slots('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00Z', '2012-01-31T00:00Z')).toEqual([
      '12-30T10:00 = 12-31T00:00:00+14:00',
    ]);
    expect(slots('* 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00Z', '2012-01-31T00:00Z')).toEqual([]);
  });

  test('midnight that does not exist or comes twice is still one slot', () => {
    expect(slots('@daily', 'America/Havana', '2024-03-09T12:00Z', '2024-03-10T12:00Z')).toEqual([
      '03-10T05:00 = 03-10T01:00:00-04:00',
    ]);
    expect(slots('@daily', 'America/Havana', '2024-11-02T12:00Z', '2024-11-03T12:00Z')).toEqual([
      '11-03T04:00 = 11-03T00:00:00-04:00',
    ]);
  });
});

describe('the calendar', () => {
  test('29 February is found over the century that has none', () => {
    const leap = schedule('0 0 29 2 *');
    expect(new Date(nextTick(leap, 'UTC', Date.UTC(2096, 1, 29))).toISOString()).toBe('2104-02-29T00:00:00.000Z');
    expect(new Date(previousTick(leap, 'UTC', Date.UTC(2104, 1, 29) - 1)).toISOString()).toBe(
      '2096-02-29T00:00:00.000Z',
    );
  });

  test('months without the day are passed over', () => {
    expect(
      slots('0 0 31 * *', 'UTC', '2027-01-01T00:00Z', '2027-12-31T23:59Z').map((slot) => slot.slice(0, 5)),
    ).toEqual(['01-31', '03-31', '05-31', '07-31', '08-31', '10-31', '12-31']);
  });

  test('the range excludes its start and includes its end', () => {
    const hourly = schedule('@hourly');
    const noon = Date.UTC(2027, 0, 1, 12);
    expect(ticks(hourly, 'UTC', noon, noon)).toEqual([]);
    expect(ticks(hourly, 'UTC', noon - 1, noon)).toEqual([noon]);
    expect(ticks(hourly, 'UTC', noon, noon + 3_600_000)).toEqual([noon + 3_600_000]);
    expect(ticks(hourly, 'UTC', noon + 1, noon)).toEqual([]);
    expect(nextTick(hourly, 'UTC', noon)).toBe(noon + 3_600_000);
    expect(previousTick(hourly, 'UTC', noon)).toBe(noon);
  });

  test('a limit takes the oldest', () => {
    const hourly = schedule('@hourly');
    const all = ticks(hourly, 'UTC', 0, 86_400_000);
    expect(ticks(hourly, 'UTC', 0, 86_400_000, 3)).toEqual(all.slice(0, 3));
    expect(ticks(hourly, 'UTC', 0, 86_400_000, 0)).toEqual([]);
  });

  test('the windows of following slots meet', () => {
    const night = schedule('30 2 * * *');
    const found = ticks(night, 'Europe/Berlin', Date.UTC(2027, 2, 25), Date.UTC(2027, 3, 1));
    for (const [i, slot] of found.entries()) {
      expect(window(night, 'Europe/Berlin', slot).end).toBe(slot);
      if (i > 0) expect(window(night, 'Europe/Berlin', slot).start).toBe(found[i - 1]);
    }
    // The night of the gap is shorter, the next one longer: nothing is left out.
    expect(found.slice(1).map((slot, i) => (slot - (found[i] ?? 0)) / 3_600_000)).toEqual([24, 24, 23.5, 23.5, 24, 24]);
  });
});
