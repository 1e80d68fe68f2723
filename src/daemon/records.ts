// The ledger records of a run, as data: one for its outcome, and one for each stretch of slots skipped before or during it.
import type { Failure } from '../model/failure.ts';
import type { Trigger } from '../model/project.ts';
import type { LedgerRecord, Outcome, SkipReason } from '../model/run.ts';
import { type Bytes, formatInstant, rememberingLast, type Slot } from '../model/units.ts';
import type { SkippedSlots } from '../schedule/due.ts';

const startText = rememberingLast((instant) => new Date(instant).toISOString());
const finishText = rememberingLast((instant) => new Date(instant).toISOString());

export interface RunFacts {
  readonly slot: Slot;
  readonly run: string;
  readonly trigger: Trigger;
  readonly started: number;
  readonly finished: number;
  readonly schedule: string;
  readonly attempts: number;
}

export function outcomeRecord(
  facts: RunFacts,
  outcome: Outcome,
  rows: number,
  bytes: Bytes,
  failure?: Failure,
): LedgerRecord {
  const { attempts } = facts;
  const record = plainRecord(facts, outcome, rows, bytes);
  if (attempts <= 1 && !failure) return record;
  return {
    ...record,
    ...(attempts > 1 ? { attempts } : {}),
    ...(failure
      ? {
          error: {
            kind: failure.kind,
            message: failure.message,
            ...(failure.code === undefined ? {} : { code: failure.code }),
            ...(failure.hint === undefined ? {} : { hint: failure.hint }),
          },
        }
      : {}),
  };
}

/** One record for consecutive skipped slots; `previous`, when it ends right before with the same reason, is extended. */
export function skipRecord(
  facts: Omit<RunFacts, 'slot' | 'attempts'>,
  skipped: SkippedSlots,
  reason: SkipReason,
  previous?: LedgerRecord,
): LedgerRecord {
  const extended =
    previous?.outcome === 'skipped' && previous.reason === reason && previous.schedule === facts.schedule;
  return {
    ...plainRecord({ ...facts, slot: skipped.last }, 'skipped', 0, 0),
    reason,
    since: extended ? (previous.since ?? previous.slot) : formatInstant(skipped.since),
    slots: skipped.count + (extended ? (previous.slots ?? 1) : 0),
  };
}

/**
 * Records that are committed together after `previous`, each with what it carries on from the one before: since when nothing
 * succeeded, and how many slots in a row have failed. So both outlive a restart and are known to every replica.
 */
export function withStreaks(previous: LedgerRecord | undefined, records: readonly LedgerRecord[]): LedgerRecord[] {
  let before = previous;
  return records.map((record) => {
    before = isSuccess(record) ? record : { ...record, ...streaks(before, record.outcome) };
    return before;
  });
}

function isSuccess(record: LedgerRecord): boolean {
  return record.outcome === 'published' || record.outcome === 'empty';
}

function streaks(
  before: LedgerRecord | undefined,
  outcome: Outcome,
): Pick<LedgerRecord, 'failures' | 'failure' | 'succeeded'> {
  const failures = (before?.failures ?? 0) + (outcome === 'failed' ? 1 : 0);
  const failure = outcome === 'failed' ? undefined : (before?.error ?? before?.failure);
  const succeeded = before && isSuccess(before) ? before.finished : before?.succeeded;
  return {
    ...(failures > 0 ? { failures } : {}),
    ...(failure === undefined ? {} : { failure }),
    ...(succeeded === undefined ? {} : { succeeded }),
  };
}

/** One literal without a spread: what nearly every run ends in, as it is. */
function plainRecord(
  { slot, run, trigger, started, finished, schedule }: Omit<RunFacts, 'attempts'>,
  outcome: Outcome,
  rows: number,
  bytes: Bytes,
): LedgerRecord {
  return {
    slot: formatInstant(slot),
    run,
    trigger,
    started: startText(started),
    finished: finishText(finished),
    schedule,
    outcome,
    rows,
    bytes,
  };
}
