// Record batches in the form kafkajs's consumer takes them, made by our decoder: what corrections.ts puts in place of kafkajs's.
import type { FetchedRecord } from './record.ts';
import { decodeRecords, type FetchedBatch, splitBatches } from './record-batch-decoder.ts';

/** One entry of `messages` as kafkajs's fetch response has them; 64-bit numbers are text there. */
export interface KafkajsMessage {
  readonly magicByte: 2;
  readonly attributes: 0;
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Without order; `record` has them as they are. */
  readonly headers: Readonly<Record<string, Buffer | null | (Buffer | null)[]>>;
  readonly isControlRecord: boolean;
  readonly batchContext: KafkajsBatchContext;
  /** Ours: the record as it was read; undefined for a placeholder. */
  readonly record: FetchedRecord | undefined;
}

export interface KafkajsBatchContext {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  readonly timestampType: 0 | 1;
  readonly partitionLeaderEpoch: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly magicByte: 2;
}

/**
 * All messages of a partition's `records` field. A batch that compaction has emptied, or whose last record it took, ends with
 * a control record that kafkajs's consumer passes over and moves its position by.
 */
export function kafkajsMessages(bytes: Buffer): KafkajsMessage[] {
  const messages: KafkajsMessage[] = [];
  for (const batch of splitBatches(bytes)) {
    const batchContext = contextOf(batch);
    let last = -1;
    for (const record of decodeRecords(batch)) {
      messages.push(messageOf(record, batchContext));
      last = record.offset;
    }
    if (last < batch.lastOffset) messages.push(placeholder(batch, batchContext));
  }
  return messages;
}

function messageOf(record: FetchedRecord, batchContext: KafkajsBatchContext): KafkajsMessage {
  return {
    magicByte: 2,
    attributes: 0,
    offset: String(record.offset),
    timestamp: String(record.timestamp),
    key: record.key,
    value: record.value,
    headers: record.headers.length === 0 ? {} : headersOf(record),
    isControlRecord: batchContext.isControlBatch,
    batchContext,
    record,
  };
}

function headersOf({ headers }: FetchedRecord): KafkajsMessage['headers'] {
  const byName: Record<string, Buffer | null | (Buffer | null)[]> = {};
  for (const { name, value } of headers) {
    const earlier = byName[name];
    byName[name] = earlier === undefined ? value : Array.isArray(earlier) ? [...earlier, value] : [earlier, value];
  }
  return byName;
}

function placeholder(batch: FetchedBatch, batchContext: KafkajsBatchContext): KafkajsMessage {
  return {
    magicByte: 2,
    attributes: 0,
    offset: String(batch.lastOffset),
    timestamp: batchContext.maxTimestamp,
    key: null,
    value: null,
    headers: {},
    isControlRecord: true,
    batchContext,
    record: undefined,
  };
}

function contextOf(batch: FetchedBatch): KafkajsBatchContext {
  return {
    firstOffset: String(batch.baseOffset),
    lastOffsetDelta: batch.lastOffset - batch.baseOffset,
    firstTimestamp: String(batch.baseTimestamp),
    maxTimestamp: String(batch.maxTimestamp),
    timestampType: batch.timestampType === 'logappend' ? 1 : 0,
    partitionLeaderEpoch: batch.leaderEpoch,
    producerId: String(batch.producerId),
    producerEpoch: batch.producerEpoch,
    firstSequence: batch.baseSequence,
    inTransaction: batch.transactional,
    isControlBatch: batch.control,
    magicByte: 2,
  };
}
