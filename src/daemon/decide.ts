// What one (job, server) has to do now, given the ledger's last word on it. Pure: the dispatcher carries it out.
import { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { Milliseconds, Slot } from '../model/units.ts';
import type { Timetable } from '../project/prepared.ts';
import { type DueSlot, dueSlots, type SkippedSlots } from '../schedule/due.ts';
import { countTicks, nextTick, previousTick } from '../schedule/ticks.ts';
import type { ScheduledJob } from './scheduled.ts';

export interface Situation {
  readonly prepared: ScheduledJob;
  readonly timetable: Timetable;
  /** `delay` of the job plus the splay of the server. */
  readonly lateBy: number;
  readonly last: LedgerRecord | undefined;
  readonly paused: boolean;
  /** A run of ours has only just ended: what came due meanwhile was not missed, and `overlap: queue` runs it. */
  readonly justRan: boolean;
  readonly now: number;
}

export type Decision =
  /** `ahead`: why nothing runs although time passes. */
  | { readonly kind: 'wait'; readonly ahead?: Failure }
  /** First sight, or a schedule that changed since `changedFrom`. */
  | { readonly kind: 'register'; readonly slot: Slot; readonly changedFrom?: Slot }
  | { readonly kind: 'run'; readonly due: DueSlot; readonly missed: SkippedSlots | undefined }
  | { readonly kind: 'skip'; readonly skipped: SkippedSlots; readonly reason: 'missed' | 'paused' };

/** The next step of an idle (job, server); after it is done, ask again. */
export function decide(situation: Situation): Decision {
  const { prepared, timetable, last, lateBy, now } = situation;
  const { schedule, timezone } = timetable;
  if (!last || last.schedule !== timetable.hash) {
    // Not before the last slot: what a shorter delay, or a clock that was ahead, has published already is not published again.
    const since = last ? Math.max(now - lateBy, Date.parse(last.slot)) : now - lateBy;
    const slot = previousTick(schedule, timezone, since);
    return { kind: 'register', slot, ...(last ? { changedFrom: Date.parse(last.slot) } : {}) };
  }
  const lastSlot = Date.parse(last.slot);
  if (situation.paused) {
    const skipped = slotsBetween(timetable, lastSlot, now - lateBy);
    return skipped ? { kind: 'skip', skipped, reason: 'paused' } : { kind: 'wait' };
  }
  const due = dueSlots({
    schedule,
    timezone,
    lastSlot,
    now,
    delay: lateBy,
    catchup: situation.justRan && prepared.overlap === 'queue' ? 'all' : prepared.catchup,
    catchupWindow: prepared.job.catchupWindow,
    limit: 1,
  });
  const first = due.run[0];
  const missed = due.skipped[0];
  if (first) return { kind: 'run', due: first, missed };
  if (missed) return { kind: 'skip', skipped: missed, reason: 'missed' };
  return lastSlot - now > AHEAD ? { kind: 'wait', ahead: aheadOfClock(last) } : { kind: 'wait' };
}

/**
 * The slots whose dispatch came while a run of `slot` was under way, for `overlap: skip`; undefined when there were none. While
 * older slots are still waiting to be caught up nothing is skipped: outcomes are recorded in order.
 */
export function overlapped(
  timetable: Timetable,
  slot: Slot,
  lateBy: number,
  started: number,
  now: number,
): SkippedSlots | undefined {
  if (slotsBetween(timetable, slot, started - lateBy)) return undefined;
  return slotsBetween(timetable, slot, now - lateBy);
}

/** When the slot after `slot` is dispatched: until then a snapshot job may retry. */
export function nextDispatch(timetable: Timetable, slot: Slot, lateBy: number): number {
  return nextTick(timetable.schedule, timetable.timezone, slot) + lateBy;
}

/** Clocks that are kept in step do not differ by that much. */
const AHEAD: Milliseconds = 60_000;

/** A slot recorded by a clock far ahead silences its (job, server) until then. */
function aheadOfClock({ slot }: LedgerRecord): Failure {
  return new Failure(`the ledger's last slot, ${slot}, is ahead of this machine's clock: nothing runs before it`, {
    kind: 'configuration',
    hint: 'set the clocks of all replicas right; to run the job before that time, give it another name',
  });
}

function slotsBetween(timetable: Timetable, after: Slot, until: number): SkippedSlots | undefined {
  const { schedule, timezone } = timetable;
  const count = until <= after ? 0 : countTicks(schedule, timezone, after, until);
  if (count === 0) return undefined;
  return {
    since: nextTick(schedule, timezone, after),
    last: previousTick(schedule, timezone, until),
    count,
    reason: 'missed',
  };
}
