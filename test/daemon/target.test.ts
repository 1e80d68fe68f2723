import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import { createRunLogs } from '../../src/daemon/run-log.ts';
import { createTarget } from '../../src/daemon/target.ts';
import type { Target } from '../../src/daemon/target-contract.ts';
import { Failure } from '../../src/model/failure.ts';
import type { PublishJob } from '../../src/model/project.ts';
import type { LedgerRecord } from '../../src/model/run.ts';
import { manualClock, prepared, SERVER, scriptedAttempts, scriptedLedger } from './scripted.ts';

const lines: string[] = [];
const quiet = createLog({ write: (line) => lines.push(line), pretty: false, level: 'warn' });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(options: {
  at: string;
  schedule?: string;
  last?: string;
  job?: Partial<PublishJob>;
  interval?: boolean;
  hash?: string;
}) {
  const job = prepared(options.schedule ?? '*/10 * * * * *', options.job, options.interval);
  const clock = manualClock(options.at);
  const state: LedgerRecord | undefined = options.last
    ? {
        slot: options.last,
        outcome: 'registered',
        rows: 0,
        bytes: 0,
        run: 'r',
        trigger: 'schedule',
        started: options.last,
        finished: options.last,
        schedule: options.hash ?? job.timetable.hash,
      }
    : undefined;
  const ledger = scriptedLedger(state);
  const attempts = scriptedAttempts();
  const runLogs = createRunLogs(quiet, clock.read);
  // What it waits to tell would go on in the timers that the next file of this worker fakes.
  onTestFinished(() => runLogs.close());
  const target: Target = createTarget(job, job.timetable, SERVER, {
    ledger,
    attempts,
    log: quiet,
    runLogs,
    clock: clock.read,
    onRecord: () => undefined,
  });
  const outcomes = (): string[] =>
    ledger.committed.map((record) =>
      [
        record.outcome,
        record.slot.slice(11, 19),
        ...(record.outcome === 'skipped' ? [record.reason, record.slots] : []),
      ].join(' '),
    );
  return { clock, ledger, attempts, target, outcomes };
}

describe('a (job, server)', () => {
  test('whose last slot is ahead of the clock says so and counts as failing until the clock has reached it', async () => {
    const { clock, attempts, target } = setUp({ at: '2027-01-01T12:00:07Z', last: '2027-01-01T15:00:00Z' });
    target.evaluate();
    clock.now += 10_000;
    target.evaluate();
    expect(attempts.started).toEqual([]);
    expect(target.waiting).toMatchObject({
      slot: Date.parse('2027-01-01T12:00:00Z'),
      failure: { message: expect.stringMatching(/2027-01-01T15:00:00Z.* ahead of this machine's clock/) },
    });
    expect(lines.filter((line) => line.includes('ahead of the clock')).length).toBe(1);
    clock.now = Date.parse('2027-01-01T15:00:10Z');
    target.evaluate();
    attempts.started[0]?.end(3);
    await turn();
    await turn();
    expect(target.waiting).toBeUndefined();
  });

  test('is registered at its last slot when it is seen first, and runs at its next', async () => {
    const { clock, attempts, target, outcomes } = setUp({ at: '2027-01-01T12:00:07Z' });
    target.evaluate();
    await turn();
    expect(outcomes()).toEqual(['registered 12:00:00']);
    expect(attempts.started).toEqual([]);
    clock.now += 3000;
    target.evaluate();
    attempts.started[0]?.end(2);
    await turn();
    expect(outcomes()).toEqual(['registered 12:00:00', 'published 12:00:10']);
  });

  test('is registered anew when its schedule has changed', async () => {
    const { target, outcomes, ledger } = setUp({
      at: '2027-01-01T12:00:07Z',
      last: '2027-01-01T11:00:00Z',
      hash: 'another',
    });
    target.evaluate();
    await turn();
    expect(outcomes()).toEqual(['registered 12:00:00']);
    expect(ledger.state?.schedule).not.toBe('another');
  });

  test('records the slots that a long run overlapped with the outcome of that run, and goes on with the next', async () => {
    const { clock, attempts, target, outcomes } = setUp({ at: '2027-01-01T12:00:10Z', last: '2027-01-01T12:00:00Z' });
    target.evaluate();
    clock.now += 10_000;
    target.evaluate();
    clock.now += 12_000;
    target.evaluate();
    expect(attempts.started).toHaveLength(1);
    attempts.started[0]?.end(1);
    await turn();
    expect(outcomes()).toEqual(['published 12:00:10', 'skipped 12:00:30 overlap 2']);
    clock.now += 8_000;
    target.evaluate();
    expect(attempts.started[1]?.slot).toBe(Date.parse('2027-01-01T12:00:40Z'));
  });

  test('an interval job queues what came meanwhile and runs it in order', async () => {
    const { clock, attempts, target, outcomes } = setUp({
      at: '2027-01-01T12:00:10Z',
      last: '2027-01-01T12:00:00Z',
      interval: true,
    });
    target.evaluate();
    clock.now += 20_000;
    for (const index of [0, 1, 2]) {
      attempts.started[index]?.end(0);
      await turn();
    }
    expect(outcomes()).toEqual(['empty 12:00:10', 'empty 12:00:20', 'empty 12:00:30']);
    expect(attempts.started.map((run) => run.trigger)).toEqual(['schedule', 'catchup', 'schedule']);
  });

  test('after downtime a snapshot job catches up its latest slot and records the others as missed first', async () => {
    const { attempts, target, outcomes } = setUp({
      at: '2027-01-01T12:30:00Z',
      schedule: '0 */10 * * * *',
      last: '2027-01-01T12:00:00Z',
    });
    target.evaluate();
    attempts.started[0]?.end(3);
    await turn();
    expect(outcomes()).toEqual(['skipped 12:20:00 missed 2', 'published 12:30:00']);
  });

  test('while it is paused its slots are recorded as skipped, consecutive ones as one', async () => {
    const { clock, ledger, attempts, target, outcomes } = setUp({
      at: '2027-01-01T12:00:10Z',
      last: '2027-01-01T12:00:00Z',
    });
    ledger.isPaused = true;
    for (let i = 0; i < 3; i++) {
      target.evaluate();
      await turn();
      clock.now += 10_000;
    }
    expect(outcomes()).toEqual(['skipped 12:00:10 paused 1', 'skipped 12:00:20 paused 2', 'skipped 12:00:30 paused 3']);
    expect(ledger.state?.since).toBe('2027-01-01T12:00:10Z');
    ledger.isPaused = false;
    target.evaluate();
    attempts.started[0]?.end(1);
    await turn();
    expect(outcomes().at(-1)).toBe('published 12:00:40');
  });

  test('a final failure is recorded at once, with what was wrong', async () => {
    const { attempts, target, outcomes, ledger } = setUp({ at: '2027-01-01T12:00:10Z', last: '2027-01-01T12:00:00Z' });
    target.evaluate();
    attempts.started[0]?.end(new Failure('division by zero', { kind: 'data', code: '22012', hint: 'use nullif' }));
    await turn();
    expect(outcomes()).toEqual(['failed 12:00:10']);
    expect(ledger.state?.error).toEqual({
      kind: 'data',
      message: 'division by zero',
      code: '22012',
      hint: 'use nullif',
    });
  });

  test('a snapshot job retries while that fits before its next slot; that slot then runs and is not called overlapped', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { clock, attempts, target, outcomes, ledger } = setUp({
        at: '2027-01-01T12:00:10Z',
        last: '2027-01-01T12:00:00Z',
      });
      target.evaluate();
      const refused = new Failure('connection refused', { kind: 'connection', retryable: true });
      for (let i = 0; attempts.started.length < 6 && i < 100; i++) {
        if (attempts.started.at(-1)?.slot === Date.parse('2027-01-01T12:00:20Z')) break;
        attempts.started.at(-1)?.end(refused);
        await turn();
        // As soon as no retry fits any more, and not only when the next slot is due.
        if (clock.now >= Date.parse('2027-01-01T12:00:19Z')) expect(outcomes()).toEqual(['failed 12:00:10']);
        clock.now += 1000;
        await vi.advanceTimersByTimeAsync(1000);
        target.evaluate();
        await turn();
      }
      expect(outcomes()).toEqual(['failed 12:00:10']);
      expect(ledger.committed[0]?.attempts).toBeGreaterThan(2);
      expect(attempts.started.at(-1)?.slot).toBe(Date.parse('2027-01-01T12:00:20Z'));
    } finally {
      vi.useRealTimers();
    }
  });

  test('when Kafka does not take the commit nothing is recorded and the slot stays due', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { clock, attempts, target, outcomes, ledger } = setUp({
        at: '2027-01-01T12:00:10Z',
        last: '2027-01-01T12:00:00Z',
      });
      ledger.results.push({
        status: 'unavailable',
        failure: new Failure('no broker', { kind: 'kafka', retryable: true }),
        outcomeUnknown: false,
      });
      target.evaluate();
      attempts.started[0]?.end(1);
      await turn();
      expect(outcomes()).toEqual([]);
      expect(attempts.started).toHaveLength(1);
      clock.now += 1500;
      await vi.advanceTimersByTimeAsync(1500);
      expect(attempts.started[1]?.slot).toBe(attempts.started[0]?.slot);
      attempts.started[1]?.end(1);
      await turn();
      expect(outcomes()).toEqual(['published 12:00:10']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a run whose rows Kafka refuses has failed', async () => {
    const { attempts, target, outcomes, ledger } = setUp({ at: '2027-01-01T12:00:10Z', last: '2027-01-01T12:00:00Z' });
    ledger.results.push({ status: 'refused', failure: new Failure('topic `T` does not exist', { kind: 'topic' }) });
    target.evaluate();
    attempts.started[0]?.end(1);
    await turn();
    expect(outcomes()).toEqual(['failed 12:00:10']);
  });

  test('cancelling leaves the slot due and records nothing', async () => {
    const { target, outcomes } = setUp({ at: '2027-01-01T12:00:10Z', last: '2027-01-01T12:00:00Z' });
    target.evaluate();
    const stopped = target.stop();
    target.cancel('pgtally is stopping');
    await stopped;
    expect(outcomes()).toEqual([]);
    target.evaluate();
    expect(target.busy).toBe(false);
  });

  test('overlap: queue runs what came due during a run even when nothing is caught up after downtime', async () => {
    const { clock, attempts, target, outcomes } = setUp({
      at: '2027-01-01T12:00:10Z',
      last: '2027-01-01T12:00:00Z',
      job: { catchup: 'none', overlap: 'queue' },
    });
    target.evaluate();
    clock.now += 20_000;
    for (const index of [0, 1, 2]) {
      attempts.started[index]?.end(1);
      await turn();
    }
    expect(outcomes()).toEqual(['published 12:00:10', 'published 12:00:20', 'published 12:00:30']);
  });

  test('with a backlog to catch up, nothing newer is skipped as overlapped before it', async () => {
    const { clock, attempts, target, outcomes } = setUp({
      at: '2027-01-01T12:00:30Z',
      last: '2027-01-01T12:00:00Z',
      job: { catchup: 'all', overlap: 'skip' },
    });
    target.evaluate();
    clock.now += 10_000;
    for (let index = 0; index < 4; index++) {
      attempts.started[index]?.end(1);
      await turn();
    }
    expect(outcomes()).toEqual([
      'published 12:00:10',
      'published 12:00:20',
      'published 12:00:30',
      'published 12:00:40',
    ]);
  });

  test('a record says how many slots in a row have failed and when one last succeeded', async () => {
    const { clock, ledger, attempts, target } = setUp({ at: '2027-01-01T12:00:10Z', last: '2027-01-01T12:00:00Z' });
    const broken = new Failure('division by zero', { kind: 'data' });
    // The run at :20 takes so long that the slots at :30 and :40 are skipped.
    const ends: (number | Failure)[] = [broken, broken, 3, broken];
    for (const [index, end] of ends.entries()) {
      target.evaluate();
      await turn();
      if (index === 1) clock.now += 20_000;
      attempts.started[index]?.end(end);
      await turn();
      clock.now += 10_000;
    }
    const line = ({ outcome, failures, failure, succeeded }: LedgerRecord): unknown[] => [
      outcome,
      failures,
      failure?.message,
      succeeded,
    ];
    expect(ledger.committed.map(line)).toEqual([
      ['failed', 1, undefined, undefined],
      ['failed', 2, undefined, undefined],
      ['skipped', 2, 'division by zero', undefined],
      ['published', undefined, undefined, undefined],
      ['failed', 1, undefined, '2027-01-01T12:00:50.000Z'],
    ]);
  });
});
