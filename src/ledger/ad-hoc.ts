// The committer of a command that no ledger knows of (`pgtally run`): transactions under an id of its own, nothing recorded, so
// a commit whose reply was lost stays unknown. Sessions of a shard are elsewhere.
import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { fenceTransactionalId, openTransactionalProducer, type TransactionalProducer } from '../kafka/producer.ts';
import type { TopicShapes } from '../kafka/topic-shapes.ts';
import type { Milliseconds } from '../model/units.ts';
import { createAdHocStreams } from './ad-hoc-streams.ts';
import type { CommitPlan } from './commit-plan.ts';
import { createGroupCommitter } from './group-commit.ts';
import type { CommitAttempt, Lane } from './lane.ts';
import { createRehearsal } from './rehearsal.ts';
import { atLeastOnceLane, createRowSender, openVisibleStream } from './row-sender.ts';
import { createTopicWatch, type TopicWatch } from './topic-watch.ts';
import { failedAttempt, transact } from './transact.ts';
import type { Committer, Delivery } from './types.ts';

export interface AdHocCommitter extends Committer {
  /** Connects and takes the transactional id ahead of the first commit, which then need not wait. Never rejects. */
  warm(topic: string): Promise<void>;
  /** Disconnects. To be called when all commits have settled and all streams have ended. */
  close(): Promise<void>;
}

export interface AdHocOptions {
  /** Default: random, below the client id. Two processes with one id fence each other. */
  readonly transactionalId?: string;
  /** `at_least_once`: without transactions, for clusters that forbid them. Default `exactly_once`. */
  readonly delivery?: Delivery;
  /** Shared with who encodes the rows; default: its own. */
  readonly shapes?: TopicShapes;
}

const TRANSACTION_TIMEOUT: Milliseconds = 10_000;

/** A committer that is not connected yet. */
export function createAdHocCommitter(client: KafkaClient, options: AdHocOptions = {}): AdHocCommitter {
  const watch = createTopicWatch(client, options.shapes ? { shapes: options.shapes } : {});
  return options.delivery === 'at_least_once'
    ? repeatableCommitter(client, watch)
    : transactionalCommitter(client, watch, options.transactionalId ?? `${client.clientId}.run.${randomUUID()}`);
}

/** Rows are visible as they are sent; after an error some of them are. */
function repeatableCommitter(client: KafkaClient, watch: TopicWatch): AdHocCommitter {
  const sender = createRowSender(client);
  const group = createGroupCommitter(atLeastOnceLane(NOTHING_RECORDED, sender), watch);
  return {
    commit: (unit) => group.commit(unit),
    openStream: (run) => openVisibleStream(run, sender, group, watch),
    warm: (topic) => sender.warm(topic),
    async close() {
      await sender.close();
      watch.close();
    },
  };
}

/** A lane on which there is nothing left to do once the rows are sent. */
const NOTHING_RECORDED: Lane = {
  records: undefined,
  ready: async () => undefined,
  commit: async () => ({ status: 'committed' }),
  basis: () => undefined,
  judge: () => ({ status: 'open' }),
  committed: () => undefined,
};

function transactionalCommitter(client: KafkaClient, watch: TopicWatch, transactionalId: string): AdHocCommitter {
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

  const lane: Lane = { ...NOTHING_RECORDED, commit: commitRows, rehearse: (rows) => rehearsal.rehearse(rows) };
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
      watch.close();
    },
  };
}
