// One transaction of a plan on one producer, everything once, the ledger's record first where they cannot go together, then
// the commit. Whoever owns the producer decides what follows a failure.
import type { TransactionalProducer } from '../kafka/producer.ts';
import { ProducerFailure } from '../kafka/producer-session.ts';
import { Failure } from '../model/failure.ts';
import type { CommitPlan, RecordTopics } from './commit-plan.ts';
import type { CommitAttempt } from './lane.ts';
import { noSteps, type OnStep } from './steps.ts';

/** Commits a plan. Never rejects; after `failed` the producer must be closed and its id taken anew. */
export async function transact(
  producer: TransactionalProducer,
  plan: CommitPlan,
  records: RecordTopics | undefined,
  onStep: OnStep = noSteps,
): Promise<CommitAttempt> {
  const shard = records?.shard;
  try {
    const transaction = await producer.begin();
    await onStep('begun', shard);
    const states = records && plan.ledger ? [{ topic: records.ledger, batches: [plan.ledger] }] : [];
    await transaction.sendOnce([...states, ...plan.history, ...plan.rows]);
    await onStep('rows-sent', shard);
    // A commit of nothing would be answered "done" without anything having been asked of the broker; it is harmless.
    const committing = transaction.commit();
    await Promise.all([committing, onStep('commit-asked', shard)]);
    await onStep('committed', shard);
    return { status: 'committed' };
  } catch (error) {
    return failedAttempt(error);
  }
}

/** A thrown error as the end of an attempt. */
export function failedAttempt(error: unknown): Extract<CommitAttempt, { status: 'failed' }> {
  const failure = asFailure(error);
  return {
    status: 'failed',
    failure,
    outcomeUnknown: failure instanceof ProducerFailure && failure.outcome === 'unknown',
  };
}

/** What was thrown, as a Failure; an error of another kind is a defect of ours. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Failure(message, { kind: 'internal', cause: error });
}
