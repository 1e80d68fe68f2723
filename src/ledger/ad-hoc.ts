// The committer of a command that no ledger knows of (`pgtally run`): transactions under an id of its own, nothing recorded, so
// a commit whose reply was lost stays unknown. Sessions of a shard are elsewhere.
import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { fenceTransactionalId, openTransactionalProducer, type TransactionalProducer } from '../kafka/producer.ts';
import type { Milliseconds } from '../model/units.ts';
import { createAdHocStreams } from './ad-hoc-streams.ts';
import type { CommitPlan } from './commit-plan.ts';
import { createGroupCommitter } from './group-commit.ts';
import type { CommitAttempt, Lane } from './lane.ts';
import { createRehearsal } from './rehearsal.ts';
import { createTopicWatch, type TopicWatch } from './topic-watch.ts';
import { failedAttempt, transact } from './transact.ts';
import type { Committer } from './types.ts';

export interface AdHocCommitter extends Committer {
  /** Connects and takes the transactional id ahead of the first commit, which then need not wait. Never rejects. */
  warm(topic: string): Promise<void>;
  /** Disconnects. To be called when all commits have settled and all streams have ended. */
  close(): Promise<void>;
}

export interface AdHocOptions {
  /** Default: random, below the client id. Two processes with one id fence each other. */
  readonly transactionalId?: string;
  /** Shared with others of this process; default: its own. */
  readonly watch?: TopicWatch;
}

const TRANSACTION_TIMEOUT: Milliseconds = 10_000;

export function createAdHocCommitter(client: KafkaClient, options: AdHocOptions = {}): AdHocCommitter {
  const transactionalId = options.transactionalId ?? `${client.clientId}.run.${randomUUID()}`;
  const watch = options.watch ?? createTopicWatch(client);
  const rehearsal = createRehearsal(client, `${transactionalId}.rehearsal`);
  let producer: Promise<TransactionalProducer> | undefined;
  /** What has to end before the id may be taken again. */
  let settling: Promise<unknown> = Promise.resolve();

  const open = (topic: string): Promise<TransactionalProducer> => {
    const take = async () => {
      await settling;
      return openTransactionalProducer(client, {
        transactionalId,
        transactionTimeout: TRANSACTION_TIMEOUT,
        topic,
        purpose: 'main',
      });
    };
    producer ??= take();
    return producer;
  };

  /** After an error: nothing may be sent by it again, and what it left open must not hold up the topic's readers. */
  const discard = (topic: string): void => {
    const failed = producer;
    producer = undefined;
    const fence = async () => {
      const opened = await failed?.catch(() => undefined);
      await opened?.close();
      const timeout = { transactionTimeout: TRANSACTION_TIMEOUT };
      // When Kafka is away it ends by its timeout; the next use says what is wrong.
      if (opened) await fenceTransactionalId(client, { transactionalId, topic, ...timeout }).catch(() => undefined);
    };
    settling = fence();
  };

  const commitRows = async (plan: CommitPlan): Promise<CommitAttempt> => {
    const [first] = plan.rows;
    if (!first) return { status: 'committed' };
    await warming;
    let attempt: CommitAttempt;
    try {
      attempt = await transact(await open(first.topic), plan, undefined);
    } catch (error) {
      attempt = failedAttempt(error);
    }
    if (attempt.status === 'failed') discard(first.topic);
    return attempt;
  };

  const lane: Lane = {
    records: undefined,
    ready: async () => undefined,
    commit: commitRows,
    basis: () => undefined,
    judge: () => ({ status: 'open' }),
    committed: () => undefined,
    rehearse: (rows) => rehearsal.rehearse(rows),
  };
  const group = createGroupCommitter(lane, watch);
  const streams = createAdHocStreams(client, `${transactionalId}.stream`, watch);
  let warming: Promise<void> | undefined;

  const warmUp = async (topic: string): Promise<void> => {
    try {
      const transaction = await (await open(topic)).begin();
      await transaction.abort();
    } catch {
      // The first commit meets the same and says it where it belongs.
      discard(topic);
    }
  };

  return {
    commit: (unit) => group.commit(unit),
    openStream: (run) => streams.openStream(run),
    warm(topic) {
      warming ??= warmUp(topic);
      return warming;
    },
    async close() {
      await warming;
      await settling;
      await rehearsal.close();
      const opened = await producer?.catch(() => undefined);
      await opened?.close();
      if (!options.watch) watch.close();
    },
  };
}
