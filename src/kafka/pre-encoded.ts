// How record batches that are bytes already pass through kafkajs 2.2.4's own `send()`: as a `messages` that answers the calls
// kafkajs makes of an array. Everything else (metadata, leaders, retries, sequence numbers, transactions, requests) stays
// kafkajs's. It was found by reading that version, so it is checked at start (hand-over-check.ts).
import type { ICustomPartitioner, Message } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import { type Compress, type Payload, payloadOf } from './payload.ts';
import type { EncodedBatch } from './record-batch.ts';

/**
 * Called each time kafkajs takes a batch for a request, with how often it took that batch before; what it throws fails the
 * send before anything of that request has left.
 */
export type Gate = (partition: number, takenBefore: number) => void;

/**
 * The gate for a send to several partitions: each batch once. kafkajs's retry of such a send gives records new sequence numbers
 * while the first request may still be under way, which writes them twice (ledger.md, Several brokers).
 */
export const onlyOnce: Gate = (partition, takenBefore) => {
  if (takenBefore === 0) return;
  throw new Failure(`kafka: partition ${partition} was about to be sent a second time`, {
    kind: 'kafka',
    retryable: true,
    code: 'SENT_TWICE',
  });
};

/** Which broker leads each partition, by their numbers. */
export type Leaders = ReadonlyMap<number, number>;

export interface HandOver {
  /** Default: `onlyOnce`. */
  readonly gate?: Gate;
  /**
   * Called for each attempt of kafkajs, before anything of it has left, with the leaders it is about to use (given a producer
   * with `leadersPartitioner`) and the partitions it sends to, once for each topic. What it throws fails the send.
   */
  readonly onLeaders?: (leaders: Leaders, partitions: readonly number[]) => void;
  /** What the `compression` given to `send()` stands for. Absent: none. */
  readonly compress?: Compress | undefined;
}

/** The `messages` of one topic for `send()` or `sendBatch()`. Throws a Failure (`internal`) for two batches of a partition. */
export function preEncoded(batches: readonly EncodedBatch[], handOver: HandOver = {}): Message[] {
  const { onLeaders } = handOver;
  const byPartition: Record<number, PartitionMessages> = {};
  for (const batch of batches) {
    if (byPartition[batch.partition]) {
      throw new Failure(`two batches of partition ${batch.partition} in one send`, { kind: 'internal' });
    }
    byPartition[batch.partition] = partitionMessages(batch, handOver);
  }
  const messages: MessagesOfTopic = {
    // sendBatch() looks for a message without a value.
    find: () => undefined,
    // groupMessagesPerPartition() sorts messages into an object by partition, asking its partitioner for each; the leaders are
    // looked up next, in the same turn and the same metadata.
    reduce: (group) => {
      const partitions = batches.map(({ partition }) => partition);
      if (onLeaders) group({}, { onLeaders: (leaders) => onLeaders(leaders, partitions) });
      return byPartition;
    },
  };
  return messages as unknown as Message[];
}

/** `createPartitioner` for a producer: answers the question that `onLeaders` asks. No record of ours needs a partitioner. */
export const leadersPartitioner: ICustomPartitioner = () => {
  return ({ partitionMetadata, message }) => {
    const { onLeaders } = message as unknown as LeadersQuestion;
    onLeaders(new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])));
    return 0;
  };
};

/** Stands where kafkajs's partitioner is given a message. */
interface LeadersQuestion {
  readonly onLeaders: (leaders: Leaders) => void;
}

/** What kafkajs calls of `messages`. */
interface MessagesOfTopic {
  find(predicate: unknown): undefined;
  reduce(group: (grouped: object, message: LeadersQuestion) => unknown): Readonly<Record<number, PartitionMessages>>;
}

/** What kafkajs calls of the messages of one partition. */
interface PartitionMessages {
  /** Moves the sequence number on. */
  readonly length: number;
  map(mapper: (...args: never[]) => unknown): unknown[];
}

function partitionMessages(batch: EncodedBatch, { gate = onlyOnce, compress }: HandOver): PartitionMessages {
  const { partition, count } = batch;
  let taken = 0;
  // Started for all partitions of a send at once; kafkajs itself would compress one after the other.
  const payload = payloadOf(batch, compress);
  return {
    length: count,
    map: (mapper) => {
      // `m => m.timestamp`: none given, so kafkajs takes the present time.
      if (mapper.length < 2) return [];
      // `(message, i) => Record(…)`: the records of the request that is being made.
      gate(partition, taken++);
      return standIn({ count, payload });
    },
  };
}

/** What a batch's records are to be in a request. */
export interface EncodedRecords {
  readonly count: number;
  readonly payload: Promise<Payload>;
}

const ENCODED = Symbol('encoded records');

/** An array of which kafkajs looks only at the length, until it comes to our RecordBatch (batch-head.ts). */
function standIn(encoded: EncodedRecords): unknown[] {
  const records: unknown[] = [];
  records.length = encoded.count;
  return Object.assign(records, { [ENCODED]: encoded });
}

/** The pre-encoded records that an array of kafkajs's stands for, if it does. */
export function encodedIn(records: unknown): EncodedRecords | undefined {
  return (records as { readonly [ENCODED]?: EncodedRecords })[ENCODED];
}
