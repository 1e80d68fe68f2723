// Metrics of jobs and their runs: names, what they say, and where their values come from.
import type { Outcome, SkipReason } from '../model/run.ts';
import type { JobName } from '../model/units.ts';
import type { Timetable } from '../project/prepared.ts';
import { previousTick } from '../schedule/ticks.ts';
import type { Labels, MetricDefinition, Sample } from './metric-definition.ts';
import type { JobView, PairView, Scrape } from './scrape.ts';
import { RUN_SECONDS, stateOf } from './tallies.ts';

const OUTCOMES: readonly Outcome[] = ['published', 'empty', 'failed', 'skipped', 'registered'];
/** Written as 0 before the first: what appears as 1 is no increase to Prometheus. */
const ALWAYS: ReadonlySet<Outcome> = new Set(['published', 'failed']);
const REASONS: readonly SkipReason[] = ['overlap', 'missed', 'paused', 'stopped'];
const SLOTS_OF_INTERVAL = 3;

export const RUN_METRICS: readonly MetricDefinition[] = [
  {
    name: 'pgtally_runs_total',
    type: 'counter',
    help: 'Slots that ended, by outcome.',
    *samples(scrape) {
      for (const { labels, pairs } of series(scrape)) {
        for (const outcome of OUTCOMES) {
          const value = sum(pairs, ({ tally }) => tally.slots[outcome]);
          if (value > 0 || ALWAYS.has(outcome) || !scrape.perServer) yield { labels: { ...labels, outcome }, value };
        }
      }
    },
  },
  {
    name: 'pgtally_run_seconds',
    type: 'histogram',
    help: 'How long runs took, from their dispatch to their commit, retries included.',
    *samples({ jobs }) {
      for (const [job, { tally }] of jobs) {
        let count = 0;
        for (const [index, runs] of (tally?.durations ?? []).entries()) {
          count += runs;
          yield { labels: { job, le: String(RUN_SECONDS[index] ?? '+Inf') }, value: count, part: '_bucket' };
        }
        if (!tally) continue;
        yield { labels: { job }, value: tally.took / 1000, part: '_sum' };
        yield { labels: { job }, value: count, part: '_count' };
      }
    },
  },
  {
    name: 'pgtally_rows_total',
    type: 'counter',
    help: 'Rows that were published or ingested.',
    *samples(scrape) {
      for (const { labels, pairs } of series(scrape)) yield { labels, value: sum(pairs, ({ tally }) => tally.rows) };
    },
  },
  {
    name: 'pgtally_bytes_total',
    type: 'counter',
    help: 'Bytes of the rows that were published or ingested.',
    samples: ({ jobs }) => byJob(jobs, ({ tally }) => tally?.bytes ?? 0),
  },
  {
    name: 'pgtally_slots_skipped_total',
    type: 'counter',
    help: 'Slots that were not run, by reason.',
    *samples({ jobs }) {
      for (const [job, { tally }] of jobs) {
        for (const reason of REASONS) yield { labels: { job, reason }, value: tally?.skipped[reason] ?? 0 };
      }
    },
  },
  {
    name: 'pgtally_last_success_timestamp_seconds',
    type: 'gauge',
    help: 'When the last run that succeeded was finished; without server: on the server where that is longest ago.',
    *samples(scrape) {
      for (const { labels, pairs } of series(scrape)) {
        const times = pairs.flatMap(({ owned, tally }) => (owned ? (stateOf(tally)?.succeeded ?? []) : []));
        const oldest = times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
        if (times.length > 0) yield { labels, value: oldest / 1000 };
      }
    },
  },
  {
    name: 'pgtally_dispatch_lag_seconds',
    type: 'gauge',
    help: 'How late the last run was dispatched after its slot, delay and splay; of the server where that is most.',
    *samples({ jobs }) {
      for (const [job, { pairs }] of jobs) {
        const lags = pairs.flatMap(({ tally }) => stateOf(tally)?.lag ?? []);
        if (lags.length > 0) yield { labels: { job }, value: lags.reduce((most, lag) => Math.max(most, lag)) / 1000 };
      }
    },
  },
  {
    name: 'pgtally_job_servers',
    type: 'gauge',
    help: 'Servers on which this process runs the job.',
    samples: ({ jobs }) => byJob(jobs, ({ pairs }) => pairs.length),
  },
  {
    name: 'pgtally_job_servers_failing',
    type: 'gauge',
    help: 'Servers on which the last slot of the job failed, or waits to be tried again.',
    samples: ({ jobs }) => byJob(jobs, ({ failing }) => failing),
  },
  {
    name: 'pgtally_runs_running',
    type: 'gauge',
    help: 'Runs under way.',
    samples: ({ jobs }) => byJob(jobs, ({ running }) => running),
  },
  {
    name: 'pgtally_runs_waiting',
    type: 'gauge',
    help: 'Runs that failed and wait to be tried again.',
    samples: ({ jobs }) => byJob(jobs, ({ waiting }) => waiting),
  },
  {
    name: 'pgtally_job_interval_seconds',
    type: 'gauge',
    help: 'Seconds between two slots of the job, on average over its last three.',
    *samples({ source }) {
      for (const { job, timetable } of source.jobs()) {
        if (timetable) yield { labels: { job: job.name }, value: intervalOf(timetable, source.clock()) };
      }
    },
  },
  {
    name: 'pgtally_job_paused',
    type: 'gauge',
    help: '1 while the job is paused.',
    *samples({ source }) {
      const ledger = source.ledger();
      for (const { job } of source.jobs()) {
        yield { labels: { job: job.name }, value: ledger?.paused(job.name) === undefined ? 0 : 1 };
      }
    },
  },
  {
    name: 'pgtally_ingest_lag',
    type: 'gauge',
    help: 'Offsets of the partition that the job has yet to read, as last seen.',
    *samples({ source }) {
      const ledger = source.ledger();
      const lags = source.ingestLags();
      for (const { job } of source.jobs()) {
        const [server] = job.servers;
        // Another replica reads it now: what this one saw last says nothing.
        if (!server || ledger?.owns(job.name, server.name) !== true) continue;
        for (const [partition, value] of lags.get(job.name) ?? []) {
          yield { labels: { job: job.name, partition: String(partition) }, value };
        }
      }
    },
  },
];

/** The (job, server)s of each series: one, or all of a job. */
function* series({
  perServer,
  pairs,
  jobs,
}: Scrape): Iterable<{ readonly labels: Labels; readonly pairs: PairView[] }> {
  if (perServer) {
    for (const pair of pairs) yield { labels: { job: pair.job, server: pair.server }, pairs: [pair] };
    return;
  }
  const byName = new Map<JobName, PairView[]>([...jobs.keys()].map((job) => [job, []]));
  for (const pair of pairs) byName.get(pair.job)?.push(pair);
  for (const [job, ofJob] of byName) yield { labels: { job }, pairs: ofJob };
}

function* byJob(jobs: ReadonlyMap<JobName, JobView>, value: (job: JobView) => number): Iterable<Sample> {
  for (const [job, view] of jobs) yield { labels: { job }, value: value(view) };
}

function sum(pairs: readonly PairView[], value: (pair: PairView) => number): number {
  let total = 0;
  for (const pair of pairs) total += value(pair);
  return total;
}

function intervalOf({ schedule, timezone }: Timetable, now: number): number {
  const last = previousTick(schedule, timezone, now);
  let earlier = last;
  for (let slot = 0; slot < SLOTS_OF_INTERVAL; slot++) earlier = previousTick(schedule, timezone, earlier - 1000);
  return (last - earlier) / SLOTS_OF_INTERVAL / 1000;
}
