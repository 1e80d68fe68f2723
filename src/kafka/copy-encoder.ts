// From the bytes of `copy (…) to stdout (format binary)` to record batches by partition, without a JavaScript object a row:
// this is the hot path of publishing. It knows nothing of Postgres connections or of sending.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { murmur2 } from './murmur2.ts';
import { openBatches } from './open-batches.ts';
import { BATCH_OVERHEAD, type EncodedBatch, encodeHeaders, encodeName } from './record-batch.ts';
import { keyMissing, recordTooLarge, tombstoneWithoutKey, valueMissing } from './row-failures.ts';
import { sizeOfVarint, VARINT_NULL, writeVarint } from './varint.ts';

export interface CopyEncoderOptions {
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** Where the rows without a key go: one partition a run. */
  readonly keylessPartition: number;
  /** Headers that all rows share. */
  readonly constantHeaders: readonly (readonly [name: string, value: string])[];
  /** Names of the headers whose values are the columns after key and value. */
  readonly rowHeaders: readonly string[];
  readonly nullKey: 'error' | 'allow';
  /** NULL where the value stands: an error, or a record with a null value. */
  readonly nullValue: 'error' | 'tombstone';
  /** The topic's `max.message.bytes`. */
  readonly maxRecordBytes: Bytes;
  /** Largest batch wanted (`chooseBatchBytes`); a larger record gets a batch of its own. */
  readonly batchBytes: Bytes;
}

export interface CopyEncoder {
  /** Takes the next bytes of the stream, cut anywhere. Throws a Failure (`data`, `record`) that names the row. */
  write(chunk: Uint8Array): void;
  /** Rows encoded so far. */
  readonly rows: number;
  /** Bytes of records encoded so far. */
  readonly bytes: Bytes;
  /** Of these, the bytes that were not taken yet. */
  readonly buffered: Bytes;
  /** The batches that are full, oldest first; they are the caller's until `recycle`. */
  takeFull(): EncodedBatch[];
  /** All batches that were not taken. Throws a Failure (`internal`) when the stream has not come to its end. */
  finish(): EncodedBatch[];
  /** Gives back batches that nobody will send again, so that their buffers serve for the next ones. */
  recycle(batches: readonly EncodedBatch[]): void;
}

const SMALLEST_BATCH: Bytes = 64 * 1024;
const LARGEST_BATCH: Bytes = 512 * 1024;
/** What the open batches of one run may take together. */
const OPEN_BATCHES: Bytes = 16 * 1024 * 1024;

/** The batch size to ask for: large enough for speed, all open ones together small enough for memory. */
export function chooseBatchBytes(partitions: number, maxMessageBytes: Bytes): Bytes {
  const share = Math.floor(OPEN_BATCHES / partitions);
  return Math.min(maxMessageBytes, Math.max(SMALLEST_BATCH, Math.min(LARGEST_BATCH, share)));
}

/** An encoder for the rows of one COPY: columns key (text), value (text), then one text for each of `rowHeaders`. */
export function createCopyEncoder(options: CopyEncoderOptions): CopyEncoder {
  const { partitions, keylessPartition, maxRecordBytes, rowHeaders } = options;
  const columns = 2 + rowHeaders.length;
  const constants = options.constantHeaders.map(([name, value]) => [name, Buffer.from(value)] as const);
  const sharedHeaders = encodeHeaders(constants, rowHeaders.length);
  const sharedTail = rowHeaders.length === 0 ? sharedHeaders.length : undefined;
  const batches = openBatches(partitions, Math.min(options.batchBytes, maxRecordBytes), sharedTail);
  const { buffers, offsets, counts } = batches;
  const headerNames = rowHeaders.map(encodeName);
  const namesSize = headerNames.reduce((sum, name) => sum + name.length, 0);
  const allowsNullKey = options.nullKey === 'allow';
  const allowsNullValue = options.nullValue === 'tombstone';

  let started = false;
  let ended = false;
  let rows = 0;
  let bytes = 0;
  let taken = 0;
  /** A row (or the start of the stream) of which the end has not come yet: `rest[0 … restLength)`. */
  let rest: Buffer = Buffer.alloc(0);
  let restLength = 0;

  /** Encodes the whole rows in `source[start … end)`; returns where the first incomplete one begins. */
  function encodeRows(source: Uint8Array, start: number, end: number): number {
    let row = start;
    while (row + 2 <= end) {
      const fields = (source[row]! << 8) | source[row + 1]!;
      if (fields === END_OF_ROWS) {
        ended = true;
        return row + 2;
      }
      if (fields !== columns) throw malformed(`a row has ${fields} columns in place of ${columns}`);

      const key = row + 6;
      if (key > end) break;
      const keyLength = readInt32(source, key - 4);
      const value = (keyLength < 0 ? key : key + keyLength) + 4;
      if (value > end) {
        refuseEndless(null, value - row);
        break;
      }
      const valueLength = readInt32(source, value - 4);
      const headers = valueLength < 0 ? value : value + valueLength;
      let next = headers;
      let headersSize = sharedHeaders.length + namesSize;
      for (let i = 2; i < columns && next <= end; i++) {
        const length = next + 4 <= end ? readInt32(source, next) : 0;
        headersSize += length < 0 ? 1 : sizeOfVarint(length) + length;
        next += length < 0 ? 4 : 4 + length;
      }
      if (next > end) {
        refuseEndless(keyAt(source, key, keyLength), next - row);
        break;
      }

      if (keyLength < 0 && !allowsNullKey) throw keyMissing(rows + 1);
      if (valueLength < 0 && !allowsNullValue) throw valueMissing(rows + 1);
      if (valueLength < 0 && keyLength < 0) throw tombstoneWithoutKey(rows + 1);
      writeRow(source, key, keyLength, value, valueLength, headers, headersSize);
      rows++;
      row = next;
    }
    return row;
  }

  /** Appends one record to its partition's batch; `headers` is where the columns of `rowHeaders` begin. */
  function writeRow(
    source: Uint8Array,
    key: number,
    keyLength: number,
    value: number,
    valueLength: number,
    headers: number,
    headersSize: number,
  ): void {
    const partition =
      keyLength < 0 ? keylessPartition : (murmur2(source, key, key + keyLength) & 0x7fff_ffff) % partitions;
    const size =
      2 +
      (keyLength < 0 ? 1 : sizeOfVarint(keyLength) + keyLength) +
      (valueLength < 0 ? 1 : sizeOfVarint(valueLength) + valueLength) +
      headersSize;
    let body = size + sizeOfVarint(counts[partition]!);
    if (offsets[partition]! + sizeOfVarint(body) + body > buffers[partition]!.length) {
      const alone = BATCH_OVERHEAD + sizeOfVarint(size + 1) + size + 1;
      if (alone > maxRecordBytes) {
        throw recordTooLarge(rows + 1, keyAt(source, key, keyLength), alone, maxRecordBytes);
      }
      batches.makeRoom(partition, sizeOfVarint(body) + body);
      body = size + sizeOfVarint(counts[partition]!);
    }

    const target = buffers[partition]!;
    const start = offsets[partition]!;
    let offset = writeVarint(target, start, body);
    target[offset++] = 0;
    target[offset++] = 0;
    offset = writeVarint(target, offset, counts[partition]!++);
    offset = writeField(target, offset, source, key, keyLength);
    offset = writeField(target, offset, source, value, valueLength);
    target.set(sharedHeaders, offset);
    offset += sharedHeaders.length;
    let field = headers;
    for (const name of headerNames) {
      target.set(name, offset);
      const length = readInt32(source, field);
      offset = writeField(target, offset + name.length, source, field + 4, length);
      field += length < 0 ? 4 : 4 + length;
    }
    offsets[partition] = offset;
    bytes += offset - start;
  }

  /** Rather than to wait for the end of a row that no topic would take. */
  function refuseEndless(key: Uint8Array | null, size: Bytes): void {
    if (size > maxRecordBytes + ROW_OVERHEAD * columns) throw recordTooLarge(rows + 1, key, size, maxRecordBytes);
  }

  /** Encodes what is whole in `source[0 … end)`; returns where the rest begins. */
  function consume(source: Uint8Array, end: number): number {
    let position = 0;
    if (!started) {
      position = skipFileHeader(source, end);
      if (position === 0) return 0;
      started = true;
    }
    if (!ended) position = encodeRows(source, position, end);
    if (ended && position < end) throw malformed('bytes follow the end of the rows');
    return position;
  }

  function keepRest(source: Uint8Array, start: number, end: number): void {
    const needed = restLength + end - start;
    if (needed > rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * rest.length));
      rest.copy(larger, 0, 0, restLength);
      rest = larger;
    }
    rest.set(source.subarray(start, end), restLength);
    restLength = needed;
  }

  return {
    write: (chunk) => {
      if (restLength === 0) {
        const position = consume(chunk, chunk.length);
        if (position < chunk.length) keepRest(chunk, position, chunk.length);
        return;
      }
      keepRest(chunk, 0, chunk.length);
      const position = consume(rest, restLength);
      if (position > 0) rest.copyWithin(0, position, restLength);
      restLength -= position;
    },
    get rows() {
      return rows;
    },
    get bytes() {
      return bytes;
    },
    get buffered() {
      return bytes - taken;
    },
    takeFull: () => {
      const full = batches.takeFull();
      for (const batch of full) taken += batch.bytes.length;
      return full;
    },
    finish: () => {
      if (!ended) throw malformed(`the data stopped after ${rows} rows, before their end`);
      taken = bytes;
      return batches.takeAll();
    },
    recycle: (sent) => batches.recycle(sent),
  };
}

/** The number of columns that stands after the last row. */
const END_OF_ROWS = 0xffff;

/** A column takes this many bytes in COPY data and none in a record, at most (the row's own two bytes counted in). */
const ROW_OVERHEAD = 6;

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags INT32, length of an extension INT32. */
const FILE_HEADER = SIGNATURE.length + 8;

/** Where the first row begins (PostgreSQL, COPY, Binary Format); 0 when the header is not whole yet. */
function skipFileHeader(source: Uint8Array, end: number): number {
  if (end < FILE_HEADER) return 0;
  if (SIGNATURE.compare(source, 0, SIGNATURE.length) !== 0) throw malformed('it does not begin with PGCOPY');
  const flags = readInt32(source, SIGNATURE.length);
  if (flags !== 0) throw malformed(`it has the flags ${flags}`);
  const first = FILE_HEADER + readInt32(source, SIGNATURE.length + 4);
  return first <= end ? first : 0;
}

function readInt32(source: Uint8Array, at: number): number {
  return (source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!;
}

/** Below this many bytes a loop is quicker than a call of the copying builtin and the view that it takes. */
const SHORT = 32;

/** Writes a length and the bytes `source[from … from + length)`, or a null for -1; returns the offset after them. */
function writeField(target: Buffer, at: number, source: Uint8Array, from: number, length: number): number {
  if (length < 0) {
    target[at] = VARINT_NULL;
    return at + 1;
  }
  const start = writeVarint(target, at, length);
  if (length < SHORT) for (let i = 0; i < length; i++) target[start + i] = source[from + i]!;
  else target.set(new Uint8Array(source.buffer, source.byteOffset + from, length), start);
  return start + length;
}

function keyAt(source: Uint8Array, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : source.subarray(start, start + length);
}

function malformed(what: string): Failure {
  return new Failure(`the COPY data is not what was asked for: ${what}`, { kind: 'internal' });
}
