// LZ4 for what pgtally's records repeat: their headers, which all rows of a run share and which are often longer than the row.
// LZ4 frames (lz4_Frame_format.md and lz4_Block_format.md of the lz4 project) as every Kafka client with LZ4 reads them, but
// without LZ4's search: where a record's headers stand is known, and those of the record before are the match. Keys and values
// stay as they are. Packing costs less than sending what it saves.
import type { Bytes } from '../model/units.ts';
import { MAGIC, MIN_MATCH } from './lz4.ts';
import type { EncodedBatch } from './record-batch.ts';
import { readVarint, varintEnd } from './varint.ts';

/** Magic number, flags, block size, checksum of these; length of the block. */
const FRAME_HEAD: Bytes = 11;
/** Version 1; blocks that stand alone, as Kafka wants them; no checksums, because the batch has its own. */
const FLAGS = 0x60;
/** The blocks that a frame may announce: their code, and the second byte of the xxHash-32 of flags and code. */
const BLOCKS: readonly (readonly [most: Bytes, code: number, checksum: number])[] = [
  [64 * 1024, 0x40, 0x82],
  [256 * 1024, 0x50, 0xfb],
  [1024 * 1024, 0x60, 0x51],
  [4 * 1024 * 1024, 0x70, 0x73],
];
const END_MARK = 0;
/** What is shorter saves nothing worth its token. */
const WORTHWHILE: Bytes = 16;
const FARTHEST: Bytes = 0xffff;

/** Bytes that a frame of `size` bytes of records takes at most: nothing matches, and literals grow by a byte in 255. */
export function mostPacked(size: Bytes): Bytes {
  return FRAME_HEAD + 16 + size + Math.ceil(size / 255);
}

/** The records of `batch` as an LZ4 frame of one block; as they are where that cannot be smaller. */
export function packHeaders(batch: EncodedBatch): Buffer {
  const { bytes, count } = batch;
  const block = BLOCKS.find(([most]) => bytes.length <= most);
  if (count < 2 || !block) return bytes;
  const space = batch.space ?? withRoom(bytes);
  const start = space.length - mostPacked(bytes.length);
  const end = packRecords(batch, space, start + FRAME_HEAD);
  space.writeUInt32LE(MAGIC, start);
  space[start + 4] = FLAGS;
  space[start + 5] = block[1];
  space[start + 6] = block[2];
  space.writeUInt32LE(end - start - FRAME_HEAD, start + 7);
  return space.subarray(start, space.writeUInt32LE(END_MARK, end));
}

function withRoom(bytes: Buffer): Buffer {
  const space = Buffer.allocUnsafeSlow(bytes.length + mostPacked(bytes.length));
  space.set(bytes);
  return space;
}

/** Writes the records that `space` begins with as a block at `start`; returns the offset after it. */
function packRecords({ bytes, sharedTail = 0 }: EncodedBatch, space: Buffer, start: number): number {
  const size = bytes.length;
  let out = start;
  /** The first byte that is not written yet. */
  let literals = 0;
  let headersBefore = -1;
  for (let at = 0; at < size; ) {
    const body = varintEnd(bytes, at);
    const next = body + readVarint(bytes, at);
    const headers = sharedTail > 0 ? next - sharedTail : headersAt(bytes, body);
    const distance = headers - headersBefore;
    // The last record stays as it is: a block has to end with literals.
    if (headersBefore >= 0 && next < size && distance <= FARTHEST) {
      const length = sharedTail > 0 ? sharedTail : commonLength(bytes, headersBefore, headers, next);
      if (length >= WORTHWHILE) {
        out = writeLiterals(space, out, literals, headers, length - MIN_MATCH);
        space[out++] = distance & 0xff;
        space[out++] = distance >>> 8;
        out = writeRest(space, out, length - MIN_MATCH);
        literals = headers + length;
      }
    }
    headersBefore = headers;
    at = next;
  }
  return writeLiterals(space, out, literals, size, 0);
}

/** How many bytes of the headers `[at … end)` are those of the headers at `before`. */
function commonLength(bytes: Buffer, before: number, at: number, end: number): number {
  let length = 0;
  while (at + length < end && bytes[before + length] === bytes[at + length]) length++;
  return length;
}

/** A token and the literals `space[from … end)`; `match` is for the token. Returns the offset after them. */
function writeLiterals(space: Buffer, out: number, from: number, end: number, match: number): number {
  const length = end - from;
  space[out] = (Math.min(length, IN_TOKEN) << 4) | Math.min(match, IN_TOKEN);
  const at = writeRest(space, out + 1, length);
  // Within one buffer: of all ways to copy a few bytes the one that needs no view of them.
  space.copyWithin(at, from, end);
  return at + length;
}

/** The largest length that fits into a token's half. */
const IN_TOKEN = 15;

/** What a token could not hold of a length. */
function writeRest(space: Buffer, out: number, length: number): number {
  let at = out;
  if (length < IN_TOKEN) return at;
  let rest = length - IN_TOKEN;
  for (; rest >= 255; rest -= 255) space[at++] = 255;
  space[at++] = rest;
  return at;
}

/** Where the headers of a record begin, of which the body (its attributes) begins at `body`. */
function headersAt(bytes: Buffer, body: number): number {
  // Attributes and timestamp delta are one byte each (record-batch.ts).
  const key = varintEnd(bytes, body + 2);
  return fieldEnd(bytes, fieldEnd(bytes, key));
}

function fieldEnd(bytes: Buffer, at: number): number {
  return varintEnd(bytes, at) + Math.max(0, readVarint(bytes, at));
}
