// Which slots of one (job, server) are to be run now and which are to be recorded as skipped, by the catch-up policy. Pure:
// the last slot comes from the ledger, the time from the caller. Overlap and retries are the daemon's.
import type { Trigger } from '../model/project.ts';
import type { Milliseconds, Slot } from '../model/units.ts';
import type { Schedule } from './parse.ts';
import { countTicks, nextTick, previousTick, ticks } from './ticks.ts';

/**
 * A slot that is dispatched no later than this is on time: it runs as `schedule`, whatever the catch-up policy. Longer than a
 * failover (5 s), so that a slot which falls into one is not taken for missed.
 */
export const ON_TIME: Milliseconds = 10_000;
/** At most so many slots of one (job, server) are handed out at once; the rest stay due. */
export const QUEUE_CAP = 1000;

export interface DueRequest {
  readonly schedule: Schedule;
  readonly timezone: string;
  /** The last slot that has an outcome or was handed out already. */
  readonly lastSlot: Slot;
  readonly now: number;
  /** All by which a dispatch is late on purpose: the job's `delay` and the server's splay. */
  readonly delay: Milliseconds;
  readonly catchup: 'none' | 'latest' | 'all';
  /** How long after its dispatch time a slot may still be caught up. */
  readonly catchupWindow: Milliseconds;
  /** Room in the queue; default `QUEUE_CAP`. */
  readonly limit?: number;
}

export interface DueSlot {
  readonly slot: Slot;
  readonly trigger: Extract<Trigger, 'schedule' | 'catchup'>;
}

/** Consecutive slots that end as one record `skipped`. */
export interface SkippedSlots {
  readonly since: Slot;
  readonly last: Slot;
  readonly count: number;
  readonly reason: 'missed';
}

export interface DueSlots {
  /** Oldest first. */
  readonly run: readonly DueSlot[];
  /** None or one range, all of it before the first of `run`: record it first. */
  readonly skipped: readonly SkippedSlots[];
  /** The last slot accounted for: the `lastSlot` of the next question. */
  readonly upTo: Slot;
}

/**
 * Every slot in (lastSlot, now − delay] is either in `run` or counted in `skipped`, once, in order; only those beyond `limit`
 * are in neither and stay due. The latest due slot is on time if it is dispatched within `ON_TIME`; then it always runs, as
 * `schedule`. Any other due slot is a catch-up: `none` skips it, `latest` runs the latest, `all` runs each, within
 * `catchupWindow`. A clock set back gives nothing until it has passed the last slot again.
 */
export function dueSlots(request: DueRequest): DueSlots {
  const { schedule, timezone, lastSlot, delay, catchup } = request;
  const dispatched = request.now - delay;
  const latest = dispatched <= lastSlot ? lastSlot : previousTick(schedule, timezone, dispatched);
  if (latest <= lastSlot) return { run: [], skipped: [], upTo: lastSlot };

  const onTime = dispatched - latest <= ON_TIME;
  const expired = dispatched - request.catchupWindow - 1;
  let skipUntil: number;
  if (catchup === 'all') skipUntil = onTime ? Math.min(expired, latest - 1) : expired;
  else skipUntil = onTime || (catchup === 'latest' && latest > expired) ? latest - 1 : latest;
  skipUntil = Math.min(Math.max(skipUntil, lastSlot), latest);

  const run = ticks(schedule, timezone, skipUntil, latest, request.limit ?? QUEUE_CAP).map(
    (slot): DueSlot => ({ slot, trigger: onTime && slot === latest ? 'schedule' : 'catchup' }),
  );
  const skipped = skippedBetween(schedule, timezone, lastSlot, skipUntil);
  return { run, skipped, upTo: run.at(-1)?.slot ?? skipped[0]?.last ?? lastSlot };
}

function skippedBetween(schedule: Schedule, timezone: string, after: Slot, until: number): SkippedSlots[] {
  // Counted, not listed: a laptop that slept for a month missed 2.6 million slots of a job of each second.
  const count = countTicks(schedule, timezone, after, until);
  if (count === 0) return [];
  const since = nextTick(schedule, timezone, after);
  return [{ since, last: previousTick(schedule, timezone, until), count, reason: 'missed' }];
}
