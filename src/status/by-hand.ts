// Runs that somebody asked for on the page: the same runs by hand as `pgtally run`, which neither read nor move the ledger. What
// became of them is told to every open page of this replica, and kept for those that come later.
import { ingestByHand, theServer } from '../ingest/by-hand.ts';
import type { Project, Server } from '../model/project.ts';
import type { JobName, ServerName } from '../model/units.ts';
import type { PreparedIngest, PreparedJob, PreparedPublish } from '../project/prepared.ts';
import { runByHand } from '../publish/by-hand.ts';
import { openKafkaDestination } from '../publish/kafka-destination.ts';
import { manualSlot } from '../publish/manual-slot.ts';
import { HttpError, type StatusLog } from './server.ts';
import type { StatusSource } from './source.ts';

/** How a job's last run by hand stands. */
export interface HandRun {
  readonly job: JobName;
  /** RFC 3339. */
  readonly asked: string;
  readonly servers: number;
  readonly done: number;
  readonly failed: number;
  readonly rows: number;
  readonly finished: boolean;
  /** The first few; a thousand servers fail for one reason. */
  readonly errors: readonly { readonly server: ServerName; readonly message: string; readonly hint?: string }[];
}

export interface HandRuns {
  /** Begins a run on these servers (default: all of the job's). Throws an HttpError when it may not begin now. */
  begin(job: JobName, servers?: readonly ServerName[]): HandRun;
  readonly all: readonly HandRun[];
  /** Cancels what runs. Resolves when nothing does. */
  stop(): Promise<void>;
}

const MOST_ERRORS = 20;

export function createHandRuns(source: StatusSource, log: StatusLog, onChange: (run: HandRun) => void): HandRuns {
  const runs = new Map<JobName, HandRun>();
  const working = new Map<JobName, Promise<void>>();
  const stopping = new AbortController();

  const change = (job: JobName, next: Partial<HandRun>): void => {
    const before = runs.get(job);
    if (!before) return;
    const after = { ...before, ...next };
    runs.set(job, after);
    onChange(after);
  };
  const ended: Ended = (job, server, rows, failure) => {
    const before = runs.get(job);
    if (!before) return;
    if (failure) log.warn('run by hand failed', { job, server, error: failure.message, hint: failure.hint });
    const told = failure && before.errors.length < MOST_ERRORS;
    const { message = '', hint } = failure ?? {};
    change(job, {
      done: before.done + 1,
      rows: before.rows + rows,
      failed: before.failed + (failure ? 1 : 0),
      errors: told ? [...before.errors, { server, message, ...(hint === undefined ? {} : { hint }) }] : before.errors,
    });
  };

  return {
    begin(name, wanted) {
      const prepared = source.jobs().find(({ job }) => job.name === name);
      if (!prepared) throw new HttpError(404, `there is no job named \`${name}\` on this replica`);
      if (stopping.signal.aborted) throw new HttpError(503, 'pgtally is stopping');
      if (working.has(name))
        throw new HttpError(409, `\`${name}\` is being run by hand already`, 'wait until it has ended');
      const servers = chooseServers(prepared, wanted);
      const asked = new Date(source.clock()).toISOString();
      const run = {
        job: name,
        asked,
        servers: servers.length,
        done: 0,
        failed: 0,
        rows: 0,
        finished: false,
        errors: [],
      };
      // Whatever is wrong with the slot is answered at once.
      const slot = prepared.kind === 'publish' ? manualSlot(prepared, undefined, source.clock()) : undefined;
      runs.set(name, run);
      log.info('run by hand', { job: name, servers: servers.length });
      const project = source.project();
      const work = (
        prepared.kind === 'publish' && slot
          ? publish(project, prepared, servers, slot, stopping.signal, ended)
          : ingest(project, prepared as PreparedIngest, stopping.signal, log, ended)
      )
        .catch((error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          log.error('a run by hand broke off', { job: name, error: message });
          change(name, { errors: [{ server: '', message }], failed: 1 });
        })
        .finally(() => {
          working.delete(name);
          change(name, { finished: true });
        });
      working.set(name, work);
      onChange(run);
      return run;
    },
    get all() {
      return [...runs.values()];
    },
    async stop() {
      stopping.abort();
      await Promise.all(working.values());
    },
  };
}

type Ended = (
  job: JobName,
  server: ServerName,
  rows: number,
  failure?: { readonly message: string; readonly hint: string | undefined },
) => void;

async function publish(
  project: Project,
  prepared: PreparedPublish,
  servers: readonly Server[],
  slot: ReturnType<typeof manualSlot>,
  signal: AbortSignal,
  ended: Ended,
): Promise<void> {
  const destination = openKafkaDestination(project, prepared.job);
  try {
    await runByHand({
      project,
      prepared,
      servers,
      ...slot,
      destination,
      dryRun: undefined,
      failFast: false,
      signal,
      onEnd: ({ server, rows, failure }) => ended(prepared.job.name, server, rows, failure),
    });
  } finally {
    await destination.close();
  }
}

async function ingest(
  project: Project,
  prepared: PreparedIngest,
  stopping: AbortSignal,
  log: StatusLog,
  ended: Ended,
): Promise<void> {
  const { name: job } = prepared.job;
  const server = theServer(prepared).name;
  const { rows, failures } = await ingestByHand({
    project,
    prepared,
    stopping,
    onWarning: (message) => log.warn(message, { job, server }),
  });
  ended(job, server, rows, failures[0]);
}

function chooseServers({ job }: PreparedJob, wanted: readonly ServerName[] | undefined): readonly Server[] {
  if (job.servers.length === 0) throw new HttpError(400, `\`${job.name}\` has no server`);
  if (!wanted) return job.servers;
  const unknown = wanted.find((name) => !job.servers.some((server) => server.name === name));
  if (unknown !== undefined) throw new HttpError(404, `\`${job.name}\` does not run on \`${unknown}\``);
  return job.servers.filter(({ name }) => wanted.includes(name));
}
