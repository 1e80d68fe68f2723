import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import { createRunLogs } from '../../src/daemon/run-log.ts';
import { Failure } from '../../src/model/failure.ts';
import type { LedgerRecord, Outcome } from '../../src/model/run.ts';

type Line = Record<string, string | number | undefined>;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2027-01-01T00:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

function record(outcome: Outcome, changes: Partial<LedgerRecord> = {}): LedgerRecord {
  const at = new Date().toISOString();
  const common = { slot: at, run: 'r', trigger: 'schedule', started: at, finished: at, schedule: 'h' } as const;
  return { ...common, outcome, rows: 0, bytes: 0, ...changes };
}

const refused = { kind: 'connection', code: 'ECONNREFUSED', message: 'connection refused', hint: 'is it running?' };
const failed = (error = refused): LedgerRecord => record('failed', { error });

function logging(level: 'debug' | 'info' = 'info') {
  const lines: Line[] = [];
  const log = createLog({ write: (line) => lines.push(JSON.parse(line) as Line), pretty: false, level });
  const runLogs = createRunLogs(log, Date.now);
  const brief = (): string[] =>
    lines.map((line) =>
      [line.level, line.msg, line.job, line.server ?? line.names, line.servers, line.runs]
        .filter((value) => value !== undefined)
        .join(' '),
    );
  return { lines, runLogs, brief };
}

describe('the log of runs', () => {
  test('a run is one line with its job, server, slot, run, outcome, ms and rows', () => {
    const { lines, runLogs } = logging();
    runLogs.of('j', 's').records([record('published', { rows: 7, run: 'abc' })], 12);
    expect(lines).toEqual([
      {
        level: 'info',
        time: '2027-01-01T00:00:00.000Z',
        job: 'j',
        server: 's',
        slot: '2027-01-01T00:00:00.000Z',
        run: 'abc',
        outcome: 'published',
        rows: 7,
        ms: 12,
        msg: 'published',
      },
    ]);
  });

  test('a failure is told in full once, then at growing intervals with how many, and its end', () => {
    const { lines, runLogs, brief } = logging();
    const log = runLogs.of('j', 's');
    const forMinutes = (minutes: number): void => {
      for (let run = 0; run < minutes * 6; run++) {
        log.records([failed()], 5);
        vi.advanceTimersByTime(10_000);
      }
    };
    forMinutes(90);
    log.records([record('published', { rows: 1 })], 5);
    expect(brief()).toEqual([
      'error failed j s',
      'error still failing s 6',
      'error still failing s 36',
      'error still failing s 126',
      'error still failing s 486',
      'info back s 540',
      'info published j s',
    ]);
    expect(lines[0]).toMatchObject({ error: 'connection refused', code: 'ECONNREFUSED', hint: 'is it running?' });
    expect(lines[1]).toMatchObject({ since: '2027-01-01T00:00:00Z', error: 'connection refused' });
    expect(lines[5]).toMatchObject({ since: '2027-01-01T00:00:00Z', after_ms: 90 * 60_000 });
  });

  test('a server that is down is told of once, whatever the number of its jobs', () => {
    const { runLogs, brief } = logging();
    for (let job = 0; job < 20; job++) runLogs.of(`j${job}`, 's').records([failed()], 5);
    runLogs.of('j7', 's').records([record('empty')], 5);
    expect(brief()).toEqual(['error failed j0 s', 'info back s 20', 'info empty j7 s']);
  });

  test("another cause is told in full, and so is another job's own", () => {
    const { runLogs, brief } = logging();
    const division = { kind: 'data', code: '22012', message: 'division by zero', hint: '' };
    const missing = { kind: 'sql', code: '42P01', message: 'no table', hint: '' };
    for (const error of [division, missing, division, missing]) runLogs.of('a', 's').records([failed(error)], 1);
    runLogs.of('b', 's').records([failed(missing)], 1);
    expect(brief()).toEqual(['error failed a s', 'error failed a s', 'error failed b s']);
    runLogs.of('b', 's').records([record('published')], 1);
    expect(brief().slice(3)).toEqual(['info back b s 1', 'info published b s']);
  });

  test('200 servers that fail together are four lines, and so is their return', () => {
    const { lines, runLogs, brief } = logging();
    for (let n = 1; n <= 200; n++) runLogs.of('j', `edge-${n}`).records([failed()], 5);
    vi.advanceTimersByTime(1000);
    expect(brief()).toEqual([
      'error failed j edge-1',
      'error failed j edge-2',
      'error failed j edge-3',
      'error failed: 197 servers edge-4, edge-5, edge-6, edge-7, edge-8, … 197 197',
    ]);
    expect(lines[3]).toMatchObject({ outcome: 'failed', error: 'connection refused', hint: 'is it running?' });
    lines.length = 0;
    for (let slot = 0; slot < 12; slot++) {
      for (let n = 1; n <= 200; n++) runLogs.of('j', `edge-${n}`).records([failed()], 5);
      vi.advanceTimersByTime(10_000);
    }
    expect(lines.length).toBeLessThan(6);
    lines.length = 0;
    vi.advanceTimersByTime(120_000);
    for (let n = 1; n <= 200; n++) runLogs.of('j', `edge-${n}`).records([record('published')], 5);
    vi.advanceTimersByTime(1000);
    const back = lines.filter(({ msg }) => String(msg).startsWith('back'));
    expect(back.length).toBe(4);
    expect(back.map(({ runs }) => Number(runs)).reduce((a, b) => a + b)).toBe(200 * 13);
  });

  test('retries are told once, then counted with the failures they lead to', () => {
    const { lines, runLogs, brief } = logging();
    const log = runLogs.of('j', 's');
    const failure = new Failure('connection refused', { kind: 'connection', code: 'ECONNREFUSED', retryable: true });
    for (let slot = 0; slot < 3; slot++) {
      for (let retry = 0; retry < 5; retry++) log.retry(Date.now(), failure, 1000);
      log.records([failed()], 5);
    }
    runLogs.close();
    expect(brief()).toEqual(['warn will retry j s', 'error failed j s', 'error still failing s 3']);
    expect(lines[2]).toMatchObject({ runs: 3, retries: 15 });
  });

  test('a server that fails every other run is not news each time', () => {
    const { lines, runLogs } = logging();
    const log = runLogs.of('j', 's');
    for (let run = 0; run < 360; run++) {
      log.records([failed()], 1);
      log.records([record('published')], 1);
      vi.advanceTimersByTime(10_000);
    }
    const told = lines.filter(({ msg }) => msg !== 'published');
    expect(told.length).toBeLessThan(14);
    expect(told.map(({ msg }) => msg)).toContain('fails now and then');
  });

  test('a pause is told once, then at growing intervals, and its end', () => {
    const { runLogs, brief } = logging();
    for (let slots = 1; slots <= 100; slots++) {
      runLogs.of('j', 's').records([record('skipped', { reason: 'paused', slots })], 0);
      vi.advanceTimersByTime(1000);
    }
    runLogs.of('j', 's').records([record('published')], 1);
    expect(brief()).toEqual(['info skipped j s', 'info still paused j s', 'info runs again j s', 'info published j s']);
  });

  test('at level debug each failure has its line', () => {
    const { lines, runLogs } = logging('debug');
    for (let n = 0; n < 500; n++) runLogs.of('j', `s${n % 50}`).records([failed()], 1);
    expect(lines.filter(({ msg }) => msg === 'failed').length).toBe(500);
  });

  test('no failed run is lost: those told at once and those counted add up, whatever happens when', () => {
    const event = fc.record({
      job: fc.constantFrom('a', 'b'),
      server: fc.constantFrom('s1', 's2', 's3', 's4', 's5', 's6'),
      what: fc.constantFrom('ok', 'refused', 'division', 'missing'),
      wait: fc.constantFrom(0, 0, 500, 10_000, 400_000),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const { lines, runLogs } = logging();
        const errors: Record<string, typeof refused> = {
          refused,
          division: { kind: 'data', code: '22012', message: 'division by zero', hint: '' },
          missing: { kind: 'sql', code: '42P01', message: 'no table', hint: '' },
        };
        for (const { job, server, what, wait } of events) {
          const error = errors[what];
          runLogs.of(job, server).records([error ? failed(error) : record('published')], 1);
          vi.advanceTimersByTime(wait);
        }
        // All come back, so that every streak ends with its total.
        vi.advanceTimersByTime(3_600_000);
        for (const server of ['s1', 's2', 's3', 's4', 's5', 's6']) {
          for (const job of ['a', 'b']) runLogs.of(job, server).records([record('published')], 1);
        }
        runLogs.close();
        const told = lines
          .filter(({ msg }) => String(msg).startsWith('back'))
          .reduce((sum, { runs }) => sum + Number(runs), 0);
        expect(told).toBe(events.filter(({ what }) => what !== 'ok').length);
      }),
      { numRuns: 200 },
    );
  });
});
