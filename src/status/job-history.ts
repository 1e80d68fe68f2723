// A job's past for its page: the newest runs in full, and each slot summed over its servers for the plots. Read from
// `<ledger>.history`, so it outlives restarts; how far back is bounded, because a large fleet writes thousands of outcomes a second.
import { scanHistory } from '../ledger/history.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { nextTick } from '../schedule/ticks.ts';
import type { StatusSource } from './source.ts';
import { type RunTuple, type Seconds, toRun, toSeconds } from './wire.ts';

/** A slot over all its servers. `slowest`: the longest run's milliseconds. */
export type SlotTuple = readonly [slot: Seconds, rows: number, slowest: number, runs: number, failed: number];

export interface JobHistory {
  /** Nothing older was looked at; null: all that is kept was. */
  readonly since: Seconds | null;
  /** Oldest first. */
  readonly slots: readonly SlotTuple[];
  /** Newest first. */
  readonly runs: readonly RunTuple[];
  readonly problems: readonly string[];
}

export interface JobHistories {
  /** Of one server or of all. Rejects with a Failure when Kafka cannot be read. */
  read(job: JobName, server?: ServerName): Promise<JobHistory>;
}

const NEWEST_RUNS = 50;
const WANTED_SLOTS = 60;
const MOST_SLOTS = 400;
/** Outcomes of all jobs that one look may read: about a second's work. */
const SCAN_LIMIT = 200_000;
const WINDOW_GROWTH = 6;
const DAY: Milliseconds = 24 * 3_600_000;
/** History is kept for 7 days. */
const LONGEST: Milliseconds = 8 * DAY;

export function createJobHistories(source: StatusSource): JobHistories {
  /** One at a time: several pages that open together must not take the processor from the runs. */
  let last: Promise<unknown> = Promise.resolve();
  const reading = new Map<string, Promise<JobHistory>>();
  return {
    read(job, server) {
      const key = JSON.stringify([job, server]);
      const known = reading.get(key);
      if (known) return known;
      const found = last.then(() => readHistoryOf(source, job, server)).finally(() => reading.delete(key));
      reading.set(key, found);
      last = found.catch(() => undefined);
      return found;
    },
  };
}

async function readHistoryOf(source: StatusSource, job: JobName, server?: ServerName): Promise<JobHistory> {
  const now = source.clock();
  const most = Math.min(LONGEST, longestWindow(source.jobs(), now));
  const prepared = source.jobs().find((one) => one.job.name === job);
  let window = Math.min(most, (prepared ? (intervalOf(prepared, now) ?? DAY) : DAY) * WANTED_SLOTS);
  for (;;) {
    const whole = window >= LONGEST;
    const since = whole ? undefined : Math.floor(now - window);
    const found = await scan(source, { job, since, ...(server === undefined ? {} : { server }) });
    if (whole || window >= most || (found.slots.length >= WANTED_SLOTS && found.runs.length >= NEWEST_RUNS)) {
      return { since: since === undefined ? null : toSeconds(since), ...found };
    }
    window = Math.min(window * WINDOW_GROWTH, most);
  }
}

async function scan(
  source: StatusSource,
  what: { readonly job: JobName; readonly server?: ServerName; readonly since: number | undefined },
): Promise<Omit<JobHistory, 'since'>> {
  const slots = new Map<Seconds, SlotTuple>();
  const newest: { readonly at: number; readonly run: RunTuple }[] = [];
  const problems = await scanHistory(source.client, source.project().ledger, what, (server, record, at) => {
    const run = toRun(server, record);
    newest.push({ at, run });
    if (newest.length > 4 * NEWEST_RUNS) keepNewest(newest);
    addToSlot(slots, run);
    if (slots.size > 2 * MOST_SLOTS) forgetOldest(slots);
  });
  keepNewest(newest);
  forgetOldest(slots);
  return {
    slots: [...slots.values()].sort(([a], [b]) => a - b),
    runs: newest.map(({ run }) => run).reverse(),
    problems,
  };
}

function addToSlot(slots: Map<Seconds, SlotTuple>, [, slot, outcome, rows, ms]: RunTuple): void {
  // A skip has no duration, and first sight is no run.
  if (outcome === 's' || outcome === 'r') return;
  const [, allRows, slowest, runs, failed] = slots.get(slot) ?? [slot, 0, 0, 0, 0];
  slots.set(slot, [slot, allRows + rows, Math.max(slowest, ms), runs + 1, failed + (outcome === 'f' ? 1 : 0)]);
}

function keepNewest(runs: { readonly at: number; readonly run: RunTuple }[]): void {
  runs.sort((a, b) => a.at - b.at || a.run[1] - b.run[1]);
  runs.splice(0, runs.length - NEWEST_RUNS);
}

function forgetOldest(slots: Map<Seconds, SlotTuple>): void {
  const old = [...slots.keys()].sort((a, b) => b - a).slice(MOST_SLOTS);
  for (const slot of old) slots.delete(slot);
}

/** How far back SCAN_LIMIT outcomes reach at the rate of the schedules. */
function longestWindow(jobs: readonly PreparedJob[], now: number): Milliseconds {
  let perMillisecond = 0;
  for (const prepared of jobs) {
    const interval = intervalOf(prepared, now);
    if (interval !== undefined) perMillisecond += prepared.job.servers.length / interval;
  }
  return perMillisecond === 0 ? LONGEST : SCAN_LIMIT / perMillisecond;
}

function intervalOf({ timetable }: PreparedJob, now: number): Milliseconds | undefined {
  if (!timetable) return undefined;
  const { schedule, timezone } = timetable;
  const next = nextTick(schedule, timezone, now);
  return nextTick(schedule, timezone, next) - next;
}
