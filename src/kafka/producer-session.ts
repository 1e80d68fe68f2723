// The life of one kafkajs producer: connected, its metadata narrowed, and dead for good after the first error, because what a
// failed call left behind inside kafkajs or the broker cannot be known (design 10). Transactions and sends are in producer.ts.
import type { Producer, ProducerConfig, RecordMetadata } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import type { Cluster } from './cluster.ts';
import { compressionOf } from './compression.ts';
import { withDeadline } from './deadline.ts';
import { kafkaFailure } from './errors.ts';
import { checkHandOver } from './hand-over-check.ts';
import { loadKafkajs } from './kafkajs.ts';
import { payloadOf } from './payload.ts';
import { type Gate, type HandOver, leadersPartitioner, onlyOnce, preEncoded } from './pre-encoded.ts';
import type { EncodedBatch } from './record-batch.ts';
import { requireUsable } from './usable-topic.ts';
import { checkWritten, type TopicBatches } from './written.ts';

const CONNECT_DEADLINE: Milliseconds = 5000;
const DISCONNECT_DEADLINE: Milliseconds = 2000;
/** Of the request timeout: the broker is to answer that it is late before we give up on it. */
const BROKER_SHARE = 0.9;

/** What was known about a transaction when a step of it failed: it will never commit, or it may have. */
export type Outcome = 'not committed' | 'unknown';

/** The failure that killed a producer. */
export class ProducerFailure extends Failure {
  readonly outcome: Outcome;

  constructor(failure: Failure, outcome: Outcome) {
    const { kind, retryable, hint, code } = failure;
    super(failure.message, {
      kind,
      retryable,
      cause: failure,
      ...(hint === undefined ? {} : { hint }),
      ...(code === undefined ? {} : { code }),
    });
    this.outcome = outcome;
  }
}

/** What sends through a kafkajs producer or a transaction of it. */
export type Sender = Pick<Producer, 'sendBatch'>;

export interface Step {
  /** As in "committing the transaction". */
  readonly doing: string;
  readonly limit: Milliseconds;
  /** Default `not committed`. */
  readonly outcome?: Outcome;
  readonly topic?: string;
  /** An error that leaves the producer alive. */
  readonly spares?: (failure: Failure) => boolean;
}

export interface ProducerSession {
  readonly producer: Producer;
  readonly requestTimeout: Milliseconds;
  /** What killed it. */
  readonly death: Failure | undefined;
  /**
   * Does one step unless the producer is dead. Rejects with a ProducerFailure after any error or the step's limit, and the
   * producer is dead; with the first one when it was dead before.
   */
  step<T>(step: Step, work: () => Promise<T>): Promise<T>;
  /** One `sendBatch`, its answer compared with what was to be written. */
  send(sender: Sender, topics: readonly TopicBatches[], handOver?: HandOver): Promise<void>;
  /** Makes ready what `send` will need of batches that have to wait. */
  prepare(batches: readonly EncodedBatch[]): void;
  /** Rejects with a Failure (`topic`), the producer unharmed, for a topic that may not enter it now. */
  admit(topics: readonly string[]): Promise<void>;
  /** Ends it; resolves within 2 s and never rejects. */
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly config: ProducerConfig;
  /** A topic that exists, to narrow the metadata to. */
  readonly topic: string;
  /** Looks at each topic before it first enters the producer. Absent: the caller does. */
  readonly cluster?: Cluster;
}

let handOverChecked: Promise<void> | undefined;

/** Connects a new kafkajs producer. Rejects with a Failure. */
export async function openSession(client: KafkaClient, options: SessionOptions): Promise<ProducerSession> {
  const { internals } = loadKafkajs();
  handOverChecked ??= checkHandOver(internals);
  await handOverChecked;
  const { type, compress } = compressionOf(client.settings.compression);
  const producer = client.kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: leadersPartitioner,
    maxInFlightRequests: 1,
    ...options.config,
  });
  const { requestTimeout } = client.connectionOptions;
  const running = new Set<Promise<unknown>>();
  const admitted = new Set<string>([options.topic]);
  let death: Failure | undefined;

  const disconnect = async (): Promise<void> => {
    try {
      await withDeadline(producer.disconnect(), DISCONNECT_DEADLINE, 'disconnecting');
    } catch {
      // kafkajs waits for answers that may never come; the client's close() destroys the sockets.
    }
  };
  const die = (failure: Failure): Promise<void> => {
    death ??= failure;
    // A retry of kafkajs that waits meanwhile may connect anew.
    if (running.size > 0) void Promise.allSettled(running).then(disconnect);
    return disconnect();
  };

  const session: ProducerSession = {
    producer,
    requestTimeout,
    get death() {
      return death;
    },
    step: async ({ doing, limit, outcome = 'not committed', topic, spares }, work) => {
      if (death) throw death;
      try {
        const started = work();
        running.add(started);
        void started.catch(() => {}).then(() => running.delete(started));
        return await withDeadline(started, limit, doing);
      } catch (error) {
        const failure = kafkaFailure(error, doing, client.brokers, topic);
        if (spares?.(failure)) throw failure;
        if (!death) void die(new ProducerFailure(failure, outcome));
        throw death ?? failure;
      }
    },
    send: async (sender, topics, handOver = {}) => {
      const { gate: passes = onlyOnce } = handOver;
      // A send that was given up may still be waiting to repeat itself.
      const gate: Gate = (partition, takenBefore) => {
        if (death) throw death;
        passes(partition, takenBefore);
      };
      const written = await sender.sendBatch({
        acks: -1,
        timeout: Math.floor(requestTimeout * BROKER_SHARE),
        compression: type,
        topicMessages: topics.map(({ topic, batches }) => ({
          topic,
          messages: preEncoded(batches, { ...handOver, gate, compress }),
        })),
      });
      checkWritten(topics, written as RecordMetadata[]);
    },
    prepare: (batches) => {
      for (const batch of batches) void payloadOf(batch, compress);
    },
    admit: async (topics) => {
      for (const topic of topics) {
        if (admitted.has(topic)) continue;
        if (options.cluster) await requireUsable(options.cluster, topic);
        admitted.add(topic);
      }
    },
    close: () => die(new Failure('this Kafka producer was closed', { kind: 'internal' })),
  };
  await session.step({ doing: 'connecting', limit: CONNECT_DEADLINE, topic: options.topic }, () =>
    connect(producer, options.topic, client.brokers),
  );
  return session;
}

/**
 * Connects and narrows the producer's metadata to one topic: kafkajs asks for that of all topics otherwise, and a leaderless
 * partition anywhere in the cluster would fail its next step. Sending nothing writes nothing.
 */
async function connect(producer: Producer, topic: string, brokers: readonly string[]): Promise<void> {
  const narrow = () => producer.send({ topic, messages: [] });
  try {
    await producer.connect();
  } catch (error) {
    // An idempotent producer asks for the metadata of all topics within connect(); narrowed, it may connect after all.
    if (kafkaFailure(error, '', brokers).code !== 'LEADER_NOT_AVAILABLE') throw error;
    await narrow();
    await producer.connect();
  }
  await narrow();
}
