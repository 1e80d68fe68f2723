import { describe, expect, it, vi } from 'vitest';
import {
  backfillKey,
  CLAIM_KEY,
  formatClaim,
  formatPause,
  formatRecord,
  pauseKey,
  runKey,
} from '../../src/ledger/record.ts';
import { createLedgerState } from '../../src/ledger/state.ts';
import type { LedgerRecord } from '../../src/model/run.ts';

const record = (slot: string, rows = 1): LedgerRecord => ({
  slot: `2027-01-01T00:00:${slot}Z`,
  outcome: 'published',
  rows,
  bytes: 1,
  run: 'r',
  trigger: 'schedule',
  started: '2027-01-01T00:00:00Z',
  finished: '2027-01-01T00:00:00Z',
  schedule: 'h',
});
const KEY = runKey('job', 'server');

describe('the state of the ledger', () => {
  it('is the last record of each key, and none after a tombstone', () => {
    const state = createLedgerState(2);
    state.fold(1, { key: KEY, value: formatRecord(record('10')) });
    state.fold(1, { key: KEY, value: formatRecord(record('20')) });
    expect(state.record(1, KEY)).toEqual(record('20'));
    expect(state.record(0, KEY)).toBeUndefined();
    expect([...state.runs(1)]).toEqual([{ job: 'job', server: 'server', record: record('20') }]);
    state.fold(1, { key: KEY, value: null });
    expect(state.record(1, KEY)).toBeUndefined();
    expect([...state.runs(1)]).toEqual([]);
  });

  it('is not taken back by older records that are read after this replica committed newer ones', () => {
    const state = createLedgerState(1);
    state.commit(0, KEY, formatRecord(record('20')));
    state.commit(0, KEY, formatRecord(record('30')));
    state.fold(0, { key: KEY, value: formatRecord(record('20')) });
    expect(state.record(0, KEY)).toEqual(record('30'));
    state.fold(0, { key: KEY, value: formatRecord(record('30')) });
    expect(state.record(0, KEY)).toEqual(record('30'));
    state.fold(0, { key: KEY, value: formatRecord(record('40')) }); // by the owner after this one
    expect(state.record(0, KEY)).toEqual(record('40'));
  });

  it('is what was read once a claim was read: what came before it is final', () => {
    const claimed = vi.fn();
    const state = createLedgerState(1, { claimed });
    state.fold(0, { key: KEY, value: formatRecord(record('10')) });
    state.commit(0, KEY, formatRecord(record('20')));
    const claim = { nonce: 'n1', replica: 'b' };
    state.fold(0, { key: CLAIM_KEY, value: formatClaim(claim) });
    expect(state.record(0, KEY)).toEqual(record('10'));
    expect(state.claim(0)).toEqual(claim);
    expect(claimed).toHaveBeenCalledWith(0, claim);
  });

  it('forgets a key that this replica removed, before and after the tombstone is read', () => {
    const state = createLedgerState(1);
    state.fold(0, { key: KEY, value: formatRecord(record('10')) });
    state.commit(0, KEY, null);
    expect(state.record(0, KEY)).toBeUndefined();
    state.fold(0, { key: KEY, value: null });
    state.fold(0, { key: KEY, value: formatRecord(record('20')) });
    expect(state.record(0, KEY)).toEqual(record('20'));
  });

  it('holds pauses and backfills apart from runs', () => {
    const paused = vi.fn();
    const state = createLedgerState(1, { paused });
    const pause = { since: '2027-01-01T00:00:00Z', note: 'migration' };
    state.fold(0, { key: pauseKey('job'), value: formatPause(pause) });
    expect(state.pause('job')).toEqual(pause);
    expect(paused).toHaveBeenCalledWith('job');
    state.fold(0, { key: pauseKey('job'), value: null });
    expect(state.pause('job')).toBeUndefined();
    const range = { from: 0, to: 60_000 };
    state.fold(0, { key: backfillKey('job', 'edge/app', range), value: formatRecord(record('10')) });
    expect(state.backfills()).toEqual([{ job: 'job', server: 'edge/app', ...range, record: record('10') }]);
    expect([...state.runs(0)]).toEqual([]);
  });

  it('knows of a record it cannot read, and treats it as none to decide by', () => {
    const state = createLedgerState(1);
    state.fold(0, { key: KEY, value: '{"slot":"2027-01-01T00:00:10Z","outcome":"teleported"}' });
    expect(state.record(0, KEY)).toBeUndefined();
    expect(state.unreadable(0, KEY)?.message).toContain('`outcome`');
    expect(state.unreadable(0, 'job/other')).toBeUndefined();
  });

  it('keeps the last good claim and pause when a later one cannot be read, and says so', () => {
    const state = createLedgerState(1);
    state.fold(0, { key: CLAIM_KEY, value: formatClaim({ nonce: 'n', replica: 'a' }) });
    expect(() => state.fold(0, { key: CLAIM_KEY, value: '{}' })).toThrow('`nonce`');
    expect(() => state.fold(0, { key: pauseKey('job'), value: 'x' })).toThrow('not JSON');
    expect(state.claim(0)?.nonce).toBe('n');
    expect(state.pause('job')).toBeUndefined();
  });

  it('tells of every record of a (job, server) as it is read, tombstones too, and of being read anew', () => {
    const told: unknown[] = [];
    const state = createLedgerState(1, {
      recorded: (...what) => told.push(what),
      cleared: () => told.push('cleared'),
    });
    const text = formatRecord(record('10'));
    state.fold(0, { key: KEY, value: text });
    state.fold(0, { key: backfillKey('job', 'server', { from: 0, to: 1000 }), value: text });
    state.fold(0, { key: pauseKey('job'), value: formatPause({ since: '2027-01-01T00:00:00Z' }) });
    expect([...state.texts(0)]).toEqual([{ job: 'job', server: 'server', text }]);
    state.fold(0, { key: KEY, value: null });
    state.clear();
    expect(told).toEqual([['job', 'server', text], ['job', 'server', null], 'cleared']);
    expect([...state.texts(0)]).toEqual([]);
  });
});
