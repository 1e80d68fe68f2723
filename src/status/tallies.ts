// What this process has done, counted as it is recorded: plain numbers, because a run may be one of thousands a second, and the
// four labelled counters of prom-client that it would move take 1.7 µs each. What is made of them when somebody asks is in
// metrics.ts. Pure.
import type { LedgerRecord, Outcome, SkipReason } from '../model/run.ts';
import type { Bytes, JobName, Milliseconds, ServerName } from '../model/units.ts';

/** A record once it is committed; `previous`: the one before it. */
export interface Recorded {
  readonly job: JobName;
  readonly server: ServerName;
  /** All by which its dispatch is late on purpose. */
  readonly lateBy: Milliseconds;
  readonly record: LedgerRecord;
  readonly previous: LedgerRecord | undefined;
  /** How long the run took that it was recorded with. */
  readonly took: Milliseconds;
}

/** Of a (job, server). */
export interface PairTally {
  /** Slots by how they ended. */
  readonly slots: Record<Outcome, number>;
  rows: number;
  /** The last record and how late it was to be, until somebody asks what it says. */
  last: { readonly record: LedgerRecord; readonly lateBy: Milliseconds } | undefined;
  /** What was made of the record before `last`, or of it. */
  read: PairState | undefined;
}

/** Undefined until something was recorded here or read from the ledger. */
export function stateOf(pair: PairTally): PairState | undefined {
  const { last } = pair;
  if (last) pair.read = readState(last.record, last.lateBy, pair.read);
  pair.last = undefined;
  return pair.read;
}

/** What the last record says, whoever wrote it. */
export interface PairState {
  /** Epoch milliseconds. */
  readonly finished: number;
  readonly succeeded: number | undefined;
  readonly failures: number;
  /** Whether the last run reached its server; undefined when there was none. */
  readonly reached: boolean | undefined;
  /** How late the last run was dispatched; undefined when there was none. */
  readonly lag: Milliseconds | undefined;
}

export interface JobTally {
  readonly pairs: Map<ServerName, PairTally>;
  bytes: Bytes;
  readonly skipped: Record<SkipReason, number>;
  /** Runs by RUN_SECONDS, the last for those above all; each counted once. */
  readonly durations: number[];
  /** Of all runs together. */
  took: Milliseconds;
}

export interface Tallies {
  readonly jobs: ReadonlyMap<JobName, JobTally>;
  readonly recorded: (recorded: Recorded) => void;
  /** Rows of a stream, which has no slots. */
  readonly streamed: (job: JobName, server: ServerName, rows: number) => void;
  /** Takes what the ledger says of a (job, server) of which nothing is known. */
  seed(job: JobName, server: ServerName, lateBy: Milliseconds, last: LedgerRecord): void;
  /** Others may have run what this process ran before: what the ledger says is read again. Counts stay. */
  unsettle(): void;
  /** Drops all others: their series end. */
  retain(known: ReadonlyMap<JobName, ReadonlySet<ServerName>>): void;
}

/** Upper bounds of the histogram of runs, in seconds. */
export const RUN_SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createTallies(): Tallies {
  const jobs = new Map<JobName, JobTally>();

  const jobOf = (name: JobName): JobTally => {
    let job = jobs.get(name);
    if (!job) {
      const skipped = { overlap: 0, missed: 0, paused: 0, stopped: 0 };
      job = { pairs: new Map(), bytes: 0, skipped, durations: [...RUN_SECONDS, 0].fill(0), took: 0 };
      jobs.set(name, job);
    }
    return job;
  };
  const pairOf = (job: JobTally, server: ServerName): PairTally => {
    let pair = job.pairs.get(server);
    if (!pair) {
      const slots = { published: 0, empty: 0, failed: 0, skipped: 0, registered: 0 };
      pair = { slots, rows: 0, last: undefined, read: undefined };
      job.pairs.set(server, pair);
    }
    return pair;
  };

  return {
    jobs,
    recorded({ job: name, server, lateBy, record, previous, took }) {
      const job = jobOf(name);
      const pair = pairOf(job, server);
      const slots = newSlots(record, previous);
      pair.slots[record.outcome] += slots;
      // A skip says less than the run before it, of which the rest is kept.
      if (record.outcome === 'skipped') stateOf(pair);
      pair.last = { record, lateBy };
      if (record.outcome === 'skipped') {
        job.skipped[record.reason ?? 'missed'] += slots;
        return;
      }
      if (record.outcome === 'registered') return;
      pair.rows += record.rows;
      job.bytes += record.bytes;
      job.took += took;
      const bucket = RUN_SECONDS.findIndex((bound) => took <= bound * 1000);
      const index = bucket < 0 ? RUN_SECONDS.length : bucket;
      job.durations[index] = (job.durations[index] ?? 0) + 1;
    },
    streamed(job, server, rows) {
      pairOf(jobOf(job), server).rows += rows;
    },
    seed(job, server, lateBy, last) {
      pairOf(jobOf(job), server).last = { record: last, lateBy };
    },
    unsettle() {
      for (const { pairs } of jobs.values()) {
        for (const pair of pairs.values()) {
          pair.last = undefined;
          pair.read = undefined;
        }
      }
    },
    retain(known) {
      for (const [name, { pairs }] of jobs) {
        const servers = known.get(name);
        if (!servers) jobs.delete(name);
        else for (const server of pairs.keys()) if (!servers.has(server)) pairs.delete(server);
      }
    },
  };
}

/** A record of skips may go on from the one before, and then its count holds that one's too. */
function newSlots(record: LedgerRecord, previous: LedgerRecord | undefined): number {
  if (record.outcome !== 'skipped') return 1;
  const slots = record.slots ?? 1;
  const goesOn =
    previous?.outcome === 'skipped' && previous.since === record.since && previous.reason === record.reason;
  return goesOn ? slots - (previous.slots ?? 1) : slots;
}

function readState(record: LedgerRecord, lateBy: Milliseconds, before: PairState | undefined): PairState {
  const { outcome, error, failure, failures = 0, succeeded } = record;
  const finished = Date.parse(record.finished);
  const isSuccess = outcome === 'published' || outcome === 'empty';
  const isRun = isSuccess || outcome === 'failed';
  const why = error ?? failure;
  return {
    finished,
    succeeded: isSuccess ? finished : succeeded === undefined ? undefined : Date.parse(succeeded),
    failures,
    reached: isRun || why ? why?.kind !== 'connection' && why?.kind !== 'timeout' : before?.reached,
    lag: isRun ? Math.max(0, Date.parse(record.started) - Date.parse(record.slot) - lateBy) : before?.lag,
  };
}
