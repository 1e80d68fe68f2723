// A schedule's text → the values of its fields, or why it is refused and where. Pure; when it fires is in ticks.ts.
import { editDistance } from '../model/nearest.ts';
import { FIELD_RULES, type FieldRule, type Flaw, makeFlaw, parseField } from './fields.ts';

/** A parsed schedule: each list ascending and without doubles. A day must be in all three of month, day and weekday. */
export interface Schedule {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  /** 1 = January. */
  readonly months: readonly number[];
  /** 0 = Sunday … 6 = Saturday. */
  readonly daysOfWeek: readonly number[];
  /**
   * Whether its second (absent = 0), minute or hour starts with `*`. Such a job follows the wall clock through a change of
   * offset; any other, a fixed one, runs once for each nominal local time (Debian's cron(8)).
   */
  readonly wildcard: boolean;
}

export type ParsedSchedule = { readonly ok: true; readonly schedule: Schedule } | Flaw;

const ALIASES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const LONGEST_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Parses five cron fields (minute hour day-of-month month day-of-week), six (second in front) or an alias (`@hourly`, …).
 * Refused, with a place and mostly a hint: what Vixie's cron has not (`L W # ?`, `@reboot`), wrapped ranges, steps beyond
 * their range, both day fields restricted at once, and a schedule that never fires. Offsets count from the start of `text`.
 */
export function parseSchedule(text: string): ParsedSchedule {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], start: match.index }));
  const first = words[0];
  const start = first?.start ?? 0;
  const last = words.at(-1);
  const end = last ? last.start + last.text.length : text.length;
  if (!first)
    return makeFlaw(0, text.length, 'the schedule is empty', 'write five fields, as in `*/5 * * * *`, or `@hourly`');
  if (first.text.startsWith('@')) return parseAlias(text.slice(start, end), start);
  if (words.length !== 5 && words.length !== 6) return wrongCount(words.length, start, end);
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = words.length === 6 ? words : [undefined, ...words];
  if (!minute || !hour || !dayOfMonth || !month || !dayOfWeek) return wrongCount(words.length, start, end);

  const read = (rule: FieldRule, word: Word): readonly number[] | Flaw => parseField(rule, word.text, word.start);
  const seconds = second ? read(FIELD_RULES.second, second) : [0];
  if ('ok' in seconds) return seconds;
  const minutes = read(FIELD_RULES.minute, minute);
  if ('ok' in minutes) return minutes;
  const hours = read(FIELD_RULES.hour, hour);
  if ('ok' in hours) return hours;
  const daysOfMonth = read(FIELD_RULES.dayOfMonth, dayOfMonth);
  if ('ok' in daysOfMonth) return daysOfMonth;
  const months = read(FIELD_RULES.month, month);
  if ('ok' in months) return months;
  const daysOfWeek = read(FIELD_RULES.dayOfWeek, dayOfWeek);
  if ('ok' in daysOfWeek) return daysOfWeek;

  // Vixie's cron takes a day that is in either field, others one that is in both: neither is what everyone expects.
  if (dayOfMonth.text !== '*' && dayOfWeek.text !== '*') {
    return makeFlaw(
      dayOfMonth.start,
      dayOfWeek.start + dayOfWeek.text.length,
      `both day-of-month \`${dayOfMonth.text}\` and day-of-week \`${dayOfWeek.text}\` are restricted`,
      'for "or" write two jobs; for "and" keep the day-of-month and test `extract(isodow from :slot)` in the query',
    );
  }
  if (!months.some((m) => daysOfMonth.some((day) => day <= (LONGEST_MONTHS[m - 1] ?? 0)))) {
    return makeFlaw(
      dayOfMonth.start,
      month.start + month.text.length,
      `the schedule never fires: month \`${month.text}\` has no day \`${dayOfMonth.text}\``,
    );
  }
  const wildcard = [second?.text ?? '0', minute.text, hour.text].some((field) => field.startsWith('*'));
  return { ok: true, schedule: { seconds, minutes, hours, daysOfMonth, months, daysOfWeek, wildcard } };
}

interface Word {
  readonly text: string;
  readonly start: number;
}

function parseAlias(text: string, start: number): ParsedSchedule {
  const fields = ALIASES[text];
  if (fields !== undefined) return parseSchedule(fields);
  const end = start + text.length;
  if (/^@reboot\b/i.test(text)) {
    return makeFlaw(
      start,
      end,
      '`@reboot` is not supported: a slot is an instant of the clock',
      'call `pgtally run JOB` from whatever starts the machine',
    );
  }
  if (/^@every\b/i.test(text)) {
    return makeFlaw(start, end, '`@every` is not supported', 'write the fields: every 5 minutes is `*/5 * * * *`');
  }
  const nearest = Object.keys(ALIASES).sort(
    (a, b) => editDistance(a, text.toLowerCase()) - editDistance(b, text.toLowerCase()),
  )[0];
  const near = nearest !== undefined && editDistance(nearest, text.toLowerCase()) <= 2;
  const hint = near ? `did you mean \`${nearest}\`?` : `known are ${Object.keys(ALIASES).join(', ')}`;
  return makeFlaw(start, end, `unknown alias \`${text}\``, hint);
}

function wrongCount(count: number, start: number, end: number): Flaw {
  const hint =
    count === 7
      ? 'years are not supported: leave the last field out'
      : 'they are minute, hour, day-of-month, month, day-of-week, and before them a second if you need one';
  return makeFlaw(start, end, `a schedule has 5 or 6 fields, this one has ${count}`, hint);
}
