// Replicas of a daemon in one process, on clocks that a test moves, over one ledger in memory that keeps and judges records as
// src/ledger does: for time alone, as a year cannot pass on a real broker. All else about the ledger is tested on a real one.
import { vi } from 'vitest';
import type { AttemptOutcome } from '../../src/daemon/attempt-contract.ts';
import { createDispatcher, type Dispatcher } from '../../src/daemon/dispatcher.ts';
import { createLog } from '../../src/daemon/log.ts';
import type { RunLogs } from '../../src/daemon/run-log.ts';
import type { ScheduledJob } from '../../src/daemon/scheduled.ts';
import { createTarget } from '../../src/daemon/target.ts';
import { prepareUnit } from '../../src/ledger/commit-plan.ts';
import { judgeUnit } from '../../src/ledger/judge.ts';
import { runKey } from '../../src/ledger/record.ts';
import { createRunHolds } from '../../src/ledger/run-holds.ts';
import { createLedgerState } from '../../src/ledger/state.ts';
import type { CommitResult, CommitUnit, Ledger } from '../../src/ledger/types.ts';
import { Failure } from '../../src/model/failure.ts';
import type { LedgerRecord } from '../../src/model/run.ts';
import type { Milliseconds } from '../../src/model/units.ts';

/** A record as `<ledger>.history` keeps it; `by`: the replica that committed it. */
export interface HistoryEntry {
  readonly job: string;
  readonly server: string;
  readonly by: string;
  readonly record: LedgerRecord;
}

export interface Replica {
  readonly name: string;
  readonly dispatcher: Dispatcher;
  /** By how much its clock is ahead of the world's. */
  skew: Milliseconds;
  /** No wake-ups while false: a laptop that sleeps, a process that is frozen. */
  awake: boolean;
  /** Whether it reaches Kafka. */
  reachesKafka: boolean;
}

export interface World {
  /** The true time, epoch milliseconds. */
  now: number;
  readonly history: readonly HistoryEntry[];
  /** Of one (job, server). */
  records(job: string, server?: string): LedgerRecord[];
  /** A replica of these jobs. The first one owns the ledger's one shard. */
  join(name: string, jobs: readonly ScheduledJob[], skew?: Milliseconds): Replica;
  /** Lets time pass, in steps: after each, whoever is awake is woken. */
  pass(time: Milliseconds, step?: Milliseconds): Promise<void>;
  /** In good order: the next owner has it once no run is under way. `by force`: at once, as when the owner was taken for dead. */
  handOver(to: Replica, how?: 'in good order' | 'by force'): void;
  readonly owner: Replica | undefined;
}

const SHARD = 0;
const silent: RunLogs = {
  of: () => ({
    registered: () => undefined,
    retry: () => undefined,
    notCommitted: () => undefined,
    ahead: () => undefined,
    warned: () => undefined,
    halted: () => undefined,
    records: () => undefined,
  }),
  update: () => undefined,
  close: () => undefined,
};
const quiet = createLog({ write: () => undefined, pretty: false, level: 'error' });

/** `duration`: how long each query takes. Timers are to be faked (`vi.useFakeTimers`): they follow the time that passes. */
export function createWorld(at: string, duration: Milliseconds = 0): World {
  const state = createLedgerState(1);
  const history: HistoryEntry[] = [];
  const replicas: Replica[] = [];
  const running: { readonly until: number; end(): void }[] = [];
  let owner: Replica | undefined;
  let next: Replica | undefined;
  /** Moves when anything is begun: whoever does nothing need not be waited for. */
  let begun = 0;
  const holdsOf = new Map<Replica, ReturnType<typeof createRunHolds>>();
  const holds = (replica: Replica) => {
    const found = holdsOf.get(replica) ?? createRunHolds();
    holdsOf.set(replica, found);
    return found;
  };

  const commit = (replica: Replica, unit: CommitUnit): CommitResult => {
    const refused = (kind: 'kafka' | 'fenced'): CommitResult => {
      return { status: 'unavailable', failure: new Failure(kind, { kind, retryable: true }), outcomeUnknown: false };
    };
    if (!replica.reachesKafka) return refused('kafka');
    if (owner !== replica) return refused('fenced');
    const prepared = prepareUnit(unit);
    const verdict = judgeUnit(state, SHARD, prepared, holds(replica).basisOf(prepared.stateKey)?.text);
    if (verdict.status === 'superseded')
      return { status: 'unavailable', failure: verdict.failure, outcomeUnknown: false };
    if (verdict.status === 'open' && prepared.stateText !== undefined) {
      state.fold(SHARD, { key: prepared.stateKey, value: prepared.stateText });
      holds(replica).committed(prepared.stateKey, prepared.stateText);
      const { job, server } = unit;
      history.push(...unit.records.map((record) => ({ job, server, by: replica.name, record })));
    }
    return { status: 'committed' };
  };

  const ledgerOf = (replica: Replica): Ledger => ({
    start: async () => undefined,
    stop: async () => undefined,
    onChange: () => () => undefined,
    get available() {
      return replica.reachesKafka;
    },
    owns: () => owner === replica,
    begin(job, server) {
      if (owner !== replica || next || !replica.reachesKafka) return undefined;
      begun++;
      const end = holds(replica).begin(runKey(job, server), state.text(SHARD, runKey(job, server)));
      return () => {
        end();
        settleHandOver();
      };
    },
    last: (job, server) => state.record(SHARD, runKey(job, server)),
    paused: () => undefined,
    committer: () => ({
      commit: async (unit) => commit(replica, unit),
      openStream: () => Promise.reject(new Failure('no streams here', { kind: 'internal' })),
    }),
  });

  const settleHandOver = (): void => {
    if (!next || (owner && holds(owner).count > 0)) return;
    owner = next;
    next = undefined;
    for (const { dispatcher, awake } of replicas) if (awake) dispatcher.evaluateAll();
  };

  const attempt = (): Promise<AttemptOutcome> => {
    const rows = { rows: 1, bytes: 10, batches: [], stream: undefined, release: () => undefined };
    const result: AttemptOutcome = { status: 'read', ...rows };
    if (duration === 0) return Promise.resolve(result);
    return new Promise((resolve) => running.push({ until: world.now + duration, end: () => resolve(result) }));
  };

  /** Commits settle by microtasks alone, so that one turn of the event loop sees all of them through. */
  const settle = async (work: () => void): Promise<void> => {
    const before = begun;
    work();
    if (begun !== before) await new Promise((resolve) => setImmediate(resolve));
  };

  const world: World = {
    now: Date.parse(at),
    history,
    records: (job, server = 's1') =>
      history.filter((entry) => entry.job === job && entry.server === server).map(({ record }) => record),
    join(name, jobs, skew = 0) {
      const clock = () => world.now + replica.skew;
      const dispatcher = createDispatcher(
        (prepared, timetable, server) =>
          createTarget(prepared, timetable, server, {
            ledger,
            attempts: { once: attempt },
            log: quiet,
            runLogs: silent,
            clock,
            onRecord: () => undefined,
          }),
        () => 0,
        clock,
      );
      const replica: Replica = { name, dispatcher, skew, awake: true, reachesKafka: true };
      const ledger = ledgerOf(replica);
      dispatcher.update(jobs);
      replicas.push(replica);
      owner ??= replica;
      return replica;
    },
    async pass(time, step = 1000) {
      const end = world.now + time;
      while (world.now < end) {
        world.now = Math.min(end, world.now + step);
        const ended = running.filter(({ until }) => until <= world.now);
        for (const run of ended) {
          running.splice(running.indexOf(run), 1);
          run.end();
        }
        if (ended.length > 0) await new Promise((resolve) => setImmediate(resolve));
        if (vi.getTimerCount() > 0) await vi.advanceTimersByTimeAsync(step);
        await settle(() => {
          for (const { awake, dispatcher } of replicas) if (awake) dispatcher.wake();
        });
      }
    },
    handOver(to, how = 'in good order') {
      next = to;
      if (how === 'by force') {
        owner = to;
        next = undefined;
        for (const { dispatcher, awake } of replicas) if (awake) dispatcher.evaluateAll();
      } else settleHandOver();
    },
    get owner() {
      return owner;
    },
  };
  return world;
}
