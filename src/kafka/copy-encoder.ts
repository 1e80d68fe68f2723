// From the bytes of `copy (…) to stdout (format binary)` to record batches by partition, without a JavaScript object a row:
// this is the hot path of publishing. It knows nothing of Postgres connections or of sending.
import type { Bytes } from '../model/units.ts';
import { END_OF_ROWS, malformed, readInt32, skipFileHeader } from './copy-data.ts';
import { murmur2Partition } from './murmur2.ts';
import { OpenBatches } from './open-batches.ts';
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
  return new BinaryCopyEncoder(options);
}

/** A class, as one is made for each run: its functions, and what V8 made of them, are there once. */
class BinaryCopyEncoder implements CopyEncoder {
  rows = 0;
  bytes: Bytes = 0;
  readonly #partitions: number;
  readonly #keylessPartition: number;
  readonly #maxRecordBytes: Bytes;
  readonly #allowsNullKey: boolean;
  readonly #allowsNullValue: boolean;
  readonly #columns: number;
  /** The headers that all rows share, as they stand in each record. */
  readonly #sharedHeaders: Buffer;
  /** The names of the other headers. */
  readonly #headerNames: readonly Buffer[];
  /** Bytes of a record's headers but for the values of `#headerNames`. */
  readonly #headersSize: Bytes;
  readonly #batches: OpenBatches;
  #started = false;
  #ended = false;
  #taken: Bytes = 0;
  /** A row (or the start of the stream) of which the end has not come yet: `#rest[0 … #restLength)`. */
  #rest: Buffer = NOTHING;
  #restLength = 0;

  constructor(options: CopyEncoderOptions) {
    const { rowHeaders } = options;
    this.#partitions = options.partitions;
    this.#keylessPartition = options.keylessPartition;
    this.#maxRecordBytes = options.maxRecordBytes;
    this.#allowsNullKey = options.nullKey === 'allow';
    this.#allowsNullValue = options.nullValue === 'tombstone';
    this.#columns = 2 + rowHeaders.length;
    this.#sharedHeaders = encodeHeaders(options.constantHeaders, rowHeaders.length);
    this.#headerNames = rowHeaders.map(encodeName);
    this.#headersSize = this.#headerNames.reduce((sum, name) => sum + name.length, this.#sharedHeaders.length);
    const sharedTail = rowHeaders.length === 0 ? this.#sharedHeaders.length : undefined;
    const batchBytes = Math.min(options.batchBytes, options.maxRecordBytes);
    this.#batches = new OpenBatches(options.partitions, batchBytes, sharedTail);
  }

  get buffered(): Bytes {
    return this.bytes - this.#taken;
  }

  write(chunk: Uint8Array): void {
    if (this.#restLength === 0) {
      const position = this.#consume(chunk, chunk.length);
      if (position < chunk.length) this.#keepRest(chunk, position, chunk.length);
      return;
    }
    this.#keepRest(chunk, 0, chunk.length);
    const position = this.#consume(this.#rest, this.#restLength);
    if (position > 0) this.#rest.copyWithin(0, position, this.#restLength);
    this.#restLength -= position;
  }

  takeFull(): EncodedBatch[] {
    const full = this.#batches.takeFull();
    for (const batch of full) this.#taken += batch.bytes.length;
    return full;
  }

  finish(): EncodedBatch[] {
    if (!this.#ended) throw malformed(`the data stopped after ${this.rows} rows, before their end`);
    this.#taken = this.bytes;
    return this.#batches.takeAll();
  }

  recycle(sent: readonly EncodedBatch[]): void {
    this.#batches.recycle(sent);
  }

  /** Encodes what is whole in `source[0 … end)`; returns where the rest begins. */
  #consume(source: Uint8Array, end: number): number {
    let position = 0;
    if (!this.#started) {
      position = skipFileHeader(source, end);
      if (position === 0) return 0;
      this.#started = true;
    }
    if (!this.#ended) position = this.#encodeRows(source, position, end);
    if (this.#ended && position < end) throw malformed('bytes follow the end of the rows');
    return position;
  }

  /** Encodes the whole rows in `source[start … end)`; returns where the first incomplete one begins. */
  #encodeRows(source: Uint8Array, start: number, end: number): number {
    const columns = this.#columns;
    let row = start;
    while (row + 2 <= end) {
      const fields = (source[row]! << 8) | source[row + 1]!;
      if (fields === END_OF_ROWS) {
        this.#ended = true;
        return row + 2;
      }
      if (fields !== columns) throw malformed(`a row has ${fields} columns in place of ${columns}`);

      const key = row + 6;
      if (key > end) break;
      const keyLength = readInt32(source, key - 4);
      const value = (keyLength < 0 ? key : key + keyLength) + 4;
      if (value > end) {
        this.#refuseEndless(null, value - row);
        break;
      }
      const valueLength = readInt32(source, value - 4);
      const headers = valueLength < 0 ? value : value + valueLength;
      let next = headers;
      let headersSize = this.#headersSize;
      for (let i = 2; i < columns && next <= end; i++) {
        const length = next + 4 <= end ? readInt32(source, next) : 0;
        headersSize += length < 0 ? 1 : sizeOfVarint(length) + length;
        next += length < 0 ? 4 : 4 + length;
      }
      if (next > end) {
        this.#refuseEndless(keyAt(source, key, keyLength), next - row);
        break;
      }

      if (keyLength < 0 && !this.#allowsNullKey) throw keyMissing(this.rows + 1);
      if (valueLength < 0 && !this.#allowsNullValue) throw valueMissing(this.rows + 1);
      if (valueLength < 0 && keyLength < 0) throw tombstoneWithoutKey(this.rows + 1);
      this.#writeRow(source, key, keyLength, value, valueLength, headers, headersSize);
      this.rows++;
      row = next;
    }
    return row;
  }

  /** Appends one record to its partition's batch; `headers` is where the columns of `rowHeaders` begin. */
  #writeRow(
    source: Uint8Array,
    key: number,
    keyLength: number,
    value: number,
    valueLength: number,
    headers: number,
    headersSize: number,
  ): void {
    const { buffers, offsets, counts } = this.#batches;
    const partition =
      keyLength < 0 ? this.#keylessPartition : murmur2Partition(source, this.#partitions, key, key + keyLength);
    const size =
      2 +
      (keyLength < 0 ? 1 : sizeOfVarint(keyLength) + keyLength) +
      (valueLength < 0 ? 1 : sizeOfVarint(valueLength) + valueLength) +
      headersSize;
    let body = size + sizeOfVarint(counts[partition]!);
    if (offsets[partition]! + sizeOfVarint(body) + body > buffers[partition]!.length) {
      const alone = BATCH_OVERHEAD + sizeOfVarint(size + 1) + size + 1;
      if (alone > this.#maxRecordBytes) {
        throw recordTooLarge(this.rows + 1, keyAt(source, key, keyLength), alone, this.#maxRecordBytes);
      }
      this.#batches.makeRoom(partition, sizeOfVarint(body) + body);
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
    target.set(this.#sharedHeaders, offset);
    offset += this.#sharedHeaders.length;
    let field = headers;
    for (const name of this.#headerNames) {
      target.set(name, offset);
      const length = readInt32(source, field);
      offset = writeField(target, offset + name.length, source, field + 4, length);
      field += length < 0 ? 4 : 4 + length;
    }
    offsets[partition] = offset;
    this.bytes += offset - start;
  }

  /** Rather than to wait for the end of a row that no topic would take. */
  #refuseEndless(key: Uint8Array | null, size: Bytes): void {
    const most = this.#maxRecordBytes + ROW_OVERHEAD * this.#columns;
    if (size > most) throw recordTooLarge(this.rows + 1, key, size, this.#maxRecordBytes);
  }

  #keepRest(source: Uint8Array, start: number, end: number): void {
    const needed = this.#restLength + end - start;
    if (needed > this.#rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#rest.length));
      this.#rest.copy(larger, 0, 0, this.#restLength);
      this.#rest = larger;
    }
    this.#rest.set(source.subarray(start, end), this.#restLength);
    this.#restLength = needed;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

/** A column takes this many bytes in COPY data and none in a record, at most (the row's own two bytes counted in). */
const ROW_OVERHEAD = 6;

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
