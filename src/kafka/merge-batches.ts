// Batches of several runs that go to one partition as one batch, so that a shared transaction needs one send. Bytes in, bytes
// out: records are moved as they are, only their place in the batch (offset delta, and with it their length) is written anew.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { BATCH_OVERHEAD, type EncodedBatch } from './record-batch.ts';
import { sizeOfVarint, varintEnd, writeVarint } from './varint.ts';

/**
 * The same records in the same order for each partition, in as few batches as `batchBytes` (a batch's overhead included)
 * allows: small ones are joined, larger ones divided; a single larger record is a batch of its own. A batch that needs
 * neither is returned itself, its bytes not copied. Partitions come in the order of their first batch.
 *
 * Throws a Failure (`internal`) for bytes that are not records of encodeRecords or a copy encoder.
 */
export function mergeBatches(batches: readonly EncodedBatch[], batchBytes: Bytes): EncodedBatch[] {
  const byPartition = new Map<number, EncodedBatch[]>();
  for (const batch of batches) {
    const others = byPartition.get(batch.partition);
    if (others) others.push(batch);
    else byPartition.set(batch.partition, [batch]);
  }
  const limit = batchBytes - BATCH_OVERHEAD;
  return [...byPartition.values()].flatMap((group) => mergePartition(group, limit));
}

function mergePartition(batches: readonly EncodedBatch[], limit: Bytes): EncodedBatch[] {
  const merged: EncodedBatch[] = [];
  let waiting: EncodedBatch[] = [];
  let size = 0;
  const join = (): void => {
    const [first] = waiting;
    if (first) merged.push(waiting.length === 1 ? first : joinBatches(waiting, size));
    waiting = [];
    size = 0;
  };
  for (const batch of batches.flatMap((one) => divideBatch(one, limit))) {
    // Offset deltas grow by at most 4 bytes, the length before them by at most 1 more.
    const most = batch.bytes.length + (waiting.length === 0 ? 0 : batch.count * 5);
    if (size + most > limit) join();
    waiting.push(batch);
    size += waiting.length === 1 ? batch.bytes.length : most;
  }
  join();
  return merged;
}

function joinBatches(batches: readonly EncodedBatch[], room: Bytes): EncodedBatch {
  const bytes = Buffer.allocUnsafe(room);
  let offset = 0;
  let count = 0;
  for (const batch of batches) {
    offset = count === 0 ? copyBytes(batch.bytes, bytes, offset) : renumber(batch, count, bytes, offset);
    count += batch.count;
  }
  return { partition: batches[0]?.partition ?? 0, count, bytes: bytes.subarray(0, offset) };
}

function copyBytes(source: Buffer, target: Buffer, offset: number): number {
  target.set(source, offset);
  return offset + source.length;
}

/** A batch in pieces of at most `limit` bytes; itself when it is not larger. */
function divideBatch(batch: EncodedBatch, limit: Bytes): EncodedBatch[] {
  if (batch.bytes.length <= limit || batch.count === 1) return [batch];
  const pieces: EncodedBatch[] = [];
  let first = 0;
  let start = 0;
  let at = 0;
  const cut = (end: number, next: number): void => {
    const count = next - first;
    const piece = { partition: batch.partition, count, bytes: batch.bytes.subarray(start, end) };
    // Deltas counted from 0 are never longer than they were.
    const bytes = Buffer.allocUnsafe(piece.bytes.length);
    pieces.push({ ...piece, bytes: bytes.subarray(0, renumber(piece, 0, bytes, 0)) });
    first = next;
    start = end;
  };
  for (let index = 0; index < batch.count; index++) {
    const end = recordEnd(batch.bytes, at);
    if (end - start > limit && index > first) cut(at, index);
    at = end;
  }
  cut(at, batch.count);
  return pieces;
}

/** Writes a batch's records with offset deltas from `delta` up; returns the offset after them. */
function renumber(batch: EncodedBatch, delta: number, target: Buffer, start: number): number {
  const source = batch.bytes;
  let from = 0;
  let to = start;
  for (let index = 0; index < batch.count; index++) {
    const end = recordEnd(source, from);
    // Attributes and timestamp delta are one byte each, always 0 (record-batch.ts).
    const deltaAt = varintEnd(source, from) + 2;
    const rest = varintEnd(source, deltaAt);
    if (rest > end) throw notRecords();
    to = writeVarint(target, to, 2 + sizeOfVarint(delta + index) + end - rest);
    target[to++] = 0;
    target[to++] = 0;
    to = writeVarint(target, to, delta + index);
    source.copy(target, to, rest, end);
    to += end - rest;
    from = end;
  }
  if (from !== source.length) throw notRecords();
  return to;
}

/** The offset after the record at `offset`. */
function recordEnd(bytes: Buffer, offset: number): number {
  let length = 0;
  let at = offset;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) throw notRecords();
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = at + length / 2;
  if (length % 2 !== 0 || length < 12 || end > bytes.length || bytes[at] !== 0 || bytes[at + 1] !== 0) {
    throw notRecords();
  }
  return end;
}

function notRecords(): Failure {
  return new Failure('a batch to be merged does not hold the records it says', { kind: 'internal' });
}
