import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LedgerRecord } from '../../src/model/run.ts';
import { createErrorTable, createRunColumns, toRun } from '../../src/status/wire.ts';

interface ModelRun {
  readonly server: string;
  readonly slot: number;
  readonly outcome: string;
  readonly rows: number;
  readonly ms: number;
  readonly bytes: number;
  readonly more?: { readonly error?: unknown; readonly reason?: string };
}

// The page's own half, as the browser runs it: plain JavaScript, without types.
const half = new URL('../../src/status/page/model.js', import.meta.url).href;
const { createModel } = (await import(half)) as {
  createModel: (state: unknown) => { jobs: Map<string, { runs: Map<string, ModelRun> }> };
};

const record = fc
  .record({
    slot: fc.integer({ min: 1_750_000_000, max: 2_000_000_000 }),
    outcome: fc.constantFrom('published', 'empty', 'failed', 'skipped', 'registered'),
    rows: fc.nat(),
    bytes: fc.nat(),
    took: fc.nat(1_000_000),
    error: fc.option(fc.constantFrom('refused', 'division by zero', 'late'), { nil: undefined }),
  })
  .map(
    ({ slot, outcome, rows, bytes, took, error }): LedgerRecord => ({
      slot: new Date(slot * 1000).toISOString(),
      outcome: outcome as LedgerRecord['outcome'],
      rows,
      bytes,
      run: 'r',
      trigger: 'schedule',
      started: new Date(slot * 1000).toISOString(),
      finished: new Date(slot * 1000 + took).toISOString(),
      schedule: 'h',
      ...(error === undefined ? {} : { error: { kind: 'sql', message: error } }),
      ...(outcome === 'skipped' ? { reason: 'overlap' as const } : {}),
    }),
  );

/** What the page makes of these last runs of one job, by server. */
function throughTheWire(runs: readonly (readonly [string, LedgerRecord])[]): Map<string, ModelRun> {
  const servers = runs.map(([name]) => ({ name }));
  const errors = createErrorTable();
  const columns = createRunColumns(
    1_700_000_000,
    (name) => servers.findIndex((server) => server.name === name),
    errors,
  );
  for (const [server, last] of runs) columns.add(toRun(server, last));
  const job = {
    name: 'job',
    kind: 'publish',
    known: true,
    servers: servers.map((_, place) => place),
    runs: columns.columns(),
  };
  const state = {
    servers,
    errors: errors.errors,
    from: 1_700_000_000,
    jobs: [job],
    pauses: {},
    timing: {},
    lags: {},
    byHand: [],
  };
  const model = createModel(JSON.parse(JSON.stringify(state)));
  return model.jobs.get('job')?.runs ?? new Map<string, ModelRun>();
}

describe('what the page is told', () => {
  test('is what the ledger has, run by run', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (records) => {
        const runs = records.map((last, index) => [`s${index}`, last] as const);
        const got = throughTheWire(runs);
        expect(got.size).toBe(records.length);
        for (const [server, last] of runs) {
          expect(got.get(server)).toMatchObject({
            slot: Date.parse(last.slot) / 1000,
            outcome: last.outcome[0],
            rows: last.rows,
            bytes: last.bytes,
            ms: Date.parse(last.finished) - Date.parse(last.started),
          });
          expect(got.get(server)?.more?.error).toEqual(last.error);
          expect(got.get(server)?.more?.reason).toBe(last.reason);
        }
      }),
    );
  });

  test('tells an error once, however many servers have it', () => {
    const errors = createErrorTable();
    const places = Array.from({ length: 1000 }, (_, index) =>
      errors.place({ kind: 'connection', message: index % 2 === 0 ? 'refused' : 'reset' }),
    );
    expect(errors.errors).toHaveLength(2);
    expect(places.slice(0, 4)).toEqual([0, 1, 0, 1]);
  });
});
