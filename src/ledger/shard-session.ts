// One ownership of a shard: the protocol that takes it, the two producers it is held by, and giving it back. When it is taken
// and when given back is shard.ts's to decide.
import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { withDeadline } from '../kafka/deadline.ts';
import { openTransactionalProducer, type Transaction, type TransactionalProducer } from '../kafka/producer.ts';
import { encodeRecords } from '../kafka/record-batch.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { CommitPlan, RecordTopics } from './commit-plan.ts';
import type { CommitAttempt } from './lane.ts';
import { CLAIM_KEY, type Claim, formatClaim, type ReplicaId } from './record.ts';
import type { OnStep } from './steps.ts';
import { transact } from './transact.ts';

export interface ShardSession {
  /** What this session may stream for at most: the transaction timeout of its second producer. */
  readonly streamTimeout: Milliseconds;
  /** What was under way when it was closed failed for that reason alone, and a commit of it may have happened. */
  readonly closed: boolean;
  /** Never rejects. After `failed` the session is to be closed. */
  commit(plan: CommitPlan): Promise<CommitAttempt>;
  /** Opens a transaction of the second producer. Rejects with a Failure; then the session is to be closed. */
  beginStream(): Promise<Transaction>;
  /** Commits that the shard belongs to nobody. Rejects with a Failure. */
  release(): Promise<void>;
  /** Discards the producers, at once; whatever they have under way fails. */
  close(): void;
}

export interface TakeOptions {
  readonly client: KafkaClient;
  readonly records: RecordTopics;
  readonly self: ReplicaId;
  /** Default: `<ledger topic>.<shard>`. A backfill has an id, and a claim, of its own. */
  readonly transactionalId?: string;
  /** Default: `#claim`. */
  readonly claimKey?: string;
  readonly streamTimeout: Milliseconds;
  /** Asked once the previous owner is fenced: whether the shard still falls to this replica. */
  readonly stillMine: () => boolean;
  /** Resolves when a claim with this nonce has been read back from the shard's partition. */
  readonly untilRead: (nonce: string) => Promise<void>;
  readonly onStep: OnStep;
}

/** An open transaction holds up every read_committed reader of its partitions, for that long if nobody ends it. */
const MAIN_TRANSACTION_TIMEOUT: Milliseconds = 10_000;
const READ_BACK_DEADLINE: Milliseconds = 30_000;

/**
 * Takes a shard (ledger.md, Safety): fences the main producer, then the stream producer, then checks, then commits a claim with
 * a nonce of its own and waits to read it back. Then the folded state is final: nothing older can be committed after it.
 * The other order would let two takers that interleave both commit one slot (test/ledger/fencing.test.ts).
 *
 * Rejects with a Failure; nothing of the attempt is left.
 */
export async function takeShard(options: TakeOptions): Promise<ShardSession> {
  const { client, records, onStep } = options;
  const { shard, ledger } = records;
  const { transactionalId = `${ledger}.${shard}` } = options;
  const open = (suffix: string, transactionTimeout: Milliseconds, purpose: 'main' | 'stream') =>
    openTransactionalProducer(client, {
      transactionalId: `${transactionalId}${suffix}`,
      transactionTimeout,
      topic: ledger,
      purpose,
    });
  const [opened, openedStream] = await Promise.allSettled([
    open('', MAIN_TRANSACTION_TIMEOUT, 'main'),
    open('.stream', options.streamTimeout, 'stream'),
  ]);
  const producers = [opened, openedStream].flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const life = { closed: false };
  const close = (): void => {
    life.closed = true;
    for (const producer of producers) void producer.close();
  };
  try {
    if (opened.status === 'rejected') throw opened.reason;
    if (openedStream.status === 'rejected') throw openedStream.reason;
    const main = opened.value;
    const stream = openedStream.value;
    const transaction = await main.begin();
    await onStep('main-fenced', shard);
    await (await stream.begin()).abort();
    await onStep('stream-fenced', shard);
    if (!options.stillMine()) throw viewChanged();
    await claim(transaction, options);
    return createSession(main, stream, options, life, close);
  } catch (error) {
    close();
    throw error;
  }
}

async function claim(transaction: Transaction, options: TakeOptions): Promise<void> {
  const { records, self, onStep, untilRead } = options;
  const nonce = randomUUID();
  // Waited for from before it is sent: it may be read back before the commit is answered.
  const read = untilRead(nonce);
  read.catch(() => undefined);
  await transaction.sendFirst(records.ledger, claimBatch(options, { nonce, replica: self }));
  await onStep('claim-sent', records.shard);
  await transaction.commit();
  await onStep('claim-committed', records.shard);
  await withDeadline(read, READ_BACK_DEADLINE, 'reading the claim of a shard back');
  await onStep('claim-read', records.shard);
}

function createSession(
  main: TransactionalProducer,
  stream: TransactionalProducer,
  options: TakeOptions,
  life: { readonly closed: boolean },
  close: () => void,
): ShardSession {
  const { records, self, onStep, streamTimeout } = options;
  return {
    streamTimeout,
    get closed() {
      return life.closed;
    },
    commit: (plan) => transact(main, plan, records, onStep),
    beginStream: () => stream.begin(),
    async release() {
      const transaction = await main.begin();
      await transaction.sendFirst(
        records.ledger,
        claimBatch(options, { nonce: randomUUID(), replica: self, released: true }),
      );
      await onStep('release-sent', records.shard);
      await transaction.commit();
      await onStep('released', records.shard);
    },
    close,
  };
}

function claimBatch({ records, claimKey = CLAIM_KEY }: TakeOptions, claim: Claim) {
  return encodeRecords(records.shard, [{ key: Buffer.from(claimKey), value: Buffer.from(formatClaim(claim)) }]);
}

export const VIEW_CHANGED = 'VIEW_CHANGED';

/** Nothing was written yet: the shard is left to the other. */
export function viewChanged(): Failure {
  return new Failure('the shard fell to another replica while it was being taken', {
    kind: 'fenced',
    retryable: true,
    code: VIEW_CHANGED,
  });
}
