// The id of a topic (KIP-516): another one for a topic that was deleted and made anew under its old name, which no offset tells.
// Its version of the Metadata request is newer than any that kafkajs knows, so it is written here.
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import { loadKafkajs } from './kafkajs.ts';
import type { KafkajsDecoder, KafkajsEncoder } from './kafkajs-types.ts';
import { answer, type RequestMaker } from './protocols.ts';

const METADATA = 3;
/** The first version with ids: Kafka 2.8. */
const VERSION = 10;
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** The topic's id as a UUID; undefined from brokers before Kafka 2.8. Rejects with a Failure when the topic does not exist. */
export async function topicId(cluster: Cluster, topic: string): Promise<string | undefined> {
  const { errorCode, id } = await cluster.request('any', topicIdRequest(topic));
  if (errorCode !== 0) throw codeFailure(errorName(errorCode), `reading \`${topic}\``, topic);
  return id;
}

interface TopicIdAnswer {
  readonly errorCode: number;
  readonly id: string | undefined;
}

/** Of brokers that have no ids nothing is asked but the versions they speak. */
function topicIdRequest(topic: string): RequestMaker<TopicIdAnswer> {
  return (versions) => {
    const spoken = versions[METADATA];
    const known = spoken !== undefined && spoken.minVersion <= VERSION && spoken.maxVersion >= VERSION;
    if (!known) return listNothing();
    return {
      request: { apiKey: METADATA, apiVersion: VERSION, apiName: 'Metadata', encode: async () => encode(topic) },
      response: answer(decode),
    };
  };
}

/** Metadata version 1 of no topic: an answer from a broker that is too old for ids. */
function listNothing(): ReturnType<RequestMaker<TopicIdAnswer>> {
  const { Encoder } = loadKafkajs().internals;
  return {
    request: {
      apiKey: METADATA,
      apiVersion: 1,
      apiName: 'Metadata',
      encode: async () => new Encoder().writeInt32(0),
    },
    response: answer(() => ({ errorCode: 0, id: undefined })),
  };
}

/**
 * Metadata request, version 10, in the compact form (KIP-482): after the header's tagged fields (none) topics [topic_id UUID,
 * name COMPACT_NULLABLE_STRING, tags], allow_auto_topic_creation, include_cluster_authorized_operations,
 * include_topic_authorized_operations, tags.
 */
function encode(topic: string): KafkajsEncoder {
  const encoder = new (loadKafkajs().internals.Encoder)();
  const name = Buffer.from(topic);
  encoder.writeInt8(0);
  writeUnsignedVarint(encoder, 2);
  encoder.writeInt64(0).writeInt64(0);
  writeUnsignedVarint(encoder, name.length + 1);
  for (const byte of name) encoder.writeInt8((byte << 24) >> 24);
  encoder.writeInt8(0);
  return encoder.writeBoolean(false).writeBoolean(false).writeBoolean(false).writeInt8(0);
}

/**
 * Metadata answer, version 10: the header's tagged fields, throttle_time INT32, brokers [node_id INT32, host COMPACT_STRING,
 * port INT32, rack COMPACT_NULLABLE_STRING, tags], cluster_id COMPACT_NULLABLE_STRING, controller_id INT32, topics
 * [error_code INT16, name COMPACT_STRING, topic_id UUID, …]. One topic was asked for, so that the rest need not be read.
 */
function decode(decoder: KafkajsDecoder): TopicIdAnswer {
  skipTags(decoder);
  decoder.readInt32();
  for (let left = readUnsignedVarint(decoder) - 1; left > 0; left--) {
    decoder.readInt32();
    skipString(decoder);
    decoder.readInt32();
    skipString(decoder);
    skipTags(decoder);
  }
  skipString(decoder);
  decoder.readInt32();
  readUnsignedVarint(decoder);
  const errorCode = decoder.readInt16();
  skipString(decoder);
  const hex = (decoder.readBytes(16) ?? Buffer.alloc(16)).toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { errorCode, id: id === NO_ID ? undefined : id };
}

function writeUnsignedVarint(encoder: KafkajsEncoder, value: number): void {
  let left = value;
  for (; left > 0x7f; left >>>= 7) encoder.writeInt8((((left & 0x7f) | 0x80) << 24) >> 24);
  encoder.writeInt8(left);
}

function readUnsignedVarint(decoder: KafkajsDecoder): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = decoder.readInt8();
    value |= (byte & 0x7f) << shift;
    if (byte >= 0) break;
  }
  return value;
}

function skipString(decoder: KafkajsDecoder): void {
  const length = readUnsignedVarint(decoder) - 1;
  decoder.offset += Math.max(0, length);
}

function skipTags(decoder: KafkajsDecoder): void {
  for (let left = readUnsignedVarint(decoder); left > 0; left--) {
    readUnsignedVarint(decoder);
    const size = readUnsignedVarint(decoder);
    decoder.offset += size;
  }
}
