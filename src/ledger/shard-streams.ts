// Runs of a shard that stream: one at a time, in transactions of the session's second producer, so that they neither wait for
// nor delay the shard's small runs. That producer is only ever fenced by taking the shard: a new one made by an owner that has
// been replaced would fence its successor and publish a slot twice.
import type { Transaction } from '../kafka/producer.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { type PreparedUnit, planCommit, prepareUnit } from './commit-plan.ts';
import type { Lane } from './lane.ts';
import type { Shard } from './shard.ts';
import type { ShardSession } from './shard-session.ts';
import { shardLost } from './shard-wait.ts';
import type { OnStep } from './steps.ts';
import { streamTimeout } from './stream-timeout.ts';
import type { TopicWatch } from './topic-watch.ts';
import { asFailure, failedAttempt } from './transact.ts';
import { createTurns } from './turns.ts';
import type { CommitResult, Committer, CommitUnit, RunStream } from './types.ts';

export interface ShardStreams extends Pick<Committer, 'openStream'> {
  /** No stream is open or waited for. */
  readonly idle: boolean;
}

export interface StreamOptions {
  readonly shard: Pick<Shard, 'lane' | 'session' | 'lose'>;
  readonly watch: TopicWatch;
  /** The transaction timeout that the next session is to have for its streams. */
  readonly wantStreamTimeout: (timeout: Milliseconds) => void;
  readonly onStep: OnStep;
}

export function createShardStreams(options: StreamOptions): ShardStreams {
  const { shard, watch } = options;
  const turns = createTurns();

  /** A session whose transactions may be open for as long as the run may take. */
  const sessionFor = async (timeout: Milliseconds): Promise<ShardSession> => {
    const session = await shard.session();
    if (session.streamTimeout >= timeout) return session;
    options.wantStreamTimeout(timeout);
    shard.lose(
      new Failure('a run needs a longer transaction than the shard was taken with', { kind: 'kafka', retryable: true }),
      session,
    );
    return shard.session();
  };

  return {
    async openStream(run) {
      const endTurn = await turns.next();
      try {
        const refusal = (await watch.look([run.topic])).get(run.topic);
        if (refusal) throw refusal;
        const session = await sessionFor(streamTimeout(run.timeout));
        try {
          const transaction = await session.beginStream();
          await options.onStep('stream-begun', shard.lane.records?.shard);
          return runStream({ ...options, run, session, transaction, end: endTurn });
        } catch (error) {
          if (session.closed) throw shardLost(shard.lane.records?.shard ?? 0, 'it was lost just now');
          shard.lose(asFailure(error), session);
          throw error;
        }
      } catch (error) {
        endTurn();
        throw asFailure(error);
      }
    },
    get idle() {
      return turns.idle;
    },
  };
}

interface OpenStream extends StreamOptions {
  readonly run: Parameters<Committer['openStream']>[0];
  readonly session: ShardSession;
  readonly transaction: Transaction;
  readonly end: () => void;
}

function runStream({ shard, watch, onStep, run, session, transaction, end }: OpenStream): RunStream {
  const { lane } = shard;
  const place = lane.records?.shard;
  let ended = false;

  const abort = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    try {
      await transaction.abort();
    } catch (error) {
      shard.lose(asFailure(error), session);
    }
    end();
  };

  const commitWith = async (prepared: PreparedUnit): Promise<CommitResult> => {
    try {
      const { ledger, history } = planCommit([prepared], lane.records, watch.batchBytes);
      if (lane.records && ledger) await transaction.sendFirst(lane.records.ledger, ledger);
      await onStep('stream-ledger-sent', place);
      if (history.length > 0) await transaction.sendOnce(history);
      const committing = transaction.commit();
      await Promise.all([committing, onStep('stream-commit-asked', place)]);
      await onStep('stream-committed', place);
      lane.committed([prepared]);
      return { status: 'committed' };
    } catch (error) {
      const { failure, outcomeUnknown } = failedAttempt(error);
      const wasLost = session.closed;
      shard.lose(failure, session);
      return outcomeUnknown || wasLost
        ? findOut(lane, prepared, failure)
        : { status: 'unavailable', failure, outcomeUnknown };
    }
  };

  return {
    async send(batches) {
      try {
        await transaction.stream(run.topic, batches);
        await onStep('stream-rows-sent', place);
      } catch (error) {
        // Lost meanwhile for another's reason: the run is not to blame, and its slot stays due.
        if (session.closed) throw shardLost(place ?? 0, 'it was lost while a run streamed');
        watch.doubt([run.topic]);
        shard.lose(asFailure(error), session);
        throw asFailure(error);
      }
    },
    async commit(records) {
      const { job, server, backfill } = run;
      const unit: CommitUnit = { job, server, records, ...(backfill ? { backfill } : {}) };
      const prepared = prepareUnit(unit);
      const verdict = lane.judge(prepared, lane.basis(prepared.stateKey));
      if (verdict.status === 'superseded') {
        await abort();
        return { status: 'unavailable', failure: verdict.failure, outcomeUnknown: false };
      }
      if (ended) throw new Failure('this stream has ended', { kind: 'internal' });
      ended = true;
      try {
        return await commitWith(prepared);
      } finally {
        end();
      }
    },
    abort,
  };
}

/** The rows of a stream cannot be sent again, but whether they were committed is in the state once the shard is taken anew. */
async function findOut(lane: Lane, prepared: PreparedUnit, failure: Failure): Promise<CommitResult> {
  const basis = lane.basis(prepared.stateKey);
  const unready = await lane.ready();
  if (unready) return { status: 'unavailable', failure: unready, outcomeUnknown: true };
  const verdict = lane.judge(prepared, basis);
  if (verdict.status === 'committed') return { status: 'committed' };
  return {
    status: 'unavailable',
    failure: verdict.status === 'superseded' ? verdict.failure : failure,
    outcomeUnknown: false,
  };
}
