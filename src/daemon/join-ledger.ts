// Joining the ledger when the daemon starts: Kafka may not be there yet, and then it is waited for.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient } from '../kafka/client.ts';
import type { TopicShapes } from '../kafka/topic-shapes.ts';
import { createLedger, type RunningLedger } from '../ledger/ledger.ts';
import { ensureLedgerTopics } from '../ledger/ledger-topics.ts';
import { Failure } from '../model/failure.ts';
import type { Project } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { Log } from './log.ts';

export interface JoinOptions {
  readonly client: KafkaClient;
  readonly shapes: TopicShapes;
  readonly project: Project;
  readonly jobs: readonly PreparedJob[];
  readonly log: Log;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

const TRY_AGAIN_AFTER: Milliseconds = 1000;
/** The same reason for waiting is said again after this long. */
const SAY_AGAIN_AFTER: Milliseconds = 60_000;

/** A ledger that has joined; undefined when the signal came first. Rejects with a Failure that waiting does not mend. */
export async function joinLedger(options: JoinOptions): Promise<RunningLedger | undefined> {
  const { log, signal } = options;
  let said = { message: '', at: 0 };
  while (!signal.aborted) {
    try {
      return await joinOnce(options);
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof Failure) || error.kind !== 'kafka') throw error;
      if (error.message !== said.message || performance.now() - said.at > SAY_AGAIN_AFTER) {
        said = { message: error.message, at: performance.now() };
        log.warn('waiting for Kafka', { error: error.message, hint: error.hint });
      }
      await sleep(TRY_AGAIN_AFTER, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

async function joinOnce({
  client,
  shapes,
  project,
  jobs,
  log,
  signal,
}: JoinOptions): Promise<RunningLedger | undefined> {
  const { created, warnings } = await ensureLedgerTopics(client, project.ledger);
  for (const topic of created) log.info('created a topic of the ledger', { topic });
  for (const { message, hint } of warnings) log.warn(message, { hint });
  // A signal of the past is told to no listener: a ledger that joins now would hold shards and run nothing.
  if (signal.aborted) return undefined;
  const publishes = jobs.flatMap((one) => (one.kind === 'publish' ? [one.job] : []));
  // Only where no job needs a transaction can the ledger do without: on clusters that forbid them.
  const withoutTransactions = publishes.length > 0 && publishes.every((job) => job.delivery === 'at_least_once');
  const ledger = createLedger({
    client,
    settings: project.ledger,
    shapes,
    delivery: withoutTransactions ? 'at_least_once' : 'exactly_once',
    longestTimeout: Math.max(...publishes.map((job) => job.timeout), 0),
    log: (level, message, fields) => log[level](message, fields),
  });
  const onAbort = (): void => void ledger.stop();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await ledger.start();
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  return signal.aborted ? undefined : ledger;
}
