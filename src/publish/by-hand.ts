// A job run once on its servers, now, by hand or for show: as many servers at a time as the job allows, each one's failure its
// own. No ledger is read or written (design 5).
import { freshRunId } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { Project, Server } from '../model/project.ts';
import type { Bytes, Milliseconds, ServerName, Slot } from '../model/units.ts';
import { createConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import { attemptRun, type PublishContext } from './attempt.ts';
import type { Destination } from './destination.ts';
import type { FailurePlace } from './failure-place.ts';
import { createMemoryBudget } from './memory.ts';

export interface EndedRun {
  readonly server: ServerName;
  readonly slot: Slot;
  readonly run: string;
  readonly outcome: 'published' | 'empty' | 'failed';
  readonly rows: number;
  readonly bytes: Bytes;
  readonly ms: Milliseconds;
  readonly failure?: Failure;
  readonly place?: FailurePlace;
  readonly dry: boolean;
}

export interface ByHandOptions {
  readonly project: Project;
  readonly prepared: PreparedPublish;
  readonly servers: readonly Server[];
  readonly slot: Slot;
  readonly window: { readonly start: Slot; readonly end: Slot };
  /** The caller's to close. */
  readonly destination: Destination;
  /** The destination is the screen. */
  readonly dryRun: { readonly limit: number | undefined } | undefined;
  /** Cancels what is left after the first failure. */
  readonly failFast: boolean;
  readonly signal: AbortSignal;
  readonly onEnd: (run: EndedRun) => void;
}

/** Resolves when every server's run has been told to `onEnd`. */
export async function runByHand(options: ByHandOptions): Promise<void> {
  const { project, prepared, servers, destination } = options;
  const connections = createConnectionKeeper(project.limits);
  const context: PublishContext = {
    connections,
    topicShape: destination.topicShape,
    memory: createMemoryBudget(project.limits.memory),
    bufferLimit: project.limits.buffer,
    privileged: project.privileged,
  };
  const cancelling = new AbortController();
  const signal = AbortSignal.any([options.signal, cancelling.signal]);
  const waiting = [...servers];
  const work = async (): Promise<void> => {
    for (let server = waiting.shift(); server; server = waiting.shift()) {
      const ended = await runOne(options, context, destination, server, signal);
      options.onEnd(ended);
      if (ended.outcome === 'failed' && options.failFast) cancelling.abort(cancelled());
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(prepared.job.concurrency, servers.length) }, work));
  } finally {
    await connections.close();
  }
}

async function runOne(
  options: ByHandOptions,
  context: PublishContext,
  destination: Destination,
  server: Server,
  signal: AbortSignal,
): Promise<EndedRun> {
  const { prepared, slot, window, dryRun } = options;
  const run = freshRunId();
  const started = performance.now();
  const common = { server: server.name, slot, run, dry: dryRun !== undefined };
  const fail = (failure: Failure, place?: FailurePlace): EndedRun => ({
    ...common,
    outcome: 'failed',
    rows: 0,
    bytes: 0,
    ms: performance.now() - started,
    failure,
    ...(place ? { place } : {}),
  });
  if (signal.aborted) return fail(cancelled());
  const limit = dryRun?.limit === undefined ? {} : { limit: dryRun.limit };
  const { committer } = destination;
  const input = { prepared, server, slot, window, trigger: 'manual', run, committer, signal, ...limit } as const;
  const result = await attemptRun(context, input);
  if (result.status === 'failed') return fail(result.failure, result.place);
  const failure = await destination.deliver(result, server.name).finally(() => result.release());
  if (failure) return fail(failure);
  const { rows, bytes } = result;
  return { ...common, outcome: rows > 0 ? 'published' : 'empty', rows, bytes, ms: performance.now() - started };
}

function cancelled(): Failure {
  return new Failure('cancelled', { kind: 'cancelled' });
}
