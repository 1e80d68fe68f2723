// A second implementation of the schedule's rules that knows nothing of the first: it walks the clock minute by minute and
// asks Intl what a wall clock would show. Slow, and right by being plain.
interface Reading {
  readonly instant: number;
  /** The wall clock as a number that orders like the clock: minutes of a calendar without zones. */
  readonly local: number;
}

/** What the zone's wall clock shows at each minute of [from, to). */
export function readings(timezone: string, from: number, to: number): Reading[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const list: Reading[] = [];
  for (let instant = Math.ceil(from / 60_000) * 60_000; instant < to; instant += 60_000) {
    const [, day, month, year, hour, minute] = /^(\d+)\/(\d+)\/(\d+), (\d+):(\d+)$/.exec(format.format(instant)) ?? [];
    const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute)) / 60_000;
    list.push({ instant, local });
  }
  return list;
}

/** The slots of a schedule of six fields (second 0) among the readings, but for the first day, which only gives the past. */
export function slotsByWalking(text: string, clock: readonly Reading[]): number[] {
  const [, minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = text.split(' ');
  const minutes = valuesOf(minute, 0, 59);
  const hours = valuesOf(hour, 0, 23);
  const days = valuesOf(dayOfMonth, 1, 31);
  const months = valuesOf(month, 1, 12);
  const weekdays = valuesOf(dayOfWeek, 0, 6);
  const matches = (local: number): boolean => {
    const date = new Date(local * 60_000);
    return (
      minutes.has(date.getUTCMinutes()) &&
      hours.has(date.getUTCHours()) &&
      days.has(date.getUTCDate()) &&
      months.has(date.getUTCMonth() + 1) &&
      weekdays.has(date.getUTCDay())
    );
  };
  const known = clock.slice(1440);
  if (text.startsWith('*') || minute.startsWith('*') || hour.startsWith('*')) {
    return known.filter(({ local }) => matches(local)).map(({ instant }) => instant);
  }
  // Each nominal local time once: at the first instant at which the clock has come to it.
  const slots = new Set<number>();
  let reached = Math.max(...clock.slice(0, 1440).map(({ local }) => local));
  for (const { instant, local } of known) {
    for (let nominal = reached + 1; nominal <= local; nominal += 1) if (matches(nominal)) slots.add(instant);
    reached = Math.max(reached, local);
  }
  return [...slots];
}

function valuesOf(field: string, min: number, max: number): Set<number> {
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/');
    const [from = min, to = from] = range === '*' ? [min, max] : range.split('-').map(Number);
    for (let value = from; value <= to; value += Number(step)) values.add(value);
  }
  return values;
}
