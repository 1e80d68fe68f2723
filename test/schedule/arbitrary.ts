// Random schedules and instants for property tests.
import fc from 'fast-check';
import { parseSchedule, type Schedule } from '../../src/schedule/parse.ts';

/** The zones the contract is tested in; Lord Howe's summer time is half an hour. */
export const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'] as const;
export const FIRST = Date.UTC(2026, 0, 1);
export const LAST = Date.UTC(2029, 0, 1);

/** Parses a schedule that must be right. */
export function schedule(text: string): Schedule {
  const parsed = parseSchedule(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
  return parsed.schedule;
}

function field(min: number, max: number): fc.Arbitrary<string> {
  const value = fc.integer({ min, max });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.integer({ min: 1, max: max - min }).map((n) => `*/${n}`);
  const item = fc.oneof(value.map(String), range, step);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    { weight: 3, arbitrary: value.map(String) },
    { weight: 3, arbitrary: fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(',')) },
  );
}

const days = fc.oneof(
  field(1, 31).map((dayOfMonth) => [dayOfMonth, '*'] as const),
  field(0, 6).map((dayOfWeek) => ['*', dayOfWeek] as const),
);

function texts(second: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(second, field(0, 59), field(0, 23), days, field(1, 12))
    .map(([s, m, h, [dayOfMonth, dayOfWeek], month]) => `${s} ${m} ${h} ${dayOfMonth} ${month} ${dayOfWeek}`)
    .filter((text) => parseSchedule(text).ok);
}

/** Schedules of six fields whose second is 0: at most one slot a minute. */
export const minuteSchedules = texts(fc.constant('0'));
/** Schedules of six fields. */
export const schedules = texts(field(0, 59));

/** Changes of offset of the four zones in 2026–2028, and others that are out of the ordinary, as [zone, instant]. */
export const CHANGES: readonly (readonly [zone: string, at: number])[] = [
  ['Europe/Berlin', Date.UTC(2027, 2, 28, 1)],
  ['Europe/Berlin', Date.UTC(2027, 9, 31, 1)],
  ['Europe/Berlin', Date.UTC(2028, 2, 26, 1)],
  ['America/New_York', Date.UTC(2027, 2, 14, 7)],
  ['America/New_York', Date.UTC(2027, 10, 7, 6)],
  ['Australia/Lord_Howe', Date.UTC(2027, 3, 3, 15)],
  ['Australia/Lord_Howe', Date.UTC(2027, 9, 2, 15, 30)],
  // A day that never was, a change at midnight, one of three hours, and one at a year's start in UTC.
  ['Pacific/Apia', Date.UTC(2011, 11, 30, 10)],
  ['America/Havana', Date.UTC(2024, 2, 10, 5)],
  ['America/Havana', Date.UTC(2024, 10, 3, 5)],
  ['Antarctica/Casey', Date.UTC(2023, 2, 8, 16)],
  ['Asia/Pyongyang', Date.UTC(2018, 4, 4, 15)],
  ['America/Caracas', Date.UTC(2016, 4, 1, 7)],
  ['Pacific/Kiritimati', Date.UTC(1994, 11, 31, 10)],
  ['Asia/Manila', Date.UTC(1990, 6, 28, 15)],
  ['Africa/Casablanca', Date.UTC(2027, 1, 7, 2)],
];

/** Instants around the changes, and anywhere in the three years, with milliseconds. */
export const placesAndTimes: fc.Arbitrary<{ zone: string; at: number }> = fc.oneof(
  fc.record({ zone: fc.constantFrom(...ZONES), at: fc.integer({ min: FIRST, max: LAST }) }),
  fc
    .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -2 * 86_400_000, max: 2 * 86_400_000 }))
    .map(([[zone, at], shift]) => ({ zone, at: at + shift })),
);
