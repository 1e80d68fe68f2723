// Producers that keep kafkajs from losing or doubling rows (design 10; ledger.md, Several brokers): one that commits
// transactions and one that is merely idempotent. Both take record batches that are bytes already; neither decides what to send
// or what to do after a failure.
import type { Transaction as KafkajsTransaction } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import type { Cluster } from './cluster.ts';
import { createLeaderSends } from './leader-sends.ts';
import { onlyOnce } from './pre-encoded.ts';
import { openSession, type ProducerSession, type Step } from './producer-session.ts';
import type { EncodedBatch } from './record-batch.ts';
import { splitForSending } from './send-rounds.ts';
import type { TopicBatches } from './written.ts';

const INIT_DEADLINE: Milliseconds = 15_000;
/** A stream waits for a new leader: 9 s pass until a dead broker is noticed. */
const STREAM_RETRY = { initialRetryTime: 50, maxRetryTime: 1000, retries: 30 } as const;
/** The previous transaction is not ended yet; the coordinator is another broker now, or becomes one. */
const WAITED_FOR: ReadonlySet<string | undefined> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
]);
/** Waiting for the broker to end the previous transaction, each time longer. */
const CONCURRENT_WAIT = { first: 5, most: 100 } as const;

export interface ProducerOptions {
  /** A topic that exists and that the producer will use: the ledger's, or the first to be published to. */
  readonly topic: string;
  /** Looks at the leaders of each further topic before it first enters the producer. Absent: the caller does. */
  readonly cluster?: Cluster;
}

export interface TransactionalProducerOptions extends ProducerOptions {
  readonly transactionalId: string;
  /** The broker aborts a transaction that is open for longer. */
  readonly transactionTimeout: Milliseconds;
  /**
   * `main`: small transactions, each send once. `stream`: large ones, each send to one broker, which kafkajs may repeat until
   * a new leader is found.
   */
  readonly purpose: 'main' | 'stream';
}

export interface TransactionalProducer {
  readonly transactionalId: string;
  /** After any error (a topic's refusal apart): everything rejects with that error; close it and open another. */
  readonly dead: boolean;
  /**
   * The first call fences whoever had this transactional id and ends what it left open. Rejects with a ProducerFailure, or a
   * Failure (`internal`) while a transaction is open.
   */
  begin(): Promise<Transaction>;
  /** Resolves within 2 s, never rejects. An open transaction stays open until the id is taken again or it times out. */
  close(): Promise<void>;
}

/**
 * One transaction. All but `abort` reject with a ProducerFailure, whose `outcome` says whether it may have been committed, and
 * the producer is dead; or, the producer unharmed, with a Failure (`topic`) for a topic that may not be used now.
 */
export interface Transaction {
  /** One batch alone, waiting while the broker still ends the previous transaction. */
  sendFirst(topic: string, batch: EncodedBatch): Promise<void>;
  /**
   * Each batch once, as few requests as can be; the first of a transaction waits while the broker still ends the previous
   * one. The caller may use the batches again after a failure.
   */
  sendOnce(topics: readonly TopicBatches[]): Promise<void>;
  /** Sends to one broker each, batches of a partition in their order; resolves when the brokers have them all. */
  stream(topic: string, batches: readonly EncodedBatch[]): Promise<void>;
  commit(): Promise<void>;
  /** Nothing of it will be visible. Of a dead producer it does nothing, for that is so already. */
  abort(): Promise<void>;
}

/** Connects a new producer; its id is not fenced before `begin`. Rejects with a Failure. */
export async function openTransactionalProducer(
  client: KafkaClient,
  options: TransactionalProducerOptions,
): Promise<TransactionalProducer> {
  const { transactionalId, transactionTimeout, purpose } = options;
  const retry = purpose === 'main' ? { retries: 0 } : STREAM_RETRY;
  const session = await openSession(client, {
    ...options,
    // kafkajs makes transactions idempotent by itself; `idempotent: true` would refuse to have no retries.
    config: { transactionalId, transactionTimeout, idempotent: false, retry },
  });
  let open = false;
  return {
    transactionalId,
    get dead() {
      return session.death !== undefined;
    },
    begin: async () => {
      if (open) throw new Failure(`a transaction of \`${transactionalId}\` is open already`, { kind: 'internal' });
      const step = { doing: 'beginning a transaction', limit: INIT_DEADLINE };
      const transaction = await session.step(step, () => session.producer.transaction());
      open = true;
      return createTransaction(session, transaction, purpose, () => {
        open = false;
      });
    },
    close: () => session.close(),
  };
}

export interface IdempotentProducer {
  readonly dead: boolean;
  /** As `Transaction.stream`; after an error some of it may be written. */
  send(topic: string, batches: readonly EncodedBatch[]): Promise<void>;
  /** Resolves within 2 s, never rejects. */
  close(): Promise<void>;
}

/** Connects a new producer without transactions, for `at_least_once` and for data that comes by hand. Rejects with a Failure. */
export async function openIdempotentProducer(
  client: KafkaClient,
  options: ProducerOptions,
): Promise<IdempotentProducer> {
  const session = await openSession(client, { ...options, config: { idempotent: true, retry: STREAM_RETRY } });
  const stream = createLeaderSends(session, session.producer);
  return {
    get dead() {
      return session.death !== undefined;
    },
    send: stream,
    close: () => session.close(),
  };
}

/** Ends the transaction that a producer of this id may have left open, so that readers need not wait for its timeout. */
export async function fenceTransactionalId(
  client: KafkaClient,
  options: Omit<TransactionalProducerOptions, 'purpose'>,
): Promise<void> {
  const producer = await openTransactionalProducer(client, { ...options, purpose: 'main' });
  try {
    const transaction = await producer.begin();
    await transaction.abort();
  } finally {
    await producer.close();
  }
}

function createTransaction(
  session: ProducerSession,
  kafkajs: KafkajsTransaction,
  purpose: 'main' | 'stream',
  onEnd: () => void,
): Transaction {
  let ended = false;
  let hasSent = false;
  const streamBatches = createLeaderSends(session, kafkajs);

  /** Sends that have not been answered; a commit now would leave them out. */
  let underWay = 0;

  const whileOpen = async (work: () => Promise<void>): Promise<void> => {
    if (ended) throw new Failure('this transaction has ended', { kind: 'internal' });
    underWay++;
    try {
      await work();
    } finally {
      underWay--;
    }
  };
  const end = async (step: Step, work: () => Promise<void>): Promise<void> => {
    if (ended || underWay > 0) {
      const what = ended ? 'this transaction has ended' : 'rows of this transaction are still under way';
      throw new Failure(what, { kind: 'internal' });
    }
    ended = true;
    onEnd();
    await session.step(step, work);
  };
  const sendRound = async (topics: readonly TopicBatches[]): Promise<void> => {
    const step = { doing: sending(topics), limit: 2 * session.requestTimeout, ...onlyTopic(topics) };
    await session.step(step, () => session.send(kafkajs, topics));
    hasSent = true;
  };

  /**
   * The first send of a transaction. Resolves with false when several batches may not go together: they would be requests to
   * several brokers, of which one might be taken and another be told to wait. Then, as after waiting, nothing has left. One
   * batch is sent, or this rejects.
   */
  const sendFirstRound = async (topics: readonly TopicBatches[]): Promise<boolean> => {
    const limit = 2 * session.requestTimeout;
    const giveUp = performance.now() + limit;
    const isOne = topics.length === 1 && topics[0]?.batches.length === 1;
    let taken = false;
    let divided = false;
    const isHarmless = ({ code }: Failure): boolean => {
      // Told of a partition that is fine, because another one is not: which one is found by sending them apart.
      divided ||= !isOne && code === 'OPERATION_NOT_ATTEMPTED';
      return !taken && (divided || (WAITED_FOR.has(code) && performance.now() < giveUp));
    };
    const step: Step = { doing: sending(topics), limit, ...onlyTopic(topics), spares: isHarmless };
    for (let wait: Milliseconds = CONCURRENT_WAIT.first; ; wait = Math.min(2 * wait, CONCURRENT_WAIT.most)) {
      const used = new Set<number | undefined>();
      try {
        await session.step(step, () =>
          session.send(kafkajs, topics, {
            gate: (partition, takenBefore) => {
              onlyOnce(partition, takenBefore);
              taken = true;
            },
            onLeaders: (leaders, partitions) => {
              for (const partition of partitions) used.add(leaders.get(partition));
              divided = used.size > 1;
              if (divided) throw severalLeaders();
            },
          }),
        );
        hasSent = true;
        return true;
      } catch (error) {
        if (session.death) throw error;
        if (divided) return false;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  };

  const sendAlone = async (topic: string, batch: EncodedBatch): Promise<void> => {
    await session.admit([topic]);
    await sendFirstRound([{ topic, batches: [batch] }]);
  };

  const sendAll = async (topics: readonly TopicBatches[]): Promise<void> => {
    await session.admit(topics.map(({ topic }) => topic));
    let rounds = splitForSending(topics, 'all');
    if (!hasSent && rounds[0]) {
      if (await sendFirstRound(rounds[0])) rounds.shift();
      else {
        rounds = splitForSending(topics, 'one');
        const [alone] = rounds.splice(0, 1);
        if (alone) await sendFirstRound(alone);
      }
    }
    for (const round of rounds) await sendRound(round);
  };

  const streams = purpose === 'stream';
  return {
    sendFirst: (topic, batch) => whileOpen(() => (streams ? streamBatches(topic, [batch]) : sendAlone(topic, batch))),
    sendOnce: (topics) =>
      whileOpen(async () => {
        if (!streams) await sendAll(topics);
        else for (const { topic, batches } of topics) await streamBatches(topic, batches);
      }),
    stream: (topic, batches) => whileOpen(() => streamBatches(topic, batches)),
    commit: () =>
      end({ doing: 'committing the transaction', limit: session.requestTimeout + 1000, outcome: 'unknown' }, () =>
        kafkajs.commit(),
      ),
    abort: async () => {
      if (session.death) return;
      await end({ doing: 'aborting the transaction', limit: session.requestTimeout + 1000 }, () => kafkajs.abort());
    },
  };
}

function sending(topics: readonly TopicBatches[]): string {
  return `sending to ${topics.map(({ topic }) => `\`${topic}\``).join(', ')}`;
}

function onlyTopic(topics: readonly TopicBatches[]): { topic?: string } {
  const [first, second] = topics;
  return first && !second ? { topic: first.topic } : {};
}

/** Never seen outside: the batches are sent in another way. */
function severalLeaders(): Failure {
  return new Failure('kafka: several brokers lead the partitions of a first send', {
    kind: 'kafka',
    retryable: true,
    code: 'SEVERAL_LEADERS',
  });
}
