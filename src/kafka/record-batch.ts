// Kafka's record format v2 (KIP-98): the records of one batch as bytes, from records held as values. Batches made from rows
// are in copy-encoder.ts; the head of a batch (sequence numbers, checksum, timestamps) is kafkajs's, see pre-encoded.ts.
import type { Bytes } from '../model/units.ts';
import { sizeOfVarint, VARINT_NULL, writeVarint } from './varint.ts';

/*
  RecordBatch =>                         written by kafkajs, 61 bytes
    BaseOffset           INT64           0; the broker sets it
    BatchLength          INT32
    PartitionLeaderEpoch INT32
    Magic                INT8            2
    CRC                  UINT32          CRC-32C of all that follows
    Attributes           INT16           compression, transactional
    LastOffsetDelta      INT32
    BaseTimestamp        INT64           when it was sent
    MaxTimestamp         INT64           the same
    ProducerId           INT64
    ProducerEpoch        INT16
    BaseSequence         INT32
    Records              INT32 [Record]  the records by us
  Record =>
    Length               VARINT          of what follows
    Attributes           INT8            0
    TimestampDelta       VARLONG         0: a batch's records were published at one time
    OffsetDelta          VARINT          0, 1, 2 …
    Key                  VARINT bytes    length -1: null
    Value                VARINT bytes    length -1: null, a tombstone
    Headers              VARINT [Header]
  Header =>
    Name                 VARINT bytes
    Value                VARINT bytes    length -1: null
*/

/** Bytes of a batch before its records; a topic's `max.message.bytes` counts them. */
export const BATCH_OVERHEAD = 61;

/** Records of one partition, ready to be sent. Whoever made it may reuse `bytes` once its send has ended. */
export interface EncodedBatch {
  readonly partition: number;
  /** How many records. */
  readonly count: number;
  /** The records one after the other, without the batch's head. */
  readonly bytes: Buffer;
  /** Set where it is known that all records end with the same bytes: how many. */
  readonly sharedTail?: Bytes | undefined;
  /** The buffer that begins with `bytes` and has room for their packed form after them (`mostPacked`), and nothing else. */
  readonly space?: Buffer | undefined;
}

/** One record as values; a null key is none, a null value a tombstone. Header names may repeat. */
export interface RecordFields {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly (readonly [name: string, value: Buffer | null])[];
}

/** One batch of `records`, in their order. The caller sees to its size (`sizeOfRecord`). */
export function encodeRecords(partition: number, records: readonly RecordFields[]): EncodedBatch {
  const sections = records.map(({ headers }) => encodeHeaders(headers ?? []));
  let size = 0;
  records.forEach((record, delta) => {
    size += recordSize(record, sections[delta]!.length, delta);
  });
  const bytes = Buffer.allocUnsafe(size);
  let offset = 0;
  records.forEach((record, delta) => {
    offset = writeRecord(bytes, offset, record, sections[delta]!, delta);
  });
  return { partition, count: records.length, bytes };
}

/** Bytes of a record as the `delta`-th of its batch (default: the first). */
export function sizeOfRecord(record: RecordFields, delta = 0): number {
  return recordSize(record, encodeHeaders(record.headers ?? []).length, delta);
}

/** A header's name and value; a null value is none. */
export type Header = readonly [name: string, value: Buffer | string | null];

const NO_HEADERS: Buffer = Buffer.of(0);

/** The last part of a record: the number of headers (with `more` that the caller writes after it) and the headers. */
export function encodeHeaders(headers: readonly Header[], more = 0): Buffer {
  if (headers.length + more === 0) return NO_HEADERS;
  let size = sizeOfVarint(headers.length + more);
  for (const [name, value] of headers) size += sizeOfText(name) + sizeOfHeaderValue(value);
  const bytes = Buffer.allocUnsafe(size);
  let offset = writeVarint(bytes, 0, headers.length + more);
  for (const [name, value] of headers) {
    offset = writeText(bytes, offset, name);
    offset = typeof value === 'string' ? writeText(bytes, offset, value) : writeBytes(bytes, offset, value);
  }
  return bytes;
}

/** A header's name with its length before it. */
export function encodeName(name: string): Buffer {
  const bytes = Buffer.allocUnsafe(sizeOfText(name));
  writeText(bytes, 0, name);
  return bytes;
}

/** Writes a record as the `delta`-th of its batch; `headers` as encodeHeaders gives them. Returns the offset after it. */
export function writeRecord(
  target: Buffer,
  start: number,
  record: RecordFields,
  headers: Buffer,
  delta: number,
): number {
  let offset = writeVarint(target, start, bodySize(record, headers.length, delta));
  target[offset++] = 0;
  target[offset++] = 0;
  offset = writeVarint(target, offset, delta);
  offset = writeBytes(target, offset, record.key);
  offset = writeBytes(target, offset, record.value);
  target.set(headers, offset);
  return offset + headers.length;
}

/** Bytes that `writeRecord` takes. */
export function recordSize(record: RecordFields, headersSize: number, delta: number): number {
  const body = bodySize(record, headersSize, delta);
  return sizeOfVarint(body) + body;
}

function bodySize({ key, value }: RecordFields, headersSize: number, delta: number): number {
  return 2 + sizeOfVarint(delta) + sizeOfBytes(key) + sizeOfBytes(value) + headersSize;
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;
}

function sizeOfHeaderValue(value: Header[1]): number {
  return typeof value === 'string' ? sizeOfText(value) : sizeOfBytes(value);
}

function sizeOfText(text: string): number {
  const length = Buffer.byteLength(text);
  return sizeOfVarint(length) + length;
}

function writeText(target: Buffer, start: number, text: string): number {
  const offset = writeVarint(target, start, Buffer.byteLength(text));
  return offset + target.write(text, offset);
}

function writeBytes(target: Buffer, start: number, bytes: Buffer | null): number {
  if (bytes === null) {
    target[start] = VARINT_NULL;
    return start + 1;
  }
  const offset = writeVarint(target, start, bytes.length);
  target.set(bytes, offset);
  return offset + bytes.length;
}
