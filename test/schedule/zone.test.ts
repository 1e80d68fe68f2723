import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkTimezone, stretchAt, toLocalIso } from '../../src/schedule/zone.ts';
import { placesAndTimes } from './arbitrary.ts';

describe('a time zone', () => {
  test.each(['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Etc/GMT+2', 'utc'])('%s is known', (name) => {
    expect(checkTimezone(name)).toEqual({ ok: true });
  });

  test.each([
    ['Berlin', /did you mean `Europe\/Berlin`\?/],
    ['America/new york', /did you mean `America\/New_York`\?/],
    ['Europe/Atlantis', /IANA/],
    ['+02:00', /IANA/],
    ['', /IANA/],
  ])('%j is unknown, with a hint', (name, hint) => {
    const checked = checkTimezone(name);
    if (checked.ok) throw new Error('accepted');
    expect(checked.message).toBe(`unknown time zone \`${name}\``);
    expect(checked.hint).toMatch(hint);
  });
});

describe('the offset of a zone', () => {
  test('is the one Intl gives, in any zone at any time', () => {
    const anywhere = fc.record({
      zone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      at: fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2040, 0, 1) }),
    });
    fc.assert(
      fc.property(fc.oneof(anywhere, placesAndTimes), ({ zone, at }) => {
        const stretch = stretchAt(zone, at);
        expect(stretch.start).toBeLessThanOrEqual(at);
        expect(stretch.end).toBeGreaterThan(at);
        const clock = new Intl.DateTimeFormat('sv-SE', {
          timeZone: zone,
          dateStyle: 'short',
          timeStyle: 'medium',
        }).format(at);
        expect(new Date(at + stretch.offset).toISOString().slice(0, 19).replace('T', ' ')).toBe(clock);
      }),
      { numRuns: 1500 },
    );
  }, 60_000);

  test('changes at the very second, and the stretches meet', () => {
    const change = Date.UTC(2027, 2, 28, 1);
    const before = stretchAt('Europe/Berlin', change - 1);
    const after = stretchAt('Europe/Berlin', change);
    expect([before.end, before.offset, after.start, after.offset]).toEqual([change, 3_600_000, change, 7_200_000]);
    expect(after.reached).toBe(change + 3_600_000);
  });

  test('a change at the very start of a UTC year is found', () => {
    // Kiribati's Line Islands went to +14:00 when it was 10:00 on 31 December in UTC; Liberia changed within a year's first days.
    expect(stretchAt('Pacific/Kiritimati', Date.UTC(1994, 11, 31, 10)).offset).toBe(14 * 3_600_000);
    expect(stretchAt('Africa/Monrovia', Date.UTC(1972, 0, 7, 0, 45)).offset).toBe(0);
    expect(stretchAt('Africa/Monrovia', Date.UTC(1972, 0, 7, 0, 44)).offset).toBe(-44.5 * 60_000);
  });
});

describe('local time as RFC 3339', () => {
  test.each([
    ['2027-03-28T01:00:00Z', 'Europe/Berlin', '2027-03-28T03:00:00+02:00'],
    ['2027-03-28T00:59:59Z', 'Europe/Berlin', '2027-03-28T01:59:59+01:00'],
    ['2027-01-01T00:00:00Z', 'UTC', '2027-01-01T00:00:00+00:00'],
    ['2027-01-01T00:00:00.250Z', 'America/New_York', '2026-12-31T19:00:00.250-05:00'],
    ['2027-01-01T00:00:00Z', 'America/St_Johns', '2026-12-31T20:30:00-03:30'],
    ['2027-07-01T00:00:00Z', 'Australia/Lord_Howe', '2027-07-01T10:30:00+10:30'],
  ])('%s in %s is %s', (instant, zone, local) => {
    expect(toLocalIso(Date.parse(instant), zone)).toBe(local);
  });

  test('names the same instant', () => {
    fc.assert(fc.property(placesAndTimes, ({ zone, at }) => Date.parse(toLocalIso(at, zone)) === at));
  });
});
