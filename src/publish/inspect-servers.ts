// All servers of a project looked at side by side: what each is, what our role may do there, and each job prepared on it.
// Nothing is run and nothing is written. Printing is cli's; what a job is prepared by is given by the caller.
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { Milliseconds, ServerName } from '../model/units.ts';
import { connect } from '../postgres/connect.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { inspectServer, type ServerReport } from '../postgres/privileges.ts';
import type { JobCheck } from '../project/job-check.ts';
import type { PreparedJob } from '../project/prepared.ts';

export interface InspectedJob extends JobCheck {
  readonly prepared: PreparedJob;
}

export interface InspectedServer {
  readonly server: Server;
  /** Undefined when it could not be asked. */
  readonly report: ServerReport | undefined;
  /** Why it could not be asked, or how it was lost while jobs were prepared. */
  readonly failure: Failure | undefined;
  /** Its jobs in their order, as far as they were prepared. */
  readonly jobs: readonly InspectedJob[];
}

export interface InspectOptions {
  readonly servers: readonly Server[];
  readonly jobs: readonly PreparedJob[];
  /** Prepares a job on a connection without an open transaction; does not reject for what is wrong with the job. */
  readonly checkJob: (connection: Connection, prepared: PreparedJob, options: CallOptions) => Promise<JobCheck>;
  /** Told as each server is done. */
  readonly onServer?: (inspected: InspectedServer) => void;
  /** How many servers at a time. Default 64. */
  readonly concurrency?: number;
  /** For the login of each, and for each answer. Default 10 s. */
  readonly patience?: Milliseconds;
  readonly signal?: AbortSignal;
}

const CONCURRENCY = 64;
const PATIENCE: Milliseconds = 10_000;
/** Above the statement timeout of a prepared job, so that Postgres's own error comes first. */
const ANSWER_TIME: Milliseconds = 2_000;

/** The servers in the order they were given. A server's failure is its own: nothing of it rejects. */
export async function inspectServers(options: InspectOptions): Promise<InspectedServer[]> {
  const { servers, concurrency = CONCURRENCY, onServer } = options;
  const jobsOf = jobsByServer(options.jobs);
  const inspected = new Map<Server, InspectedServer>();
  const waiting = [...servers];
  const work = async (): Promise<void> => {
    for (let server = waiting.shift(); server; server = waiting.shift()) {
      const result = await inspectOne(server, jobsOf.get(server.name) ?? [], options);
      inspected.set(server, result);
      onServer?.(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, servers.length) }, work));
  return servers.flatMap((server) => inspected.get(server) ?? []);
}

async function inspectOne(
  server: Server,
  jobs: readonly PreparedJob[],
  { checkJob, patience = PATIENCE, signal }: InspectOptions,
): Promise<InspectedServer> {
  const call: CallOptions = { timeout: patience + ANSWER_TIME, ...(signal ? { signal } : {}) };
  const checked: InspectedJob[] = [];
  let connection: Connection | undefined;
  let report: ServerReport | undefined;
  const end = (failure: Failure | undefined): InspectedServer => ({ server, report, failure, jobs: checked });
  try {
    connection = await connect(server, {
      applicationName: 'pgtally/check',
      connectTimeout: patience,
      ...(signal ? { signal } : {}),
    });
    report = await inspectServer(connection, call);
    for (const prepared of jobs) {
      const check = await checkJob(connection, prepared, call);
      // Whoever hangs at one job hangs at the next: the rest of its jobs would only cost time.
      if (!connection.usable) return end(check.failure ?? connectionLost());
      checked.push({ prepared, ...check });
    }
    return end(undefined);
  } catch (error) {
    if (error instanceof Failure) return end(error);
    throw error;
  } finally {
    await connection?.close();
  }
}

function jobsByServer(jobs: readonly PreparedJob[]): ReadonlyMap<ServerName, readonly PreparedJob[]> {
  const byServer = new Map<ServerName, PreparedJob[]>();
  for (const prepared of jobs) {
    for (const { name } of prepared.job.servers) {
      const list = byServer.get(name) ?? [];
      list.push(prepared);
      byServer.set(name, list);
    }
  }
  return byServer;
}

function connectionLost(): Failure {
  return new Failure('the connection was lost', { kind: 'connection', retryable: true });
}
