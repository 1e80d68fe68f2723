// The requests pgtally sends by itself, built on kafkajs's encoders, with the error codes of the answers left in them as data:
// kafkajs throws for a whole answer at the first code it finds, so that one leaderless partition hides all others.
import { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { AbortedTransaction } from './committed.ts';
import { loadKafkajs } from './kafkajs.ts';
import type { KafkajsApiVersion, KafkajsDecoder, KafkajsProtocol } from './kafkajs-types.ts';
import type { Isolation } from './record.ts';

/** What a broker speaks: by api key. */
export type ApiVersions = Readonly<Record<number, KafkajsApiVersion>>;

/** A request for whatever versions the broker turns out to speak. */
export type RequestMaker<Answer> = (versions: ApiVersions) => KafkajsProtocol<Answer>;

/** `ListOffsets` takes these in place of an instant. */
export const LATEST = -1;
export const EARLIEST = -2;

export interface FetchAnswer {
  readonly partitions: readonly FetchedPartition[];
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  /** -1 from brokers before Kafka 1.0. */
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last possibly incomplete; a view of the answer's bytes. */
  readonly records: Buffer;
}

export interface FetchRequest {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: number; readonly maxBytes: Bytes }[];
  readonly isolation: Isolation;
  readonly maxWait: Milliseconds;
  readonly maxBytes: Bytes;
  /** For the answer to come, whole; the connection's own request timeout where that is longer. */
  readonly timeout: Milliseconds;
}

/** Fetch (key 1) of one topic's partitions, without a fetch session. */
export function fetchRequest(fields: FetchRequest): RequestMaker<FetchAnswer> {
  return (versions) => {
    const protocol = build<FetchAnswer>('Fetch', 1, versions, {
      maxWaitTime: fields.maxWait,
      minBytes: 1,
      maxBytes: fields.maxBytes,
      isolationLevel: isolationLevel(fields.isolation),
      rackId: '',
      topics: [
        {
          topic: fields.topic,
          partitions: fields.partitions.map(({ partition, offset, maxBytes }) => ({
            partition,
            fetchOffset: String(offset),
            maxBytes,
          })),
        },
      ],
    });
    const { apiVersion } = protocol.request;
    const response = answer((decoder) => decodeFetch(decoder, apiVersion));
    return { ...protocol, response, requestTimeout: fields.timeout };
  };
}

export interface OffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[];
  }[];
}

/** ListOffsets (key 2): `at` is an instant, LATEST (the last stable offset or the high watermark, by isolation) or EARLIEST. */
export function offsetsRequest(
  topic: string,
  partitions: readonly { readonly partition: number; readonly at: number }[],
  isolation: Isolation,
): RequestMaker<OffsetsAnswer> {
  return (versions) =>
    build('ListOffsets', 2, versions, {
      isolationLevel: isolationLevel(isolation),
      topics: [{ topic, partitions: partitions.map(({ partition, at }) => ({ partition, timestamp: String(at) })) }],
    });
}

export interface CreateTopicsAnswer {
  readonly topicErrors: readonly {
    readonly topic: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
  }[];
}

export interface NewTopic {
  readonly topic: string;
  /** -1 = the broker's default. */
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly configEntries: readonly { readonly name: string; readonly value: string }[];
}

/** CreateTopics (key 19). */
export function createTopicsRequest(
  topics: readonly NewTopic[],
  validateOnly: boolean,
  timeout: Milliseconds,
): RequestMaker<CreateTopicsAnswer> {
  return (versions) => build('CreateTopics', 19, versions, { topics, validateOnly, timeout });
}

/** DeleteTopics (key 20). */
export function deleteTopicsRequest(
  topics: readonly string[],
  timeout: Milliseconds,
): RequestMaker<{ readonly topicErrors: readonly { readonly topic: string; readonly errorCode: number }[] }> {
  return (versions) => build('DeleteTopics', 20, versions, { topics, timeout });
}

export interface ConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly errorMessage: string | null;
    readonly resourceName: string;
    readonly configEntries: readonly ConfigEntry[];
  }[];
}

export interface ConfigEntry {
  readonly configName: string;
  readonly configValue: string | null;
  readonly isDefault: boolean;
  readonly isSensitive: boolean;
  /** 1 the topic's own, 2–4 a broker's, 5 Kafka's default. */
  readonly configSource?: number;
}

/** DescribeConfigs (key 32); without names, all of them. */
export function configsRequest(
  resources: readonly {
    readonly type: 'topic' | 'broker';
    readonly name: string;
    readonly configNames?: readonly string[];
  }[],
): RequestMaker<ConfigsAnswer> {
  return (versions) =>
    build('DescribeConfigs', 32, versions, {
      resources: resources.map(({ type, name, configNames }) => ({
        type: type === 'topic' ? 2 : 4,
        name,
        configNames: configNames ?? [],
      })),
      includeSynonyms: false,
    });
}

/** The highest version of a request that both sides know. Throws a Failure (`configuration`) when there is none. */
export function commonVersion(
  name: string,
  key: number,
  ours: { min: number; max: number },
  versions: ApiVersions,
): number {
  const theirs = versions[key];
  const version = Math.min(ours.max, theirs?.maxVersion ?? -1);
  if (theirs && version >= Math.max(ours.min, theirs.minVersion)) return version;
  throw new Failure(`kafka: the broker does not speak a version of the ${name} request that pgtally knows`, {
    kind: 'configuration',
    code: 'UNSUPPORTED_VERSION',
    hint: 'pgtally needs Kafka 1.0 or later',
  });
}

/** A response whose error codes stay data. */
export function answer<Answer>(read: (decoder: KafkajsDecoder) => Answer): KafkajsProtocol<Answer>['response'] {
  const { Decoder } = loadKafkajs().internals;
  return { decode: async (payload) => read(new Decoder(payload)), parse: async (decoded) => decoded };
}

/** kafkajs's own request and decoder, in the highest common version, without its `parse`. */
export function build<Answer>(
  name: string,
  key: number,
  versions: ApiVersions,
  fields: object,
): KafkajsProtocol<Answer> {
  const definition = loadKafkajs().internals.requests[name];
  if (!definition) throw new Error(`kafkajs has no request named ${name}`);
  const known = definition.versions.map(Number);
  const version = commonVersion(name, key, { min: Math.min(...known), max: Math.max(...known) }, versions);
  const protocol: KafkajsProtocol<Answer> = definition.protocol({ version })(fields);
  return { ...protocol, response: { ...protocol.response, parse: async (decoded) => decoded } };
}

function isolationLevel(isolation: Isolation): number {
  return isolation === 'read_committed' ? 1 : 0;
}

/**
 * Fetch answer, version 4 to 11: throttle_time INT32, from 7 error_code INT16 and session_id INT32, then topics: name,
 * partitions of index INT32, error_code INT16, high_watermark INT64, last_stable_offset INT64, from 5 log_start_offset INT64,
 * aborted [producer_id INT64, first_offset INT64], from 11 preferred_read_replica INT32, records BYTES.
 */
function decodeFetch(decoder: KafkajsDecoder, version: number): FetchAnswer & { clientSideThrottleTime: number } {
  const throttle = decoder.readInt32();
  // An error of the whole request concerns fetch sessions only, which are not used.
  if (version >= 7) decoder.offset += 6;
  const topics = decoder.readArray(() => {
    decoder.readString();
    return decoder.readArray(() => decodePartition(decoder, version));
  });
  // From version 8 on the broker expects the client to hold back (KIP-219).
  return { partitions: topics.flat(), clientSideThrottleTime: version >= 8 ? throttle : 0 };
}

function decodePartition(decoder: KafkajsDecoder, version: number): FetchedPartition {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = Number(decoder.readInt64());
  const lastStableOffset = Number(decoder.readInt64());
  const logStart = version >= 5 ? Number(decoder.readInt64()) : -1;
  const aborted = decoder.readArray(() => ({
    producerId: decoder.readInt64(),
    firstOffset: Number(decoder.readInt64()),
  }));
  if (version >= 11) decoder.readInt32();
  const records = decoder.readBytes() ?? Buffer.alloc(0);
  return { partition, errorCode, highWatermark, lastStableOffset, logStart, aborted, records };
}
