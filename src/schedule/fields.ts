// One field of a cron schedule: its text → the values it names. Pure; what the fields mean together is in parse.ts.

/** Why a text is refused; `start` and `end` are offsets into the text that was parsed, for the caret. */
export interface Flaw {
  readonly ok: false;
  /** Lower case, no full stop, names in backticks. */
  readonly message: string;
  /** One sentence that can be followed. */
  readonly hint?: string;
  readonly start: number;
  readonly end: number;
}

/** What a field may hold: values min … max, and words that stand for them. */
export interface FieldRule {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Lower case; the first one stands for `min`. */
  readonly words: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const LAST_DAY = new RegExp(`^(\\d*|${WEEKDAYS.join('|')})l$`, 'i');

/** The six fields in the order in which they are written. In day-of-week, 7 is Sunday as 0 is. */
export const FIELD_RULES = {
  second: { name: 'second', min: 0, max: 59, words: [] },
  minute: { name: 'minute', min: 0, max: 59, words: [] },
  hour: { name: 'hour', min: 0, max: 23, words: [] },
  dayOfMonth: { name: 'day-of-month', min: 1, max: 31, words: [] },
  month: { name: 'month', min: 1, max: 12, words: MONTHS },
  dayOfWeek: { name: 'day-of-week', min: 0, max: 7, words: WEEKDAYS },
} as const satisfies Record<string, FieldRule>;

/**
 * The values of one field, ascending and without doubles. `text` is the field alone; `offset` is where it starts, so that
 * a flaw's place counts from the start of the whole schedule. Items are `*`, a value, `a-b`, and with a step `*` + `/n` or
 * `a-b/n`; several are joined by commas.
 */
export function parseField(rule: FieldRule, text: string, offset: number): readonly number[] | Flaw {
  const values = new Set<number>();
  let start = offset;
  for (const item of text.split(',')) {
    const parsed = parseItem(rule, item, start);
    if ('ok' in parsed) return parsed;
    for (let value = parsed.from; value <= parsed.to; value += parsed.step) {
      values.add(rule === FIELD_RULES.dayOfWeek && value === 7 ? 0 : value);
    }
    start += item.length + 1;
  }
  return [...values].sort((a, b) => a - b);
}

interface Progression {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

function parseItem(rule: FieldRule, item: string, start: number): Progression | Flaw {
  const flaw = (message: string, hint?: string): Flaw => makeFlaw(start, start + item.length, message, hint);
  if (item === '') return flaw(`an item of ${rule.name} is empty`, 'remove the comma, or write a value beside it');
  const foreign = foreignSyntax(rule, item);
  if (foreign) return flaw(foreign.message, foreign.hint);

  const slash = item.indexOf('/');
  const range = slash < 0 ? item : item.slice(0, slash);
  const bounds = parseRange(rule, range, start);
  if ('ok' in bounds) return bounds;
  if (slash < 0) return { ...bounds, step: 1 };

  const stepText = item.slice(slash + 1);
  if (!/^\d{1,4}$/.test(stepText)) return flaw(`\`${item}\` has no number behind its \`/\``);
  const step = Number(stepText);
  if (step === 0) return flaw(`the step of \`${item}\` is zero`);
  if (range !== '*' && !range.includes('-')) {
    return flaw(`\`${item}\` has a step without a range`, `write \`${range}-${lastOf(rule)}/${stepText}\``);
  }
  if (step > 1 && step > bounds.to - bounds.from) {
    const reach = range === '*' ? `${rule.name} (${rule.min}-${lastOf(rule)})` : `its range \`${range}\``;
    return flaw(
      `the step of \`${item}\` is beyond ${reach}`,
      `it would only ever give one value: write \`${bounds.from}\``,
    );
  }
  return { ...bounds, step };
}

function parseRange(rule: FieldRule, range: string, start: number): { from: number; to: number } | Flaw {
  if (range === '*') return { from: rule.min, to: lastOf(rule) };
  const dash = range.indexOf('-');
  if (dash === 0 || (dash > 0 && dash === range.length - 1)) {
    return makeFlaw(start, start + range.length, `one end of the range \`${range}\` is missing`);
  }
  const from = parseValue(rule, dash < 0 ? range : range.slice(0, dash), start);
  if (typeof from !== 'number') return from;
  if (dash < 0) return { from, to: from };
  const to = parseValue(rule, range.slice(dash + 1), start + dash + 1);
  if (typeof to !== 'number') return to;
  if (from <= to) return { from, to };
  return makeFlaw(
    start,
    start + range.length,
    `the range \`${range}\` of ${rule.name} runs backwards`,
    unwrapped(rule, from, to),
  );
}

function parseValue(rule: FieldRule, text: string, start: number): number | Flaw {
  const flaw = (message: string, hint?: string): Flaw => makeFlaw(start, start + text.length, message, hint);
  if (/^\d+$/.test(text)) {
    const value = Number(text);
    if (value >= rule.min && value <= rule.max) return value;
    return flaw(`\`${text}\` is beyond ${rule.name} (${rule.min}-${rule.max})`);
  }
  const word = rule.words.indexOf(text.toLowerCase());
  if (word >= 0) return rule.min + word;
  const other = Object.values(FIELD_RULES).find((field) =>
    (field.words as readonly string[]).includes(text.toLowerCase()),
  );
  if (other) return flaw(`\`${text}\` is a ${other.name}, and this field is the ${rule.name}`);
  const known =
    rule.words.length > 0
      ? `${rule.min}-${rule.max} or ${rule.words[0]}-${rule.words.at(-1)}`
      : `${rule.min}-${rule.max}`;
  return flaw(`\`${text}\` is not a ${rule.name} (${known})`);
}

/** Syntax that other schedulers have and Vixie cron has not: refused by its name, with what to write in its place. */
function foreignSyntax(rule: FieldRule, item: string): { message: string; hint: string } | undefined {
  if (item.includes('?')) return { message: '`?` (no value) is not supported', hint: 'write `*`' };
  if (item.includes('#')) {
    return {
      message: `\`${item}\` (the nth weekday of a month) is not supported`,
      hint: 'name the seven days it can fall on in day-of-month (second = 8-14), and test `extract(isodow from :slot)` in the query',
    };
  }
  const words = item.split(/[-/]/).filter((word) => !rule.words.includes(word.toLowerCase()));
  if (words.some((word) => /^(\d*|l)w$/i.test(word))) {
    return {
      message: `\`${item}\` (the nearest working day) is not supported`,
      hint: 'name the days it can fall on in day-of-month, and test `extract(isodow from :slot)` in the query',
    };
  }
  if (words.some((word) => LAST_DAY.test(word))) {
    return {
      message: `\`${item}\` (the last day) is not supported`,
      hint: 'write `28-31` in day-of-month, and test in the query that the next day is in another month',
    };
  }
  return undefined;
}

/** The last value that `*` names: Saturday, not the second name of Sunday. */
function lastOf(rule: FieldRule): number {
  return rule === FIELD_RULES.dayOfWeek ? 6 : rule.max;
}

/** `22-2` of hour → "write `22-23,0-2`". */
function unwrapped(rule: FieldRule, from: number, to: number): string {
  const spell = (a: number, b: number): string => (a === b ? `${a}` : `${a}-${b}`);
  if (rule === FIELD_RULES.dayOfWeek && to === 0) return `write \`${spell(from, 7)}\``;
  return `write \`${spell(from, lastOf(rule))},${spell(rule.min, to)}\``;
}

/** A flaw; the hint is left out when there is none. */
export function makeFlaw(start: number, end: number, message: string, hint?: string): Flaw {
  return hint === undefined ? { ok: false, message, start, end } : { ok: false, message, hint, start, end };
}
