// Whether the jobs do their work, for `/health`: what fails, on which servers and why, from the ledger for the whole fleet and
// from this process for what is not recorded yet. A process that runs while every query fails is not healthy.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseRecord } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { RecordedError } from '../model/run.ts';
import { formatInstant, type JobName, type Milliseconds, type ServerName } from '../model/units.ts';
import type { PreparedJob, Timetable } from '../project/prepared.ts';
import { countTicks } from '../schedule/ticks.ts';
import type { OperationsSource } from './operations.ts';
import { type ShardOwners, shardOwners } from './shard-owners.ts';

export interface HealthReport {
  /** `failing` is answered with 503. */
  readonly status: 'ok' | 'degraded' | 'failing';
  readonly degraded: boolean;
  /** Why it is not `ok`, a sentence each. */
  readonly reasons: readonly string[];
  readonly kafka: 'reached' | 'not reached' | 'waited for';
  readonly replica: string | null;
  readonly shards: ShardOwners;
  readonly jobs: number;
  readonly servers: number;
  readonly failing_count: number;
  /** The first MOST_LISTED of them: those that fail longest first. */
  readonly failing: readonly FailingPair[];
}

export interface FailingPair {
  readonly job: JobName;
  readonly server: ServerName;
  /** Null for a stream, which has none. */
  readonly slot: string | null;
  /** Slots in a row; 0 while the first one waits to be tried again. */
  readonly failures: number;
  readonly waiting: boolean;
  readonly succeeded: string | null;
  readonly error: RecordedError | null;
}

export const MOST_LISTED = 50;
const LONGEST_TEXT = 500;
/** So many slots of a (job, server) that failed in a row count against its job (design 13). */
const SLOTS_IN_A_ROW = 3;
const HELD_UP: Milliseconds = 60_000;
/** Records looked at in one turn of the event loop. */
const RECORDS_A_TURN = 2000;

/** Takes a few turns of the event loop where there are many (job, server)s. */
export async function reportHealth(source: OperationsSource, stalled: string | undefined): Promise<HealthReport> {
  const project = source.project();
  const ledger = source.ledger();
  const failing = await findFailing(source);
  const shards = shardOwners(ledger, project.ledger.shards);
  const kafka = ledger ? (ledger.available ? 'reached' : 'not reached') : 'waited for';

  const fatal = [
    ...(kafka === 'reached' ? [] : [`Kafka is ${kafka}: nothing runs`]),
    ...(stalled === undefined ? [] : [stalled]),
    ...failedJobs(source.jobs(), failing, project.status.maxFailedServers),
  ];
  const minor = [
    ...(failing.length === 0 ? [] : [`${count(failing.length, '(job, server)')} failing`]),
    ...(kafka === 'reached' && shards.unowned > 0
      ? [`${count(shards.unowned, 'shard')} without an owner: their jobs do not run`]
      : []),
  ];
  return {
    status: fatal.length > 0 ? 'failing' : minor.length > 0 ? 'degraded' : 'ok',
    degraded: fatal.length + minor.length > 0,
    reasons: [...fatal, ...minor],
    kafka,
    replica: ledger?.self ?? null,
    shards,
    jobs: project.jobs.length,
    servers: project.servers.length,
    failing_count: failing.length,
    failing: failing
      .toSorted((a, b) => b.missed - a.missed || a.pair.job.localeCompare(b.pair.job))
      .slice(0, MOST_LISTED)
      .map(({ pair }) => pair),
  };
}

interface Found {
  readonly pair: FailingPair;
  /** Slots in a row that have no success: failed, or due and not settled. */
  readonly missed: number;
}

async function findFailing(source: OperationsSource): Promise<Found[]> {
  const ledger = source.ledger();
  if (!ledger) return [];
  const now = source.clock();
  const jobs = new Map(source.jobs().map((one) => [one.job.name, serversOf(one)]));
  const timetables = new Map(source.jobs().map(({ job, timetable }) => [job.name, timetable]));
  const found = new Map<string, Found>();
  let read = 0;
  for (const { job, server, text } of ledger.records()) {
    if (++read % RECORDS_A_TURN === 0) await nextTurn();
    // Most are fine, and to parse them all would take longer than anything else here.
    if (!text.includes('"failures":') || jobs.get(job)?.has(server) !== true) continue;
    const record = readable(text);
    if (record === undefined || (record.failures ?? 0) === 0) continue;
    const { slot, failures = 0, succeeded = null, error = record.failure } = record;
    const pair = { job, server, slot, failures, waiting: false, succeeded, error: error ? shortened(error) : null };
    found.set(`${job}/${server}`, { pair, missed: failures });
  }
  for (const { prepared, server, waiting } of source.targets()) {
    if (!waiting) continue;
    const key = `${prepared.job.name}/${server.name}`;
    const before = found.get(key);
    const failures = before?.pair.failures ?? 0;
    const { slot, failure } = waiting;
    found.set(key, {
      pair: {
        job: prepared.job.name,
        server: server.name,
        slot: formatInstant(slot),
        failures,
        waiting: true,
        succeeded: before?.pair.succeeded ?? succeededBefore(source, prepared.job.name, server.name),
        error: shortened(recorded(failure)),
      },
      missed: failures + dueSince(timetables.get(prepared.job.name), slot, now),
    });
  }
  for (const { job, server, heldUp } of source.streams()) {
    const oldest = heldUp.toSorted((a, b) => a.since - b.since)[0];
    if (!oldest) continue;
    const { since, failure } = oldest;
    const pair = { job, server, slot: null, failures: 0, waiting: true, succeeded: null };
    // A stream has no slots: what holds it up for a minute counts as three.
    const missed = now - since > HELD_UP ? SLOTS_IN_A_ROW : 1;
    found.set(`${job}/${server}`, { pair: { ...pair, error: shortened(recorded(failure)) }, missed });
  }
  return [...found.values()];
}

/** A job whose last three slots failed on more of its servers than may fail. */
function failedJobs(jobs: readonly PreparedJob[], failing: readonly Found[], most: number): string[] {
  const failed = new Map<JobName, number>();
  for (const { pair, missed } of failing) {
    if (missed >= SLOTS_IN_A_ROW) failed.set(pair.job, (failed.get(pair.job) ?? 0) + 1);
  }
  return jobs.flatMap(({ job }) => {
    const servers = failed.get(job.name) ?? 0;
    if (servers <= most * job.servers.length) return [];
    const percent = Number((most * 100).toFixed(1));
    return [
      `the last ${SLOTS_IN_A_ROW} slots of \`${job.name}\` failed on ${servers} of ${count(job.servers.length, 'server')}, which is more than ${percent} %`,
    ];
  });
}

/** The slots from `slot` on that should have run by now. */
function dueSince(timetable: Timetable | undefined, slot: number, now: number): number {
  return timetable ? 1 + countTicks(timetable.schedule, timetable.timezone, slot, now) : 1;
}

function succeededBefore(source: OperationsSource, job: JobName, server: ServerName): string | null {
  const last = source.ledger()?.last(job, server);
  if (!last) return null;
  return last.outcome === 'published' || last.outcome === 'empty' ? last.finished : (last.succeeded ?? null);
}

const serverSets = new WeakMap<PreparedJob, ReadonlySet<ServerName>>();

function serversOf(prepared: PreparedJob): ReadonlySet<ServerName> {
  const known = serverSets.get(prepared) ?? new Set(prepared.job.servers.map(({ name }) => name));
  serverSets.set(prepared, known);
  return known;
}

function readable(text: string): ReturnType<typeof parseRecord> | undefined {
  try {
    return parseRecord(text);
  } catch (error) {
    // Nothing is known to have failed by it; the page lists such records.
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function recorded({ kind, message, code, hint }: Failure): RecordedError {
  return { kind, message, ...(code === undefined ? {} : { code }), ...(hint === undefined ? {} : { hint }) };
}

function shortened(error: RecordedError): RecordedError {
  const { message } = error;
  return message.length <= LONGEST_TEXT ? error : { ...error, message: `${message.slice(0, LONGEST_TEXT - 1)}…` };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
