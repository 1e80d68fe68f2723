import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backfillKey,
  formatClaim,
  formatPause,
  formatRecord,
  freshRunId,
  parseClaim,
  parseLedgerKey,
  parsePause,
  parseRecord,
  pauseKey,
  runKey,
  scheduledRunId,
} from '../../src/ledger/record.ts';
import type { LedgerRecord } from '../../src/model/run.ts';

const RECORD: LedgerRecord = {
  slot: '2027-03-28T01:00:00Z',
  outcome: 'published',
  rows: 3,
  bytes: 120,
  run: '00112233445566778899aabbccddeeff',
  trigger: 'schedule',
  started: '2027-03-28T01:00:00.021Z',
  finished: '2027-03-28T01:00:00.104Z',
  schedule: 'c0ffee00c0ffee00',
};

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/);
const slot = fc.integer({ min: 0, max: 4_102_444_800 }).map((seconds) => seconds * 1000);

describe('ledger keys', () => {
  it('split a job and a server at the first slash, for a server may name its database', () => {
    expect(parseLedgerKey('group-counts/edge-1/app')).toEqual({
      kind: 'run',
      job: 'group-counts',
      server: 'edge-1/app',
    });
  });

  it('come back as what they were made of', () => {
    const server = fc.oneof(
      name,
      fc.tuple(name, name).map((parts) => parts.join('/')),
    );
    fc.assert(
      fc.property(name, server, slot, slot, (job, target, from, to) => {
        expect(parseLedgerKey(runKey(job, target))).toEqual({ kind: 'run', job, server: target });
        expect(parseLedgerKey(pauseKey(job))).toEqual({ kind: 'pause', job });
        const range = { from, to };
        expect(parseLedgerKey(backfillKey(job, target, range))).toEqual({
          kind: 'backfill',
          job,
          server: target,
          ...range,
        });
      }),
    );
    expect(parseLedgerKey('#claim')).toEqual({ kind: 'claim' });
  });

  it.each([
    '',
    '/',
    'job/',
    '/server',
    'job',
    '#',
    '#claim/x',
    '#pause/',
    '#pause/a/b',
    '#backfill/a/b/c',
    '#lease/1',
    '#backfill/a/b/x/y',
  ])('of a later version or of nobody are `other`: %j', (key) => {
    expect(parseLedgerKey(key)).toEqual({ kind: 'other' });
  });
});

describe('a ledger record', () => {
  it('is public JSON with its fields in the order of the contract', () => {
    expect(formatRecord(RECORD)).toBe(
      '{"slot":"2027-03-28T01:00:00Z","outcome":"published","rows":3,"bytes":120,"run":"00112233445566778899aabbccddeeff",' +
        '"trigger":"schedule","started":"2027-03-28T01:00:00.021Z","finished":"2027-03-28T01:00:00.104Z","schedule":"c0ffee00c0ffee00"}',
    );
  });

  it('comes back as it was, with reason, skipped slots, attempts and error', () => {
    const full: LedgerRecord = {
      ...RECORD,
      outcome: 'skipped',
      reason: 'missed',
      since: '2027-03-28T00:00:00Z',
      slots: 7,
      attempts: 2,
      failures: 3,
      failure: { kind: 'data', message: 'division by zero' },
      succeeded: '2027-03-28T00:00:00Z',
      error: { kind: 'sql', message: 'relation "main" does not exist', code: '42P01', hint: 'create it' },
    };
    expect(parseRecord(formatRecord(full))).toEqual(full);
    expect(parseRecord(formatRecord(RECORD))).toEqual(RECORD);
  });

  it('passes over fields of a later version', () => {
    const later = JSON.stringify({ ...RECORD, colour: 'blue', nested: { deep: 1 } });
    expect(parseRecord(later)).toEqual(RECORD);
  });

  it.each([
    ['slot', 17],
    ['slot', '2027-03-28 01:00:00'],
    ['slot', '2027-13-28T01:00:00Z'],
    ['outcome', 'exploded'],
    ['rows', -1],
    ['rows', 1.5],
    ['bytes', '120'],
    ['trigger', 'cron'],
    ['schedule', undefined],
    ['reason', 'bored'],
    ['error', { kind: 'sql' }],
  ])('with a wrong `%s` is refused by name: %j', (field, value) => {
    const wrong = JSON.stringify({ ...RECORD, [field]: value });
    expect(() => parseRecord(wrong)).toThrow(field === 'error' ? '`message`' : `\`${field}\``);
  });

  it.each(['', 'null', '[]', '"x"', '{'])('that is no JSON object is refused: %j', (json) => {
    expect(() => parseRecord(json)).toThrow('not');
  });

  it('cuts an endless error text, so that it can always be committed', () => {
    const endless = { ...RECORD, error: { kind: 'data', message: 'x'.repeat(1_000_000), hint: 'y'.repeat(1_000_000) } };
    const text = formatRecord(endless);
    expect(text.length).toBeLessThan(5000);
    expect(parseRecord(text).error?.message.endsWith('x…')).toBe(true);
  });
});

describe('claims and pauses', () => {
  it('come back as they were', () => {
    expect(parseClaim(formatClaim({ nonce: 'n', replica: 'r' }))).toEqual({ nonce: 'n', replica: 'r' });
    const released = { nonce: 'n', replica: 'r', released: true } as const;
    expect(parseClaim(formatClaim(released))).toEqual(released);
    expect(parsePause(formatPause({ since: RECORD.slot }))).toEqual({ since: RECORD.slot });
    const noted = { since: RECORD.slot, note: 'until the migration is done' };
    expect(parsePause(formatPause(noted))).toEqual(noted);
  });
});

describe('hashes', () => {
  it('name a scheduled run the same on every replica and retry, and every other run differently', () => {
    const run = { job: 'j', server: 's', slot: Date.parse('2027-03-28T01:00:00Z') };
    const expected = createHash('sha256').update('j\ns\n2027-03-28T01:00:00Z').digest('hex').slice(0, 32);
    expect(scheduledRunId(run)).toBe(expected);
    expect(scheduledRunId({ ...run, slot: run.slot + 1000 })).not.toBe(expected);
    expect(scheduledRunId({ ...run, server: 's/db' })).not.toBe(expected);
    expect(freshRunId()).not.toBe(freshRunId());
    expect(freshRunId()).toMatch(/^[0-9a-f]{32}$/);
  });
});
