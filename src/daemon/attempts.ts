// One attempt of one run among all others: it holds a place while its server answers, and a server that does not answer is
// let go on without one, so that it delays nobody (design 5). Dead servers are asked rarely.
import { Failure } from '../model/failure.ts';
import { formatInstant, type JobName, type Milliseconds } from '../model/units.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import { type AttemptResult, attemptRun, type PublishContext, type RunInput } from '../publish/attempt.ts';
import type { AttemptRequest } from './attempt-contract.ts';
import type { Breaker } from './breaker.ts';
import type { Place, Places } from './places.ts';

/** A server that has not answered `begin` after this long waits on without a place. */
const ANSWER_PATIENCE: Milliseconds = 300;
/** So does one whose query takes this much longer than the job's queries usually do. */
const UNUSUAL = 3;
const QUERY_PATIENCE: Milliseconds = 1000;

export interface PublishAttempts {
  once(run: AttemptRequest & { readonly prepared: PreparedPublish }): Promise<AttemptResult>;
}

/** Attempts that share `places`, with the server's health kept in `breaker`. */
export function createAttempts(
  context: PublishContext,
  places: Places,
  breaker: Breaker,
  clock: () => number,
): PublishAttempts {
  const usual = new Map<JobName, Milliseconds>();

  return {
    async once(run) {
      const { job } = run.prepared;
      const down = breaker.refuse(run.server.name, clock());
      if (down) return { status: 'failed', failure: stillDown(down.since, down.failure), place: undefined };
      const pool = breaker.isFailing(run.server.name) ? 'failing' : 'main';
      const holder = createHolder(places, job.name, job.concurrency, pool);
      await holder.take();
      holder.lendAfter(ANSWER_PATIENCE);
      let answered = 0;
      const input: RunInput = {
        ...run,
        async onAnswered() {
          await holder.take();
          answered = performance.now();
          holder.lendAfter(Math.max(QUERY_PATIENCE, UNUSUAL * (usual.get(job.name) ?? 0)));
        },
      };
      let result: AttemptResult;
      try {
        result = await attemptRun(context, input);
      } finally {
        holder.end();
      }
      if (result.status === 'read') {
        breaker.succeeded(run.server.name);
        usual.set(job.name, smoothed(usual.get(job.name), performance.now() - answered));
      } else if (
        result.failure.kind !== 'kafka' &&
        result.failure.kind !== 'cancelled' &&
        result.failure.kind !== 'topic'
      ) {
        breaker.failed(run.server.name, result.failure, clock());
      }
      return result;
    },
  };
}

interface Holder {
  /** Takes a place, if none is held. */
  take(): Promise<void>;
  /** Gives the place to others if it is still held after `patience`. */
  lendAfter(patience: Milliseconds): void;
  end(): void;
}

function createHolder(places: Places, job: JobName, limit: number, pool: 'main' | 'failing'): Holder {
  let place: Place | undefined;
  let timer: NodeJS.Timeout | undefined;
  const giveBack = (): void => {
    clearTimeout(timer);
    place?.giveBack();
    place = undefined;
  };
  return {
    async take() {
      clearTimeout(timer);
      place ??= await places.take(job, limit, pool);
    },
    lendAfter(patience) {
      clearTimeout(timer);
      timer = setTimeout(giveBack, patience);
    },
    end: giveBack,
  };
}

function smoothed(previous: Milliseconds | undefined, latest: Milliseconds): Milliseconds {
  return previous === undefined ? latest : previous + (latest - previous) / 8;
}

function stillDown(since: number, failure: Failure): Failure {
  return new Failure(`down since ${formatInstant(Math.floor(since / 1000) * 1000)}: ${failure.message}`, {
    kind: failure.kind,
    retryable: true,
    cause: failure,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.code === undefined ? {} : { code: failure.code }),
  });
}
