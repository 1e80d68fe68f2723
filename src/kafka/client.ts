// One configured way to a Kafka cluster: kafkajs with the settings that held under faults, its log, its sockets. Connections
// are made by who needs them: producers through `kafka`, readers and topics through cluster.ts.
import type { Kafka, logLevel } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import type { KafkaSettings } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import { kafkaFailure } from './errors.ts';
import { loadKafkajs } from './kafkajs.ts';
import type { KafkajsConnectionOptions, KafkajsLogEntry } from './kafkajs-types.ts';
import { saslMechanism } from './security.ts';
import { createSeeds } from './seeds.ts';
import { CLOSED_TEXT, createSockets } from './sockets.ts';

/** Below the transaction timeout of 10 s, so that a lost answer is noticed while its transaction can still be ended. */
export const REQUEST_TIMEOUT: Milliseconds = 4500;
const CONNECTION_TIMEOUT: Milliseconds = 2000;
/** kafkajs's retries inside one call; a transactional producer sets `retries: 0` (ledger.md, Several brokers). */
const RETRY = { initialRetryTime: 30, maxRetryTime: 1000, retries: 5, factor: 0.2, multiplier: 2 } as const;

export interface KafkaLogEntry {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly broker?: string;
}

export interface KafkaClientOptions {
  /** Appended to `client_id` with a dash, so that the broker's log tells connections apart. */
  readonly clientIdSuffix?: string;
  /** What kafkajs would print, warnings and worse; absent = silent. */
  readonly onLog?: (entry: KafkaLogEntry) => void;
  readonly requestTimeout?: Milliseconds;
}

export interface KafkaClient {
  readonly settings: KafkaSettings;
  /** `host:port`, as configured, each with its port. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** kafkajs itself, for producers and group consumers; they create no topic by asking for it, unlike its default. */
  readonly kafka: Kafka;
  /** Everything kafkajs's Connection needs but host and port. */
  readonly connectionOptions: Omit<KafkajsConnectionOptions, 'host' | 'port'>;
  /** An error of kafkajs or the network, met while `doing`, as a Failure (errors.ts). */
  failure(error: unknown, doing: string, topic?: string): Failure;
  /** Destroys every socket made through this client; whatever still waits on one fails at once. */
  close(): void;
}

/**
 * A client for `settings`; nothing is connected yet. TLS files and password files are read at each connection.
 * Throws a Failure (`configuration`) for a broker address kafkajs cannot use.
 */
export function createKafkaClient(settings: KafkaSettings, options: KafkaClientOptions = {}): KafkaClient {
  const { library, internals } = loadKafkajs();
  const brokers = settings.brokers.map(parseBroker);
  const clientId = options.clientIdSuffix ? `${settings.clientId}-${options.clientIdSuffix}` : settings.clientId;
  const seeds = createSeeds(brokers);
  const sockets = createSockets(settings.tls, CONNECTION_TIMEOUT, seeds);
  const level = options.onLog ? library.logLevel.WARN : library.logLevel.NOTHING;
  const logCreator = () => (entry: KafkajsLogEntry) => forwardLog(entry, options.onLog);
  const shared = {
    clientId,
    connectionTimeout: CONNECTION_TIMEOUT,
    requestTimeout: options.requestTimeout ?? REQUEST_TIMEOUT,
    enforceRequestTimeout: true,
    // Only a sign for kafkajs that TLS is on: the options themselves are read by the socket factory.
    ...(settings.tls ? { ssl: {} } : {}),
    ...(settings.sasl ? { sasl: saslMechanism(settings.sasl, internals) } : {}),
    socketFactory: sockets.factory,
  };
  return {
    settings,
    brokers,
    clientId,
    kafka: neverCreatingTopics(
      // A list of one, since kafkajs counts on through the list it is given, whatever that is by then.
      new library.Kafka({
        ...shared,
        brokers: () => [seeds.next()],
        retry: RETRY,
        logLevel: level as logLevel,
        logCreator,
      }),
    ),
    connectionOptions: { ...shared, logger: internals.createLogger({ level, logCreator }) },
    failure: (error, doing, topic) => kafkaFailure(error, doing, brokers, topic),
    close: () => sockets.destroy(),
  };
}

/** A mistyped topic must be an error, also on clusters that create topics when asked for them. */
function neverCreatingTopics(kafka: Kafka): Kafka {
  const producer = kafka.producer.bind(kafka);
  const consumer = kafka.consumer.bind(kafka);
  kafka.producer = (config) => producer({ allowAutoTopicCreation: false, ...config });
  kafka.consumer = (config) => consumer({ allowAutoTopicCreation: false, ...config });
  return kafka;
}

/** `host` or `host:port` → `host:port`. */
function parseBroker(broker: string): string {
  const match = /^([^:[\]\s]+)(?::(\d{1,5}))?$/.exec(broker);
  const port = Number(match?.[2] ?? 9092);
  if (match?.[1] && port > 0 && port < 65_536) return `${match[1]}:${port}`;
  throw new Failure(`\`${broker}\` is not a broker's address`, {
    kind: 'configuration',
    hint:
      broker.includes('[') || broker.split(':').length > 2
        ? 'kafkajs takes no IPv6 address: write the host name and port, as in `kafka.example:9092`'
        : 'write a host name and a port, as in `kafka.example:9092`',
  });
}

/** Parts of messages that say nothing to anyone. */
const NOISE = [
  // Error 51: a producer meets it after back-to-back transactions, and retries.
  'another concurrent operation on the same transaction',
  // Told of each producer without a partitioner of its own.
  'switched default partitioner',
  CLOSED_TEXT,
];

function forwardLog({ level, log }: KafkajsLogEntry, onLog: KafkaClientOptions['onLog']): void {
  const text = typeof log.error === 'string' ? `${log.message}: ${log.error}` : log.message;
  if (!onLog || NOISE.some((noise) => text.includes(noise))) return;
  const name = level <= 1 ? 'error' : level === 2 ? 'warn' : level === 4 ? 'info' : 'debug';
  onLog({ level: name, message: text, ...(typeof log.broker === 'string' ? { broker: log.broker } : {}) });
}
