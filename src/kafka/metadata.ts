// The Metadata request: which brokers there are, which leads each partition, what the user may do. Every topic and partition
// keeps its own error code, so that one leaderless partition says nothing about the others.
import { loadKafkajs } from './kafkajs.ts';
import type { KafkajsDecoder } from './kafkajs-types.ts';
import { answer, commonVersion, type RequestMaker } from './protocols.ts';

export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface PartitionMetadata {
  readonly partition: number;
  readonly errorCode: number;
  /** Undefined while it has none. */
  readonly leader: number | undefined;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  readonly offline: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly errorCode: number;
  readonly internal: boolean;
  /** In the order of their numbers. */
  readonly partitions: readonly PartitionMetadata[];
  /** What the user may do with it (KIP-430); undefined from brokers before Kafka 2.3. */
  readonly operations: readonly Operation[] | undefined;
}

export interface ClusterMetadata {
  readonly clusterId: string | null;
  readonly controller: number;
  readonly brokers: readonly BrokerAddress[];
  readonly topics: readonly TopicMetadata[];
  readonly operations: readonly Operation[] | undefined;
}

export type Operation = (typeof OPERATIONS)[number];

/** By Kafka's number (org.apache.kafka.common.acl.AclOperation) from 3 on. */
const OPERATIONS = [
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'cluster-action',
  'describe-configs',
  'alter-configs',
  'idempotent-write',
] as const;
const FIRST_OPERATION = 3;
const NOT_ASKED = -(2 ** 31);

const METADATA = 3;

/** Metadata (key 3, version 5 to 8) of the named topics, or of all. A topic is never created by asking. */
export function metadataRequest(topics: readonly string[] | 'all'): RequestMaker<ClusterMetadata> {
  return (versions) => {
    const apiVersion = commonVersion('Metadata', METADATA, { min: 5, max: 8 }, versions);
    return {
      request: { apiKey: METADATA, apiVersion, apiName: 'Metadata', encode: async () => encode(topics, apiVersion) },
      response: answer((decoder) => decode(decoder, apiVersion)),
    };
  };
}

function encode(topics: readonly string[] | 'all', version: number) {
  const encoder = new (loadKafkajs().internals.Encoder)();
  encoder.writeInt32(topics === 'all' ? -1 : topics.length);
  if (topics !== 'all') for (const topic of topics) encoder.writeString(topic);
  encoder.writeBoolean(false);
  return version >= 8 ? encoder.writeBoolean(true).writeBoolean(true) : encoder;
}

/**
 * throttle_time INT32, brokers [node_id INT32, host STRING, port INT32, rack STRING], cluster_id STRING, controller_id INT32,
 * topics [error_code INT16, name STRING, is_internal BOOLEAN, partitions, from 8 operations INT32], from 8 operations INT32.
 */
function decode(decoder: KafkajsDecoder, version: number): ClusterMetadata & { clientSideThrottleTime: number } {
  const throttle = decoder.readInt32();
  const brokers = decoder.readArray(() => ({
    nodeId: decoder.readInt32(),
    host: decoder.readString() ?? '',
    port: decoder.readInt32(),
    rack: decoder.readString(),
  }));
  const clusterId = decoder.readString();
  const controller = decoder.readInt32();
  const topics = decoder.readArray(() => decodeTopic(decoder, version));
  const operations = version >= 8 ? readOperations(decoder) : undefined;
  return { clusterId, controller, brokers, topics, operations, clientSideThrottleTime: version >= 6 ? throttle : 0 };
}

function decodeTopic(decoder: KafkajsDecoder, version: number): TopicMetadata {
  const errorCode = decoder.readInt16();
  const name = decoder.readString() ?? '';
  const internal = decoder.readBoolean();
  const partitions = decoder.readArray(() => decodePartition(decoder, version));
  partitions.sort((a, b) => a.partition - b.partition);
  return { name, errorCode, internal, partitions, operations: version >= 8 ? readOperations(decoder) : undefined };
}

function decodePartition(decoder: KafkajsDecoder, version: number): PartitionMetadata {
  const errorCode = decoder.readInt16();
  const partition = decoder.readInt32();
  const leader = decoder.readInt32();
  if (version >= 7) decoder.readInt32();
  const nodes = () => decoder.readArray(() => decoder.readInt32());
  return {
    partition,
    errorCode,
    leader: leader < 0 ? undefined : leader,
    replicas: nodes(),
    inSync: nodes(),
    offline: nodes(),
  };
}

function readOperations(decoder: KafkajsDecoder): Operation[] | undefined {
  const bits = decoder.readInt32();
  if (bits === NOT_ASKED) return undefined;
  return OPERATIONS.filter((_operation, index) => (bits >>> (index + FIRST_OPERATION)) & 1);
}
