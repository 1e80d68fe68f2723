// A ledger in memory and attempts that end as a test says, on a clock that a test moves: for the order of decisions and
// records alone. That rows and records really get to Kafka together is tested on a real one.
import type { Attempts } from '../../src/daemon/attempt-contract.ts';
import type { CommitResult, CommitUnit, Ledger } from '../../src/ledger/types.ts';
import { Failure } from '../../src/model/failure.ts';
import type { PublishJob, Server } from '../../src/model/project.ts';
import type { LedgerRecord } from '../../src/model/run.ts';
import type { SourceFile, SourceText } from '../../src/model/source.ts';
import type { PreparedPublish, Timetable } from '../../src/project/prepared.ts';
import { scheduleHash } from '../../src/schedule/hash.ts';
import { parseSchedule } from '../../src/schedule/parse.ts';

const FILE: SourceFile = { path: 'jobs/test.yaml', text: '' };
const sql = (value: string): SourceText => ({ value, file: FILE, span: { start: 0, end: 0 }, toFileOffset: () => 0 });
const located = <T>(value: T): { value: T; file: SourceFile; span: { start: number; end: number } } => ({
  value,
  file: FILE,
  span: { start: 0, end: 0 },
});

export const SERVER: Server = {
  name: 's1',
  host: '127.0.0.1',
  port: 5432,
  user: 'u',
  database: 'd',
  parameters: {},
  tls: { mode: 'disable' },
  labels: {},
  declared: located('s1'),
};

export function timetable(schedule: string, timezone = 'UTC'): Timetable {
  const parsed = parseSchedule(schedule);
  if (!parsed.ok) throw new Error(parsed.message);
  return { schedule: parsed.schedule, timezone, hash: scheduleHash(parsed.schedule, timezone) };
}

export function prepared(
  schedule: string,
  changes: Partial<PublishJob> = {},
  interval = false,
): PreparedPublish & { timetable: Timetable } {
  const job: PublishJob = {
    kind: 'publish',
    name: 'j',
    declared: located('j'),
    schedule: sql(schedule),
    timezone: located('UTC'),
    selector: { all: true },
    servers: [SERVER],
    timeout: 30_000,
    retries: 5,
    query: sql('select 1 as one'),
    topic: { name: 'T', config: {} },
    headers: [],
    nullKey: 'error',
    delay: 0,
    catchupWindow: 3_600_000,
    splay: 0,
    concurrency: 32,
    delivery: 'exactly_once',
    ...changes,
  };
  return {
    kind: 'publish',
    job,
    timetable: timetable(schedule),
    sql: { usesWindow: interval, functions: [] } as unknown as PreparedPublish['sql'],
    interval,
    overlap: changes.overlap ?? (interval ? 'queue' : 'skip'),
    catchup: changes.catchup ?? (interval ? 'all' : 'latest'),
    fingerprint: JSON.stringify([schedule, changes]),
  };
}

export interface ScriptedLedger extends Ledger {
  /** Every record committed, in order. */
  readonly committed: LedgerRecord[];
  /** What the next commits end with; committed when empty. */
  readonly results: CommitResult[];
  state: LedgerRecord | undefined;
  isPaused: boolean;
  isAvailable: boolean;
}

export function scriptedLedger(state?: LedgerRecord): ScriptedLedger {
  const ledger: ScriptedLedger = {
    committed: [],
    results: [],
    state,
    isPaused: false,
    isAvailable: true,
    start: async () => undefined,
    stop: async () => undefined,
    onChange: () => () => undefined,
    get available() {
      return ledger.isAvailable;
    },
    owns: () => true,
    begin: () => () => undefined,
    last: () => ledger.state,
    paused: () => (ledger.isPaused ? { since: '2027-01-01T00:00:00Z' } : undefined),
    committer: () => ({
      async commit(unit: CommitUnit) {
        const result = ledger.results.shift() ?? { status: 'committed' as const };
        if (result.status === 'committed') {
          ledger.committed.push(...unit.records);
          ledger.state = unit.records.at(-1) ?? ledger.state;
        }
        return result;
      },
      openStream: () => Promise.reject(new Failure('not scripted', { kind: 'internal' })),
    }),
  };
  return ledger;
}

export interface ManualClock {
  now: number;
  readonly read: () => number;
}

export function manualClock(at: string): ManualClock {
  const clock = { now: Date.parse(at), read: () => clock.now };
  return clock;
}

/** Attempts that each wait for the test to end them. */
export function scriptedAttempts(): Attempts & {
  readonly started: { slot: number; trigger: string; end(outcome: number | Failure): void }[];
} {
  const started: { slot: number; trigger: string; end(outcome: number | Failure): void }[] = [];
  return {
    started,
    once: (run) =>
      new Promise((resolve) => {
        run.signal.addEventListener('abort', () =>
          resolve({ status: 'failed', failure: new Failure('stopping', { kind: 'cancelled' }), place: undefined }),
        );
        started.push({
          slot: run.slot,
          trigger: run.trigger,
          end(outcome) {
            if (outcome instanceof Failure) resolve({ status: 'failed', failure: outcome, place: undefined });
            else
              resolve({
                status: 'read',
                rows: outcome,
                bytes: outcome * 10,
                batches: [],
                stream: undefined,
                release: () => undefined,
              });
          },
        });
      }),
  };
}
