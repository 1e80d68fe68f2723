// The offset of a time zone at any instant, from Intl, cached as stretches of constant offset: asking again costs no Intl call.
// Does not know schedules.
import type { Milliseconds } from '../model/units.ts';
import type { LocalTime } from './calendar.ts';

/** A stretch of time [start, end) in which a zone's offset is constant; it may be cut at a year's start. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Local time minus UTC. */
  readonly offset: Milliseconds;
  /**
   * How far the zone's clocks had ever come before `start`. Later than the local time at `start`: the readings between are
   * repeated; earlier: they are a gap that no clock shows.
   */
  readonly reached: LocalTime;
}

export type CheckedTimezone =
  | { readonly ok: true }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

const SECOND = 1000;
const DAY = 86_400_000;
/** The closest two changes of one zone since 1970 are 7 days apart (tzdata 2025: Brazil, October 2000). */
const PROBE = 3 * DAY;
/** No offset reaches 26 hours from another, so that a year's first stretch needs no older past than this. */
const LOOK_BACK = 2 * DAY;

interface Zone {
  readonly years: Map<number, readonly Stretch[]>;
  readonly format: Intl.DateTimeFormat;
  recent: Stretch | undefined;
}

const zones = new Map<string, Zone>();

/** Whether Intl knows the zone by name; a bare offset (`+02:00`) is none, as it has no rules. */
export function checkTimezone(name: string): CheckedTimezone {
  if (/^[A-Za-z]/.test(name)) {
    try {
      new Intl.DateTimeFormat('en-US', { timeZone: name });
      return { ok: true };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  const city = name.split('/').at(-1)?.toLowerCase().replaceAll(' ', '_');
  const near = Intl.supportedValuesOf('timeZone').find((zone) => zone.toLowerCase().split('/').at(-1) === city);
  const hint = near
    ? `did you mean \`${near}\`?`
    : 'write a name of the IANA time zone database, as in `Europe/Berlin` or `UTC`';
  return { ok: false, message: `unknown time zone \`${name}\``, hint };
}

/** The stretch that holds the instant. Throws a RangeError for a zone that `checkTimezone` refuses. */
export function stretchAt(timezone: string, instant: number): Stretch {
  const zone = zoneOf(timezone);
  const recent = zone.recent;
  if (recent && instant >= recent.start && instant < recent.end) return recent;
  const year = new Date(instant).getUTCFullYear();
  let stretches = zone.years.get(year);
  if (!stretches) {
    stretches = stretchesOfYear(zone.format, Date.UTC(year), Date.UTC(year + 1));
    zone.years.set(year, stretches);
  }
  const found = stretches.find((stretch) => instant < stretch.end);
  if (!found) throw new RangeError(`no offset of ${timezone} at ${instant}`);
  zone.recent = found;
  return found;
}

/** RFC 3339 with the zone's own offset: `2027-03-28T03:00:00+02:00`; fractions of a second only when there are any. */
export function toLocalIso(instant: number, timezone: string): string {
  const { offset } = stretchAt(timezone, instant);
  const local = new Date(instant + offset).toISOString().replace('.000Z', '').replace('Z', '');
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const pad = (value: number): string => String(value).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

function zoneOf(timezone: string): Zone {
  let zone = zones.get(timezone);
  if (!zone) {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
    zone = { years: new Map(), format, recent: undefined };
    zones.set(timezone, zone);
  }
  return zone;
}

function stretchesOfYear(format: Intl.DateTimeFormat, yearStart: number, yearEnd: number): Stretch[] {
  const stretches: Stretch[] = [];
  let start = yearStart - LOOK_BACK;
  let offset = readOffset(format, start);
  let reached = start + offset;
  while (start < yearEnd) {
    const change = nextChange(format, start, offset, yearEnd);
    const end = change?.at ?? yearEnd;
    if (end > yearStart) {
      // Cut at the year's start, where nothing changes: no gap may appear there.
      const cut = Math.max(start, yearStart);
      stretches.push({ start: cut, end, offset, reached: cut > start ? Math.max(reached, cut + offset) : reached });
    }
    reached = Math.max(reached, end + offset);
    start = end;
    offset = change?.offset ?? offset;
  }
  return stretches;
}

/** The first instant in (from, end) whose offset is another, found by bisection to the second. */
function nextChange(
  format: Intl.DateTimeFormat,
  from: number,
  offset: Milliseconds,
  end: number,
): { at: number; offset: Milliseconds } | undefined {
  for (let low = from; low < end; low += PROBE) {
    let high = Math.min(low + PROBE, end);
    if (readOffset(format, high) === offset) continue;
    let same = low;
    while (high - same > SECOND) {
      const middle = same + Math.floor((high - same) / 2 / SECOND) * SECOND;
      if (readOffset(format, middle) === offset) same = middle;
      else high = middle;
    }
    return high < end ? { at: high, offset: readOffset(format, high) } : undefined;
  }
  return undefined;
}

function readOffset(format: Intl.DateTimeFormat, instant: number): Milliseconds {
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(instant));
  if (!match) throw new RangeError(`Intl gives no offset at ${instant}`);
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = match;
  const size = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * SECOND;
  return sign === '-' ? -size : size;
}
