// Whether transactions work for this user under a transactional id: found out by taking an id of its own, since no request
// tells the rights to one (KIP-430 covers topics and the cluster). Producers are in producer.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import { build, type RequestMaker } from './protocols.ts';

/** `__transaction_state` is made at its first use, and then a coordinator loads its partition. */
const COORDINATOR_PATIENCE: Milliseconds = 8_000;
const RETRY_AFTER: Milliseconds = 100;
/** Coordinator loading, none, moved; a transaction of the id is still being ended. */
const PASSING: ReadonlySet<number> = new Set([14, 15, 16, 51]);

/**
 * Takes `transactionalId` (FindCoordinator, InitProducerId; KIP-98) and leaves it at that: the broker forgets the id after
 * `transactional.id.expiration.ms`. Give an id that nobody else uses, because its producer would be fenced.
 * Resolves to why it cannot be taken: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID_TRANSACTION_TIMEOUT when the broker
 * allows less than `transactionTimeout`, NO_COORDINATOR, or what keeps the coordinator from being reached; undefined when
 * transactions work. Rejects with a Failure when no broker answers.
 */
export async function probeTransactions(
  cluster: Cluster,
  transactionalId: string,
  transactionTimeout: Milliseconds,
): Promise<Failure | undefined> {
  await cluster.metadata([]);
  const end = performance.now() + COORDINATOR_PATIENCE;
  for (;;) {
    const code = await takeOnce(cluster, transactionalId, transactionTimeout);
    if (code instanceof Failure || code === 0) return code || undefined;
    if (!PASSING.has(code)) return codeFailure(errorName(code), `taking transactional id \`${transactionalId}\``);
    if (performance.now() > end) return noCoordinator(transactionalId);
    await sleep(RETRY_AFTER);
  }
}

/** The error code of the first of the two requests that has one, or 0; a Failure when the coordinator cannot be reached. */
async function takeOnce(cluster: Cluster, transactionalId: string, timeout: Milliseconds): Promise<number | Failure> {
  const found = await cluster.request('any', findCoordinator(transactionalId));
  if (found.errorCode !== 0) return found.errorCode;
  const { nodeId } = found.coordinator;
  try {
    return (await cluster.request(nodeId, initProducerId(transactionalId, timeout))).errorCode;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { kind, retryable, code, hint, cause } = error;
    const message = `the coordinator of transactions (broker ${nodeId}) cannot be used: ${error.message.replace(/^kafka: /, '')}`;
    return new Failure(`kafka: ${message}`, {
      kind,
      retryable,
      cause,
      ...(code === undefined ? {} : { code }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

const TRANSACTION = 1;

function findCoordinator(
  transactionalId: string,
): RequestMaker<{ readonly errorCode: number; readonly coordinator: { readonly nodeId: number } }> {
  // kafkajs calls every key a group.
  const fields = { groupId: transactionalId, coordinatorType: TRANSACTION };
  return (versions) => build('GroupCoordinator', 10, versions, fields);
}

function initProducerId(
  transactionalId: string,
  transactionTimeout: Milliseconds,
): RequestMaker<{ readonly errorCode: number }> {
  return (versions) => build('InitProducerId', 22, versions, { transactionalId, transactionTimeout });
}

function noCoordinator(transactionalId: string): Failure {
  return new Failure(`kafka: transactions do not work: no broker coordinates transactional id \`${transactionalId}\``, {
    kind: 'kafka',
    retryable: true,
    code: 'NO_COORDINATOR',
    hint: 'the topic `__transaction_state` has no leader or cannot be made: set transaction.state.log.replication.factor of the brokers to no more than there are brokers',
  });
}
