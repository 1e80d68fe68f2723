// Record batches out of a Fetch answer: headers first, so that aborted ones are never unpacked; records when they are wanted.
// Why not kafkajs's decoder: it yields nothing for a batch emptied by compaction (its readers then never move on), overflows the
// stack on a batch of some 120,000 records, and folds headers into an object, losing their order.
import { Failure } from '../model/failure.ts';
import { crc32c } from './crc32c.ts';
import { decompress } from './decompress.ts';
import type { FetchedRecord, RecordHeader } from './record.ts';

/**
 * RecordBatch, magic 2 (KIP-98), big-endian; the number is where the field starts:
 *   0 BaseOffset INT64, 8 BatchLength INT32 (of what follows it), 12 PartitionLeaderEpoch INT32, 16 Magic INT8,
 *   17 CRC UINT32, 21 Attributes INT16, 23 LastOffsetDelta INT32, 27 BaseTimestamp INT64, 35 MaxTimestamp INT64,
 *   43 ProducerId INT64, 51 ProducerEpoch INT16, 53 BaseSequence INT32, 57 RecordCount INT32, 61 records.
 */
export interface FetchedBatch {
  readonly baseOffset: number;
  /** Of the batch as it was written: compaction may have removed its last record. */
  readonly lastOffset: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly timestampType: FetchedRecord['timestampType'];
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly leaderEpoch: number;
  readonly transactional: boolean;
  /** Holds no user's record but the end of a transaction. */
  readonly control: boolean;
  readonly recordCount: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly compression: number;
  /** What follows the header, compressed as it came; a view of the answer's bytes. */
  readonly payload: Buffer;
}

const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const HEADER_SIZE = 61;
const LENGTH_END = 12;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const COMPRESSION_MASK = 0x07;
const NO_HEADERS: readonly RecordHeader[] = [];

/**
 * The batches of one partition's `records` field, in order. The broker cuts it at a size, so the last one may be incomplete:
 * it is left out. Every checksum is verified (some 8 ms for 10 MB, which is a tenth of what decoding takes).
 * Throws a Failure: `internal` for a damaged batch, `configuration` for the formats before Kafka 0.11.
 */
export function splitBatches(bytes: Buffer): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  let at = 0;
  while (at + HEADER_SIZE <= bytes.length) {
    const end = at + LENGTH_END + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    if (bytes[at + MAGIC_AT] !== 2) throw oldFormat();
    if (crc32c(bytes.subarray(at + CHECKED_FROM, end)) !== bytes.readUInt32BE(at + CHECKSUM_AT)) {
      throw corrupt(Number(bytes.readBigInt64BE(at)), 'is damaged');
    }
    batches.push(readHeader(bytes, at, end));
    at = end;
  }
  return batches;
}

/** The records of a batch; keys and values are views of the answer's bytes: copy what outlives it. */
export function decodeRecords(batch: FetchedBatch): FetchedRecord[] {
  if (batch.recordCount <= 0) return [];
  const bytes = decompress(batch.compression, batch.payload);
  const records: FetchedRecord[] = [];
  const cursor = { bytes, at: 0 };
  for (let index = 0; index < batch.recordCount; index++) records.push(decodeRecord(cursor, batch));
  return records;
}

/** Whether a control batch ends its producer's transaction by aborting it: key of version INT16, type INT16 (0 abort). */
export function isAbortMarker(batch: FetchedBatch): boolean {
  if (!batch.control) return false;
  const key = decodeRecords(batch)[0]?.key;
  return key !== undefined && key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

function readHeader(bytes: Buffer, at: number, end: number): FetchedBatch {
  const baseOffset = Number(bytes.readBigInt64BE(at));
  const attributes = bytes.readInt16BE(at + 21);
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    baseTimestamp: Number(bytes.readBigInt64BE(at + 27)),
    maxTimestamp: Number(bytes.readBigInt64BE(at + 35)),
    timestampType: attributes & LOG_APPEND_TIME ? 'logappend' : 'create',
    producerId: bytes.readBigInt64BE(at + 43),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
    leaderEpoch: bytes.readInt32BE(at + 12),
    transactional: (attributes & TRANSACTIONAL) !== 0,
    control: (attributes & CONTROL) !== 0,
    recordCount: bytes.readInt32BE(at + 57),
    compression: attributes & COMPRESSION_MASK,
    payload: bytes.subarray(at + HEADER_SIZE, end),
  };
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/**
 * Record: Length VARINT, Attributes INT8, TimestampDelta VARLONG, OffsetDelta VARINT, KeyLength VARINT (-1 null), Key,
 * ValueLength VARINT (-1 null), Value, HeaderCount VARINT, then of each NameLength VARINT, Name, ValueLength VARINT, Value.
 */
function decodeRecord(cursor: Cursor, batch: FetchedBatch): FetchedRecord {
  const length = readVarint(cursor);
  const end = cursor.at + length;
  cursor.at += 1;
  const timestampDelta = readVarlong(cursor);
  const offsetDelta = readVarint(cursor);
  const key = readBytes(cursor);
  const value = readBytes(cursor);
  const headers = readHeaders(cursor);
  if (cursor.at !== end || end > cursor.bytes.length) throw corrupt(batch.baseOffset, 'cannot be read');
  return {
    offset: batch.baseOffset + offsetDelta,
    timestamp: batch.timestampType === 'logappend' ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta,
    timestampType: batch.timestampType,
    key,
    value,
    headers,
  };
}

function readHeaders(cursor: Cursor): readonly RecordHeader[] {
  const count = readVarint(cursor);
  if (count <= 0) return NO_HEADERS;
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count && cursor.at < cursor.bytes.length; index++) {
    const name = readBytes(cursor)?.toString('utf8') ?? '';
    headers.push({ name, value: readBytes(cursor) });
  }
  return headers;
}

function readBytes(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor);
  if (length < 0) return null;
  const start = cursor.at;
  cursor.at = start + length;
  return cursor.bytes.subarray(start, cursor.at);
}

/** Zigzag base-128, at most 32 bits (protocol buffers' sint32). */
function readVarint(cursor: Cursor): number {
  const { bytes } = cursor;
  let byte = bytes[cursor.at++] ?? 0;
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  let value = byte & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    byte = bytes[cursor.at++] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return (value >>> 1) ^ -(value & 1);
}

/** Zigzag base-128, up to 64 bits. */
function readVarlong(cursor: Cursor): number {
  const first = cursor.bytes[cursor.at] ?? 0;
  if (first < 0x80) {
    cursor.at += 1;
    return (first >>> 1) ^ -(first & 1);
  }
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.bytes[cursor.at++] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return Number((value >> 1n) ^ -(value & 1n));
}

function corrupt(offset: number, how: string): Failure {
  return new Failure(`kafka: the record batch at offset ${offset} ${how}`, {
    kind: 'internal',
    code: 'CORRUPT_MESSAGE',
    hint: 'read the topic with another client to see whether it is damaged on the broker',
  });
}

function oldFormat(): Failure {
  return new Failure('kafka: the topic holds records in a format older than Kafka 0.11', {
    kind: 'configuration',
    code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    hint: "copy it to a new topic with the broker's own tools",
  });
}
