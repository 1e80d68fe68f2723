import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSchedule, type Schedule } from '../../src/schedule/parse.ts';

const ALL_DAYS = Array.from({ length: 31 }, (_, i) => i + 1);
const ALL_MONTHS = Array.from({ length: 12 }, (_, i) => i + 1);
const ALL_WEEKDAYS = [0, 1, 2, 3, 4, 5, 6];

function accepted(text: string): Schedule {
  const parsed = parseSchedule(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
  return parsed.schedule;
}

describe('accepted schedules', () => {
  const cases: [text: string, fields: Partial<Schedule>][] = [
    ['30 2 * * *', { seconds: [0], minutes: [30], hours: [2], wildcard: false }],
    ['30 2 * * *', { daysOfMonth: ALL_DAYS, months: ALL_MONTHS, daysOfWeek: ALL_WEEKDAYS }],
    ['*/10 * * * * *', { seconds: [0, 10, 20, 30, 40, 50], wildcard: true }],
    ['0 0 0 * * *', { seconds: [0], minutes: [0], hours: [0], wildcard: false }],
    ['5,3,5 1 * * *', { minutes: [3, 5] }],
    ['10-20/5 1 * * *', { minutes: [10, 15, 20] }],
    ['10-21/5,59 1 * * *', { minutes: [10, 15, 20, 59] }],
    ['0 */6 * * *', { hours: [0, 6, 12, 18], wildcard: true }],
    ['0 0-23 * * *', { hours: Array.from({ length: 24 }, (_, i) => i), wildcard: false }],
    ['*/20,7 1 * * *', { minutes: [0, 7, 20, 40], wildcard: true }],
    ['0 1 * * 7', { daysOfWeek: [0] }],
    ['0 1 * * 5-7', { daysOfWeek: [0, 5, 6] }],
    ['0 1 * * 0-7', { daysOfWeek: ALL_WEEKDAYS }],
    ['0 1 * * 1-7/2', { daysOfWeek: [0, 1, 3, 5] }],
    ['0 1 * * */2', { daysOfWeek: [0, 2, 4, 6] }],
    ['0 1 * * MON-Fri', { daysOfWeek: [1, 2, 3, 4, 5] }],
    ['0 1 * jan,JUL *', { months: [1, 7] }],
    ['0 1 * apr-jun *', { months: [4, 5, 6] }],
    ['0 0 29 2 *', { daysOfMonth: [29], months: [2] }],
    ['0 0 31 2,3 *', { daysOfMonth: [31], months: [2, 3] }],
    ['05 00 01 01 *', { minutes: [5], hours: [0], daysOfMonth: [1], months: [1] }],
    ['  0\t1 *  * *\n', { minutes: [0], hours: [1] }],
    ['@hourly', { minutes: [0], hours: Array.from({ length: 24 }, (_, i) => i), wildcard: true }],
    ['@daily', { minutes: [0], hours: [0], wildcard: false }],
    ['@midnight', { minutes: [0], hours: [0], wildcard: false }],
    ['@weekly', { daysOfWeek: [0], hours: [0] }],
    ['@monthly', { daysOfMonth: [1], hours: [0] }],
    ['@yearly', { daysOfMonth: [1], months: [1] }],
    ['@annually', { daysOfMonth: [1], months: [1] }],
  ];
  test.each(cases)('%j is understood', (text, fields) => {
    expect(accepted(text)).toMatchObject(fields);
  });
});

describe('refused schedules', () => {
  /** The carets stand under the part between « and ». */
  const cases: [marked: string, message: RegExp, hint?: RegExp][] = [
    ['«»', /empty/, /five fields/],
    ['«* * * *»', /5 or 6 fields, this one has 4/, /minute, hour/],
    ['«0 0 0 1 1 * 2027»', /this one has 7/, /years/],
    ['«60» * * * *', /`60` is beyond minute \(0-59\)/],
    ['*/10 * «24» * * *', /`24` is beyond hour \(0-23\)/],
    ['0 0 «0» * *', /`0` is beyond day-of-month \(1-31\)/],
    ['0 0 * «13» *', /`13` is beyond month \(1-12\)/],
    ['0 0 * * «8»', /`8` is beyond day-of-week \(0-7\)/],
    ['0 0 * * 1,«9»,2', /`9` is beyond/],
    ['0 0 * * 1-«9»', /`9` is beyond/],
    ['«-1» * * * *', /missing/],
    ['«5-» * * * *', /missing/],
    ['1,«»,2 * * * *', /empty/, /comma/],
    ['1,«» * * * *', /empty/, /comma/],
    ['0 «22-2» * * *', /runs backwards/, /write `22-23,0-2`/],
    ['0 0 * * «5-1»', /runs backwards/, /write `5-6,0-1`/],
    ['0 0 * * «FRI-SUN»', /runs backwards/, /write `5-7`/],
    ['0 0 * * «SAT-MON»', /runs backwards/, /write `6,0-1`/],
    ['0 0 * «nov-feb» *', /runs backwards/, /write `11-12,1-2`/],
    ['«*/90» * * * *', /step of `\*\/90` is beyond minute/, /write `0`/],
    ['«*/60» * * * *', /step of `\*\/60` is beyond minute/, /write `0`/],
    ['0 «*/24» * * *', /beyond hour/, /write `0`/],
    ['0 0 «*/31» * *', /beyond day-of-month/, /write `1`/],
    ['«10-20/15» 1 * * *', /beyond its range `10-20`/, /write `10`/],
    ['«*/0» * * * *', /zero/],
    ['«*/» * * * *', /no number behind its `\/`/],
    ['«*/2/2» * * * *', /no number/],
    ['«5/15» * * * *', /step without a range/, /write `5-59\/15`/],
    ['«x» * * * *', /`x` is not a minute \(0-59\)/],
    ['«1.5» * * * *', /not a minute/],
    ['«**» * * * *', /not a minute/],
    ['0 0 * «janfeb» *', /`janfeb` is not a month \(1-12 or jan-dec\)/],
    ['0 0 * «mon» *', /`mon` is a day-of-week, and this field is the month/],
    ['0 0 * * «jan»', /`jan` is a month, and this field is the day-of-week/],
    ['0 0 «L» * *', /last day/, /28-31/],
    ['0 0 «L-3» * *', /last day/],
    ['0 0 * * «5L»', /last day/],
    ['0 0 * * «friL»', /last day/],
    ['0 0 «15W» * *', /nearest working day/],
    ['0 0 «LW» * *', /nearest working day/],
    ['0 0 * * «5#2»', /nth weekday/, /8-14/],
    ['0 0 «?» * 1', /`\?`/, /write `\*`/],
    ['«@reboot»', /`@reboot`/, /pgtally run/],
    ['«@every 5m»', /`@every`/, /\*\/5/],
    ['«@dayly»', /unknown alias/, /did you mean `@daily`\?/],
    ['«@HOURLY»', /unknown alias/, /did you mean `@hourly`\?/],
    ['«@fortnightly»', /unknown alias/, /known are @hourly/],
    ['0 0 «1 * 1»', /both day-of-month `1` and day-of-week `1`/, /"or".*"and".*isodow/],
    ['0 0 «*/2 * 1»', /both day-of-month/],
    ['0 0 «1-31 * 1»', /both day-of-month/],
    ['0 0 «31 2» *', /never fires: month `2` has no day `31`/],
    ['0 0 «30,31 feb» *', /never fires/],
    ['0 0 0 «31 4,6,9,11» *', /never fires/],
    ['  0  «61»  * * *', /beyond minute|beyond hour/],
  ];
  test.each(cases)('%s is refused with its place', (marked, message, hint) => {
    const start = marked.indexOf('«');
    const end = marked.indexOf('»') - 1;
    const parsed = parseSchedule(marked.replace(/[«»]/g, ''));
    if (parsed.ok) throw new Error('accepted');
    expect(parsed.message).toMatch(message);
    // An empty item has no character of its own: its caret is zero wide there.
    expect([parsed.start, parsed.end]).toEqual([start, Math.max(end, start)]);
    if (hint) expect(parsed.hint).toMatch(hint);
  });

  test('any text is either a schedule or refused with a place inside the text', () => {
    const character = fc.constantFrom(...'0123456789*/,-@LW#? \tjanfesumo'.split(''));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: character, maxLength: 30 }), fc.string({ maxLength: 20 })), (text) => {
        const parsed = parseSchedule(text);
        if (parsed.ok) return;
        expect(parsed.start).toBeGreaterThanOrEqual(0);
        expect(parsed.end).toBeGreaterThanOrEqual(parsed.start);
        expect(parsed.end).toBeLessThanOrEqual(Math.max(text.length, parsed.start));
        expect(parsed.message).not.toMatch(/undefined|NaN|\.$/);
      }),
      { numRuns: 3000 },
    );
  });
});
