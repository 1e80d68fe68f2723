// The account of a (job, server): each slot of a list that croner made, and the one record it ended in. Knows nothing of how
// src/schedule finds slots.
import { Cron } from 'croner';
import type { LedgerRecord } from '../../src/model/run.ts';
import type { Slot } from '../../src/model/units.ts';

/** The slots in (after, until] by croner, whose `no-wildcard` is how Vixie's cron treats a change of offset. */
export function cronersSlots(schedule: string, timezone: string, after: number, until: number): Slot[] {
  const cron = new Cron(schedule, { timezone, paused: true, fixedTimeRule: 'no-wildcard' });
  const slots: Slot[] = [];
  for (let slot = cron.nextRun(new Date(after)); slot && slot.getTime() <= until; slot = cron.nextRun(slot))
    slots.push(slot.getTime());
  return slots;
}

export interface Account {
  /** What each slot ended as, from the first that was not merely registered to the last that is recorded: `missed`, `published` … */
  readonly outcomes: ReadonlyMap<Slot, string>;
  /** Slots without a record, with two, or out of order; records of what is no slot. */
  readonly wrong: readonly string[];
}

/** `records`: of one (job, server) and one schedule, in the order they were committed, the first of them its registration. */
export function accountFor(records: readonly LedgerRecord[], slots: readonly Slot[]): Account {
  const outcomes = new Map<Slot, string>();
  const wrong: string[] = [];
  const [first, ...others] = records;
  if (first?.outcome !== 'registered') return { outcomes, wrong: [`the first record is ${first?.outcome}`] };
  let index = slots.indexOf(Date.parse(first.slot)) + 1;
  let before = first;
  for (const record of others) {
    // A record of skipped slots that follows one of the same reason has counted on from it.
    const goesOn = before.outcome === 'skipped' && record.since !== undefined && record.since === before.since;
    const count = record.outcome === 'skipped' ? (record.slots ?? 0) - (goesOn ? (before.slots ?? 0) : 0) : 1;
    const part = slots.slice(index, index + count);
    const since = record.outcome === 'skipped' && !goesOn ? record.since : undefined;
    if (
      count < 1 ||
      part.at(-1) !== Date.parse(record.slot) ||
      (since !== undefined && part[0] !== Date.parse(since))
    ) {
      const due = slots[index];
      wrong.push(
        `${record.outcome} ${record.since ?? ''}…${record.slot}, when ${due && new Date(due).toISOString()} was next`,
      );
      break;
    }
    for (const slot of part) outcomes.set(slot, record.outcome === 'skipped' ? String(record.reason) : record.outcome);
    index += count;
    before = record;
  }
  return { outcomes, wrong };
}

/** How often each outcome is in the account. */
export function sums(account: Account): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of account.outcomes.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
