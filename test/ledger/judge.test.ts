import { describe, expect, it } from 'vitest';
import { prepareUnit } from '../../src/ledger/commit-plan.ts';
import { judgeUnit } from '../../src/ledger/judge.ts';
import { formatRecord } from '../../src/ledger/record.ts';
import { createRunHolds } from '../../src/ledger/run-holds.ts';
import { createLedgerState } from '../../src/ledger/state.ts';
import type { LedgerRecord } from '../../src/model/run.ts';
import { testRecord } from './on-kafka.ts';

/** The verdict on records of `job/s` decided by `basis`, when the ledger holds `now`. */
function judge(
  now: LedgerRecord | string | undefined,
  basis: LedgerRecord | undefined,
  records: readonly LedgerRecord[],
) {
  const state = createLedgerState(1);
  const text = typeof now === 'object' ? formatRecord(now) : now;
  if (text !== undefined) state.fold(0, { key: 'job/s', value: text });
  const unit = prepareUnit({ job: 'job', server: 's', records });
  return judgeUnit(state, 0, unit, basis && formatRecord(basis)).status;
}

describe('a run that wants to record its outcome', () => {
  it('may when the state is what it was decided by', () => {
    expect(judge(undefined, undefined, [testRecord(1)])).toBe('open');
    expect(judge(testRecord(1), testRecord(1), [testRecord(2), testRecord(3)])).toBe('open');
  });

  it('has already when its record is the state', () => {
    expect(judge(testRecord(2), testRecord(1), [testRecord(2)])).toBe('committed');
  });

  it('may not when another replica recorded that slot, or any other, meanwhile', () => {
    expect(judge(testRecord(2, { run: 'by another' }), testRecord(1), [testRecord(2)])).toBe('superseded');
    expect(judge(testRecord(9), testRecord(1), [testRecord(2)])).toBe('superseded');
    expect(judge(testRecord(1), undefined, [testRecord(2)])).toBe('superseded');
    expect(judge(undefined, testRecord(1), [testRecord(2)])).toBe('superseded');
  });

  it('may not go back in its schedule, whatever it was decided by', () => {
    expect(judge(testRecord(5), testRecord(5), [testRecord(4)])).toBe('superseded');
    expect(judge(testRecord(5), testRecord(5), [testRecord(5, { run: 'again' })])).toBe('superseded');
  });

  it('may extend a stretch of skipped slots', () => {
    const skipped = testRecord(5, { outcome: 'skipped', reason: 'paused', since: testRecord(3).slot, slots: 3 });
    const longer = testRecord(6, { outcome: 'skipped', reason: 'paused', since: testRecord(3).slot, slots: 4 });
    expect(judge(skipped, skipped, [longer])).toBe('open');
  });

  it('registers a changed schedule anew, also at an earlier slot, before it runs by it', () => {
    const changed = (slot: number, outcome: LedgerRecord['outcome']) =>
      testRecord(slot, { schedule: 'another', outcome });
    expect(judge(testRecord(5), testRecord(5), [changed(3, 'registered')])).toBe('open');
    expect(judge(testRecord(5), testRecord(5), [changed(3, 'registered'), changed(4, 'published')])).toBe('open');
    expect(judge(testRecord(5), testRecord(5), [changed(6, 'published')])).toBe('superseded');
  });

  it('writes over nothing it cannot read', () => {
    expect(judge('{"slot":"of a later version"}', undefined, [testRecord(2)])).toBe('superseded');
  });
});

describe('runs under way in a shard', () => {
  it('remember what they were decided by, and what they committed themselves since', () => {
    const holds = createRunHolds();
    const end = holds.begin('job/s', 'before');
    expect(holds.basisOf('job/s')?.text).toBe('before');
    holds.committed('job/s', 'skipped');
    expect(holds.basisOf('job/s')?.text).toBe('skipped');
    end();
    end();
    expect(holds.basisOf('job/s')).toBeUndefined();
    expect(holds.count).toBe(0);
  });

  it('let others begin beside them only while one that began before the hand-over is left', () => {
    const holds = createRunHolds();
    const endElder = holds.begin('job/long', undefined);
    holds.markElders();
    const endYoung = holds.begin('job/short', undefined);
    expect(holds.hasElders).toBe(true);
    endElder();
    expect(holds.hasElders).toBe(false);
    expect(holds.count).toBe(1);
    endYoung();
    expect(holds.count).toBe(0);
  });
});
