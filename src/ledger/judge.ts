// Whether what a run wants to record may still be recorded, by the state as it is. Pure. This is what keeps a slot from being
// published twice when a shard went to another replica and came back while the run was under way.
import { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { PreparedUnit } from './commit-plan.ts';
import type { Basis, Verdict } from './lane.ts';
import type { Shard } from './record.ts';
import type { LedgerState } from './state.ts';

/** `basis`: the state's text that the unit was decided by. */
export function judgeUnit(state: LedgerState, shard: Shard, unit: PreparedUnit, basis: Basis): Verdict {
  const { stateKey, stateText } = unit;
  if (stateText === undefined) return { status: 'open' };
  const text = state.text(shard, stateKey);
  if (text === (stateText ?? undefined)) return { status: 'committed' };
  const unreadable = state.unreadable(shard, stateKey);
  if (unreadable) return superseded(stateKey, `cannot be read (${unreadable.message})`, unreadable.hint);
  if (text !== (basis ?? undefined)) return superseded(stateKey, 'has changed since the run was decided');
  const first = unit.unit.records[0];
  const last = state.record(shard, stateKey);
  if (first && last && !follows(first, last)) return superseded(stateKey, `is at slot ${last.slot} already`);
  return { status: 'open' };
}

/** A second fence, should a run have been decided by something older than its basis: slots of one schedule only go on. */
function follows(record: LedgerRecord, last: LedgerRecord): boolean {
  if (record.schedule !== last.schedule) return record.outcome === 'registered' || record.trigger === 'backfill';
  return Date.parse(record.slot) > Date.parse(last.slot);
}

function superseded(stateKey: string, why: string, hint?: string): Verdict {
  const failure = new Failure(`the ledger's record of \`${stateKey}\` ${why}`, {
    kind: 'fenced',
    retryable: true,
    code: 'SUPERSEDED',
    ...(hint === undefined ? {} : { hint }),
  });
  return { status: 'superseded', failure };
}
