// What each error code of the Kafka protocol means for a run: who must act, whether waiting helps, and what to do. Data only;
// errors.ts turns a code into a Failure. Codes not listed are "Kafka unavailable" when kafkajs would retry them.
// https://kafka.apache.org/protocol#protocol_error_codes
import type { FailureKind } from '../model/failure.ts';

export interface ErrorMeaning {
  readonly kind: FailureKind;
  readonly retryable: boolean;
  /** A clause; `{topic}` stands for the topic in question. */
  readonly text: string;
  readonly hint?: string;
}

const topic = (text: string, hint: string, retryable = false): ErrorMeaning => ({
  kind: 'topic',
  retryable,
  text,
  hint,
});
const record = (text: string, hint: string): ErrorMeaning => ({ kind: 'record', retryable: false, text, hint });
const refused = (text: string, hint: string): ErrorMeaning => ({
  kind: 'authentication',
  retryable: false,
  text,
  hint,
});
const downtime = (text: string, hint?: string): ErrorMeaning =>
  hint === undefined ? { kind: 'kafka', retryable: true, text } : { kind: 'kafka', retryable: true, text, hint };
const fenced = (text: string): ErrorMeaning => ({ kind: 'fenced', retryable: false, text });

const BRING_BACK = 'bring back the broker that holds it; `pgtally topics describe {name}` shows which';
const GRANT = 'grant it with kafka-acls or ask who runs the cluster';

/** By Kafka's name of the error. */
export const ERROR_MEANINGS: Readonly<Record<string, ErrorMeaning>> = {
  OFFSET_OUT_OF_RANGE: topic(
    'the offset asked of {topic} is not in its log',
    'choose an offset between its log start and its end',
  ),
  UNKNOWN_TOPIC_OR_PARTITION: topic('{topic} does not exist', 'create it: `pgtally topics create {name}`'),
  // Not Kafka's: a partition number beyond those there are.
  UNKNOWN_PARTITION: topic('{topic} has no such partition', '`pgtally topics describe {name}` shows its partitions'),
  UNKNOWN_TOPIC_ID: topic('{topic} was deleted or made anew', 'create it: `pgtally topics create {name}`'),
  LEADER_NOT_AVAILABLE: topic('a partition of {topic} has no leader', BRING_BACK, true),
  NOT_LEADER_FOR_PARTITION: downtime('the leader of a partition of {topic} moved'),
  REPLICA_NOT_AVAILABLE: downtime('a replica of {topic} is not available'),
  NOT_ENOUGH_REPLICAS: topic('{topic} has fewer replicas in sync than its min.insync.replicas', BRING_BACK, true),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: topic(
    '{topic} has fewer replicas in sync than its min.insync.replicas',
    BRING_BACK,
    true,
  ),
  INVALID_TOPIC_EXCEPTION: topic(
    '{topic} is not a name Kafka takes',
    'use at most 249 letters, digits, dots, dashes and underscores',
  ),
  TOPIC_AUTHORIZATION_FAILED: topic(
    'the user may not use {topic}',
    `it needs Describe and Write to publish, Read to ingest: ${GRANT}`,
  ),
  TOPIC_ALREADY_EXISTS: topic('{topic} exists already', 'see it with `pgtally topics describe {name}`'),
  INVALID_PARTITIONS: topic('{topic} cannot have that number of partitions', 'give a number from 1 up'),
  INVALID_REPLICATION_FACTOR: topic(
    '{topic} cannot have that many replicas',
    'a topic has at most as many replicas as there are brokers',
  ),
  INVALID_CONFIG: topic(
    '{topic} cannot have that configuration',
    'names and values are those of https://kafka.apache.org/documentation/#topicconfigs',
  ),
  POLICY_VIOLATION: topic("the cluster's policy refuses {topic}", 'ask who runs the cluster what it allows'),
  TOPIC_DELETION_DISABLED: topic(
    'the cluster does not let topics be deleted',
    'set delete.topic.enable=true on its brokers',
  ),

  MESSAGE_TOO_LARGE: record(
    'a record batch is larger than {topic} takes',
    'make rows smaller or raise max.message.bytes of the topic',
  ),
  RECORD_LIST_TOO_LARGE: record(
    'a record batch is larger than a segment of {topic}',
    'make rows smaller or raise segment.bytes of the topic',
  ),
  INVALID_RECORD: record(
    '{topic} refuses a record',
    'a compacted topic (cleanup.policy=compact) needs a key on every record: give the job a `key`',
  ),
  INVALID_TIMESTAMP: record(
    '{topic} refuses the timestamp of a record',
    "compare this machine's clock with the brokers'",
  ),

  INVALID_PRODUCER_EPOCH: fenced('another producer took over the transactional id, or the transaction timed out'),
  PRODUCER_FENCED: fenced('another producer took over the transactional id'),

  SASL_AUTHENTICATION_FAILED: refused('user name or password refused', 'check `kafka.sasl` in pgtally.yaml'),
  UNSUPPORTED_SASL_MECHANISM: refused(
    'the broker does not offer this SASL mechanism',
    'set `kafka.sasl.mechanism` to one the broker has enabled',
  ),
  ILLEGAL_SASL_STATE: refused(
    'the broker expects another way of authentication',
    'check that port and `kafka.sasl` belong to one listener of the broker',
  ),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: refused(
    'the user may not use the transactional id',
    `it needs Write and Describe on transactional ids that start with the ledger's topic: ${GRANT}`,
  ),
  CLUSTER_AUTHORIZATION_FAILED: refused('the user may not do this on the cluster', GRANT),
  GROUP_AUTHORIZATION_FAILED: refused(
    'the user may not use the consumer group',
    `it needs Read on the group: ${GRANT}`,
  ),
  SECURITY_DISABLED: refused('the broker has no authorizer', 'ACLs need one'),

  UNKNOWN: downtime('the broker met an unexpected error', 'its own log says which'),
  CONCURRENT_TRANSACTIONS: downtime('the previous transaction is still being ended'),
  INVALID_TXN_STATE: downtime('the broker ended the transaction'),
  INVALID_PRODUCER_ID_MAPPING: downtime('the broker forgot the producer'),
  UNKNOWN_PRODUCER_ID: downtime('the broker forgot the producer'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: downtime('records reached the broker out of order'),
  TRANSACTION_ABORTABLE: downtime('the broker asks for the transaction to be ended'),
  TRANSACTION_COORDINATOR_FENCED: downtime('the transaction coordinator moved'),
  BROKER_NOT_AVAILABLE: downtime('a broker is not available'),
  REQUEST_TIMED_OUT: downtime('the broker did not finish in time'),
  THROTTLING_QUOTA_EXCEEDED: downtime('the cluster throttles this client'),
  INVALID_TRANSACTION_TIMEOUT: {
    kind: 'configuration',
    retryable: false,
    text: "the transaction timeout is above the broker's transaction.max.timeout.ms",
    hint: "lower the job's `timeout` or raise that setting",
  },
  UNSUPPORTED_VERSION: {
    kind: 'configuration',
    retryable: false,
    text: 'the broker does not know a request pgtally needs',
    hint: 'pgtally needs Kafka 1.0 or later',
  },
  UNSUPPORTED_COMPRESSION_TYPE: {
    kind: 'configuration',
    retryable: false,
    text: 'the broker does not take this compression for {topic}',
    hint: 'change `kafka.compression` in pgtally.yaml',
  },
};

/** Codes that kafkajs 2.2.4 does not know. */
export const LATER_CODES: Readonly<Record<number, string>> = {
  89: 'THROTTLING_QUOTA_EXCEEDED',
  90: 'PRODUCER_FENCED',
  100: 'UNKNOWN_TOPIC_ID',
  103: 'INCONSISTENT_TOPIC_ID',
  120: 'TRANSACTION_ABORTABLE',
};
