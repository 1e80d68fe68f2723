// Vectors from another implementation: croner 11, whose option `no-wildcard` brings it close to Vixie cron as well.
import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ticks } from '../../src/schedule/ticks.ts';
import { placesAndTimes, schedule, schedules, ZONES } from './arbitrary.ts';

const YEARS = 20 * 366 * 86_400_000;

function ours(text: string, zone: string, after: number, count: number): string[] {
  return ticks(schedule(text), zone, after, after + YEARS, count).map((slot) => new Date(slot).toISOString());
}

function croners(
  text: string,
  zone: string,
  after: number,
  count: number,
  fixedTimeRule: 'single-value' | 'no-wildcard',
): string[] {
  const cron = new Cron(text, { timezone: zone, paused: true, fixedTimeRule });
  return cron.nextRuns(count, new Date(after)).map((date) => date.toISOString());
}

describe('slots agree with croner', () => {
  // Where a `*` stands behind a comma, Vixie's cron and ours call the job fixed, croner does not: see the differences below.
  const comparable = schedules.filter((text) =>
    text
      .split(' ')
      .slice(0, 3)
      .every((field) => !field.slice(1).includes('*')),
  );
  const agreeing = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Havana'];

  test('for random schedules, around changes of offset and anywhere in three years', () => {
    fc.assert(
      fc.property(
        comparable,
        placesAndTimes.filter(({ zone }) => agreeing.includes(zone)),
        (text, { zone, at }) => {
          const after = Math.floor(at / 1000) * 1000;
          expect(ours(text, zone, after, 4)).toEqual(croners(text, zone, after, 4, 'no-wildcard'));
        },
      ),
      { numRuns: 1500 },
    );
  }, 60_000);

  test.each(ZONES)('in %s for schedules people write, over three years', (zone) => {
    for (const text of [
      '30 2 * * *',
      '0 3 * * 1-5',
      '15 1,2,3 * * *',
      '0 */6 * * *',
      '0 0 1 * *',
      '@weekly',
      '0 12 29 2 *',
      '0 9 * * 1',
    ]) {
      const after = Date.UTC(2026, 0, 1) - 1000;
      const count = ticks(schedule(text), zone, after, Date.UTC(2029, 0, 1)).length;
      expect(ours(text, zone, after, count + 1)).toEqual(croners(text, zone, after, count + 1, 'no-wildcard'));
    }
  });
});

describe('slots differ from croner on purpose', () => {
  const cases: {
    why: string;
    text: string;
    zone: string;
    after: string;
    rule: 'single-value' | 'no-wildcard';
    ours: string[];
    croner: string[];
  }[] = [
    {
      why: 'a list of times is a fixed job, not only a single time: the gap loses none of it',
      text: '0,30 2 * * *',
      zone: 'Europe/Berlin',
      after: '2027-03-27T12:00:00Z',
      rule: 'single-value',
      ours: ['2027-03-28T01:00:00.000Z', '2027-03-29T00:00:00.000Z'],
      croner: ['2027-03-29T00:00:00.000Z', '2027-03-29T00:30:00.000Z'],
    },
    {
      why: 'a range of hours is a fixed job: the repeated hour runs once',
      text: '0 0-23 * * *',
      zone: 'Europe/Berlin',
      after: '2027-10-30T23:00:00Z',
      rule: 'single-value',
      ours: ['2027-10-31T00:00:00.000Z', '2027-10-31T02:00:00.000Z'],
      croner: ['2027-10-31T00:00:00.000Z', '2027-10-31T01:00:00.000Z'],
    },
    {
      why: 'a range with a step is a fixed job, as it does not start with a star',
      text: '0-30/30 2 * * *',
      zone: 'Europe/Berlin',
      after: '2027-03-27T12:00:00Z',
      rule: 'no-wildcard',
      ours: ['2027-03-28T01:00:00.000Z', '2027-03-29T00:00:00.000Z'],
      croner: ['2027-03-29T00:00:00.000Z', '2027-03-29T00:30:00.000Z'],
    },
    {
      why: 'a star that is not the first character makes no wildcard job',
      text: '5,*/30 2 * * *',
      zone: 'Europe/Berlin',
      after: '2027-03-27T12:00:00Z',
      rule: 'no-wildcard',
      ours: ['2027-03-28T01:00:00.000Z', '2027-03-29T00:00:00.000Z'],
      croner: ['2027-03-29T00:00:00.000Z', '2027-03-29T00:05:00.000Z'],
    },
    {
      why: 'a whole day that is skipped is a gap like any other',
      text: '0 12 * * *',
      zone: 'Pacific/Apia',
      after: '2011-12-29T23:00:00Z',
      rule: 'no-wildcard',
      ours: ['2011-12-30T10:00:00.000Z', '2011-12-30T22:00:00.000Z'],
      croner: ['2011-12-30T22:00:00.000Z', '2011-12-31T22:00:00.000Z'],
    },
  ];
  test.each(cases)('$why: $text', ({ text, zone, after, rule, ours: expected, croner }) => {
    expect(ours(text, zone, Date.parse(after), 2)).toEqual(expected);
    expect(croners(text, zone, Date.parse(after), 2, rule)).toEqual(croner);
  });

  test.each(['0 0 L * *', '0 0 15W * *', '0 0 * * 5#2', '0 0 ? * 1', '0 0 1 * 1', '0 0 31 2 *'])(
    '%s is refused by us and taken by croner',
    (text) => {
      expect(() => schedule(text)).toThrow();
      expect(() => new Cron(text, { paused: true })).not.toThrow();
    },
  );
});
