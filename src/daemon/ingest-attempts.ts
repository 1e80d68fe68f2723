// One attempt at a slot of an ingest job: it goes on where the job stands, and no longer than the job's `timeout`, so that a
// topic of any size keeps neither the job's shard nor its own next slots. What it has written is written.
import { ingest } from '../ingest/ingest.ts';
import { placeOf } from '../ingest/placed-failure.ts';
import type { IngestContext } from '../ingest/run-types.ts';
import { Failure } from '../model/failure.ts';
import type { AttemptOutcome, AttemptRequest } from './attempt-contract.ts';
import type { Breaker } from './breaker.ts';
import type { IngestLag } from './ingest-lag.ts';
import type { Log } from './log.ts';
import type { RunLogs } from './run-log.ts';
import type { ScheduledIngest } from './scheduled.ts';

export interface IngestAttempts {
  once(request: AttemptRequest & { readonly prepared: ScheduledIngest }): Promise<AttemptOutcome>;
}

export interface IngestAttemptsOptions {
  readonly context: IngestContext;
  readonly breaker: Breaker;
  readonly lag: IngestLag;
  readonly log: Log;
  readonly runLogs: RunLogs;
  readonly clock: () => number;
  /** Names of the project's jobs. */
  readonly jobs: () => readonly string[];
}

export function createIngestAttempts(options: IngestAttemptsOptions): IngestAttempts {
  const { context, breaker, lag, log, runLogs, clock, jobs } = options;
  return {
    async once({ prepared: { ingest: prepared }, server, signal, nextUse }) {
      const { job } = prepared;
      const down = breaker.refuse(server.name, clock());
      if (down) return { status: 'failed', failure: down.failure, place: undefined };
      const result = await ingest(context, {
        prepared,
        server,
        until: 'end',
        jobs: jobs(),
        stopping: AbortSignal.any([signal, AbortSignal.timeout(job.timeout)]),
        signal,
        nextUse,
        onWarning: (message) => runLogs.of(job.name, server.name).warned(message),
        onPositions: (positions) => {
          for (const position of positions) lag.report(job.name, position);
        },
        onProgress: (progress) => lag.report(job.name, progress),
      });
      const { rows, bytes, dead, failures } = result;
      const [failure] = failures;
      if (dead > 0) log.warn('dead letters', { job: job.name, server: server.name, messages: dead });
      if (signal.aborted) return { status: 'failed', failure: stopped(), place: undefined };
      if (!failure) {
        breaker.succeeded(server.name);
        return { status: 'read', rows, bytes, batches: [], stream: undefined, release: () => undefined };
      }
      breaker.failed(server.name, failure, clock());
      for (const other of failures.slice(1)) runLogs.of(job.name, server.name).halted(other);
      return { status: 'failed', failure, place: placeOf(failure), written: { rows, bytes } };
    },
  };
}

function stopped(): Failure {
  return new Failure('pgtally is stopping', { kind: 'cancelled' });
}
