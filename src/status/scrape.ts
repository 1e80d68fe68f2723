// What all metrics of one scrape are made of: the (job, server)s as they stand, summed up by job and by server. The ledger is
// asked only about those of which this process has recorded nothing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JobName, ServerName } from '../model/units.ts';
import type { OperationsSource, WatchedTarget } from './operations.ts';
import { type JobTally, type PairTally, stateOf } from './tallies.ts';

export interface Scrape {
  readonly source: OperationsSource;
  /** Series carry the server's name. */
  readonly perServer: boolean;
  /** Those this process runs, and those it has counted something of. */
  readonly pairs: readonly PairView[];
  readonly jobs: ReadonlyMap<JobName, JobView>;
  /** Of those this process runs jobs on: whether the last run reached it. */
  readonly servers: ReadonlyMap<ServerName, boolean>;
}

export interface PairView {
  readonly job: JobName;
  readonly server: ServerName;
  readonly tally: PairTally;
  readonly owned: boolean;
}

export interface JobView {
  readonly tally: JobTally | undefined;
  /** Run by this process. */
  readonly pairs: PairView[];
  running: number;
  waiting: number;
  failing: number;
}

/** With `auto`: they make 21,000 series, 1.5 MB and 55 ms of work a scrape. */
export const MOST_PAIRS = 5000;
/** Records read in one turn of the event loop: runs must not wait for a scrape. */
const RECORDS_A_TURN = 500;

/** May take some turns of the event loop after a restart, when every record is read. */
export async function takeScrape(source: OperationsSource): Promise<Scrape> {
  await readUnknown(source);
  const ledger = source.ledger();
  const { tallies } = source;
  const pairs: PairView[] = [];
  const jobs = new Map<JobName, JobView>();
  for (const { job } of source.jobs()) {
    jobs.set(job.name, { tally: tallies.jobs.get(job.name), pairs: [], running: 0, waiting: 0, failing: 0 });
  }
  let owned = 0;
  for (const target of source.targets()) {
    const { job, server } = namesOf(target);
    const view = jobs.get(job);
    const tally = view?.tally?.pairs.get(server);
    if (!view || !tally) continue;
    const pair = { job, server, tally, owned: ledger?.owns(job, server) === true };
    pairs.push(pair);
    if (!pair.owned) continue;
    owned++;
    view.pairs.push(pair);
    if (target.waiting) view.waiting++;
    else if (target.busy) view.running++;
    if (target.waiting || (stateOf(tally)?.failures ?? 0) > 0) view.failing++;
  }
  for (const { job, server, heldUp } of source.streams()) {
    const view = jobs.get(job);
    const tally = view?.tally?.pairs.get(server);
    if (!view || !tally) continue;
    const pair = { job, server, tally, owned: true };
    pairs.push(pair);
    view.pairs.push(pair);
    if (heldUp.length > 0) view.failing++;
  }
  const { perServer } = source.project().metrics;
  return {
    source,
    perServer: perServer === 'on' || (perServer === 'auto' && owned <= MOST_PAIRS),
    pairs,
    jobs,
    servers: reachedServers(source, pairs),
  };
}

async function readUnknown(source: OperationsSource): Promise<void> {
  const ledger = source.ledger();
  if (!ledger) return;
  let read = 0;
  for (const target of source.targets()) {
    const { job, server } = namesOf(target);
    const tally = source.tallies.jobs.get(job)?.pairs.get(server);
    if (tally?.last || tally?.read || !ledger.owns(job, server)) continue;
    const last = ledger.last(job, server);
    if (!last) continue;
    source.tallies.seed(job, server, target.lateBy, last);
    if (++read % RECORDS_A_TURN === 0) await nextTurn();
  }
}

/** By the newest run on each; an attempt that failed since, and is not recorded yet, counts too. */
function reachedServers(source: OperationsSource, pairs: readonly PairView[]): ReadonlyMap<ServerName, boolean> {
  const newest = new Map<ServerName, number>();
  const reached = new Map<ServerName, boolean>();
  for (const { server, owned, tally } of pairs) {
    const state = stateOf(tally);
    if (!owned || state?.reached === undefined || state.finished < (newest.get(server) ?? 0)) continue;
    newest.set(server, state.finished);
    reached.set(server, state.reached);
  }
  for (const { server, owned } of pairs) if (owned && source.isFailing(server)) reached.set(server, false);
  return reached;
}

function namesOf({ prepared, server }: WatchedTarget): { readonly job: JobName; readonly server: ServerName } {
  return { job: prepared.job.name, server: server.name };
}
