// The slots of a schedule in a time zone: pure functions, the source of truth for when anything runs (design 6). What is
// done with a slot that is due is in due.ts; being woken in time is in wake.ts.
import type { Slot } from '../model/units.ts';
import { countMatches, nextMatch, previousMatch } from './calendar.ts';
import type { Schedule } from './parse.ts';
import { type Stretch, stretchAt } from './zone.ts';

const SECOND = 1000;
const HOUR = 3_600_000;
/** Further from UTC than any zone has been. */
const LARGEST_OFFSET = 16 * HOUR;
/** A schedule that fires at all does so within 8 years (29 February over 2100); twice that, as a gap may hold the day. */
const HORIZON = 17 * 366 * 24 * HOUR;

/** What a run covers: [start, end) from the slot before to the slot. Epoch milliseconds. */
export interface SlotWindow {
  readonly start: Slot;
  readonly end: Slot;
}

/**
 * The slots in (after, until], oldest first, at most `limit` of them. The result does not depend on where the range is
 * cut: a slot is a slot of the schedule, whoever asks when. Change of offset as in Debian's cron(8): of a fixed job each
 * nominal local time is one slot, the first valid instant when a gap swallows it, the first of the two when it is repeated;
 * a wildcard job follows the wall clock as it is.
 */
export function ticks(
  schedule: Schedule,
  timezone: string,
  after: number,
  until: number,
  limit = Number.POSITIVE_INFINITY,
): Slot[] {
  const slots: Slot[] = [];
  let last = after;
  while (slots.length < limit) {
    const slot = firstAfter(schedule, timezone, last, until);
    if (slot === undefined) break;
    slots.push(slot);
    last = slot;
  }
  return slots;
}

/** The first slot after the instant. Every schedule that `parseSchedule` accepts has one: an error here is a defect of ours. */
export function nextTick(schedule: Schedule, timezone: string, after: number): Slot {
  return intervalAt(schedule, timezone, after).end;
}

/** The last slot at or before the instant; it always exists, as for `nextTick`. */
export function previousTick(schedule: Schedule, timezone: string, atOrBefore: number): Slot {
  return intervalAt(schedule, timezone, atOrBefore).start;
}

/** How many slots lie in (after, until], without making them: its cost grows with days, not with slots. */
export function countTicks(schedule: Schedule, timezone: string, after: number, until: number): number {
  let count = 0;
  const end = wholeSecond(until) + SECOND;
  for (let from = wholeSecond(after) + SECOND; from < end; ) {
    const stretch = stretchAt(timezone, from);
    const { offset } = stretch;
    const first = Math.max(from + offset, earliest(schedule, stretch));
    count += countMatches(schedule, first, Math.min(stretch.end, end) + offset);
    // The gap's slot coincides with one at the very end of the gap.
    if (from === stretch.start && gapHasMatch(schedule, stretch)) {
      const opens = stretch.start + offset;
      if (nextMatch(schedule, opens, opens + SECOND) === undefined) count += 1;
    }
    from = stretch.end;
  }
  return count;
}

/** [previous slot, slot): what an interval job's run at `slot` covers. The two meet without gap or overlap. */
export function window(schedule: Schedule, timezone: string, slot: Slot): SlotWindow {
  return { start: previousTick(schedule, timezone, slot - SECOND), end: slot };
}

/** A thousand servers of a job ask for the same slot and the one before it, several times each. */
const recent = new WeakMap<
  Schedule,
  { readonly timezone: string; latest: SlotWindow; other: SlotWindow | undefined }
>();

/** The slots next to each other between which the instant lies: [start, end). */
function intervalAt(schedule: Schedule, timezone: string, instant: number): SlotWindow {
  const known = recent.get(schedule);
  const same = known?.timezone === timezone ? known : undefined;
  for (const interval of [same?.latest, same?.other])
    if (interval && interval.start <= instant && instant < interval.end) return interval;
  const interval = {
    start: orThrow(lastAtOrBefore(schedule, timezone, instant), 'at or before', instant),
    end: orThrow(firstAfter(schedule, timezone, instant, instant + HORIZON), 'after', instant),
  };
  recent.set(schedule, { timezone, latest: interval, other: same?.latest });
  return interval;
}

function firstAfter(schedule: Schedule, timezone: string, after: number, until: number): Slot | undefined {
  let from = wholeSecond(after) + SECOND;
  while (from <= until) {
    const stretch = stretchAt(timezone, from);
    if (from === stretch.start && gapHasMatch(schedule, stretch)) return from;
    const first = Math.max(from + stretch.offset, earliest(schedule, stretch));
    const match = nextMatch(schedule, first, Math.min(stretch.end, wholeSecond(until) + SECOND) + stretch.offset);
    if (match !== undefined) return match - stretch.offset;
    if (stretch.end > until) return undefined;
    // Leap to where the next local match can be at the earliest, whatever the offset there.
    const ahead = nextMatch(schedule, stretch.end - LARGEST_OFFSET, until + LARGEST_OFFSET);
    if (ahead === undefined) return undefined;
    from = Math.max(stretch.end, ahead - LARGEST_OFFSET);
  }
  return undefined;
}

function lastAtOrBefore(schedule: Schedule, timezone: string, atOrBefore: number): Slot | undefined {
  let to = wholeSecond(atOrBefore);
  const oldest = to - HORIZON;
  while (to >= oldest) {
    const stretch = stretchAt(timezone, to);
    const match = previousMatch(schedule, earliest(schedule, stretch), to + stretch.offset);
    if (match !== undefined) return match - stretch.offset;
    if (gapHasMatch(schedule, stretch)) return stretch.start;
    const behind = previousMatch(schedule, oldest - LARGEST_OFFSET, stretch.start + LARGEST_OFFSET);
    if (behind === undefined) return undefined;
    to = Math.min(stretch.start - SECOND, behind + LARGEST_OFFSET);
  }
  return undefined;
}

/** The first local time of the stretch that can be a slot: of a fixed job none that its zone's clocks showed before. */
function earliest(schedule: Schedule, stretch: Stretch): number {
  const opens = stretch.start + stretch.offset;
  return schedule.wildcard ? opens : Math.max(opens, stretch.reached);
}

/** Whether the change at the stretch's start swallowed a nominal local time of a fixed job, which then runs at the start. */
function gapHasMatch(schedule: Schedule, stretch: Stretch): boolean {
  return !schedule.wildcard && nextMatch(schedule, stretch.reached, stretch.start + stretch.offset) !== undefined;
}

function wholeSecond(instant: number): number {
  return Math.floor(instant / SECOND) * SECOND;
}

function orThrow(slot: Slot | undefined, where: string, instant: number): Slot {
  if (slot === undefined) throw new Error(`no slot found ${where} ${new Date(instant).toISOString()}`);
  return slot;
}
