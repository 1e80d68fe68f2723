// LZ4 frames, decompression only (lz4_Frame_format.md, lz4_Block_format.md of the lz4 project), as Kafka's record batches of magic
// 2 hold them. Checksums are not verified: the batch has one of its own.
import type { Bytes } from '../model/units.ts';

/** What a frame begins with, little-endian. */
export const MAGIC = 0x184d2204;
const FLAG_CONTENT_SIZE = 0x08;
const FLAG_BLOCK_CHECKSUM = 0x10;
const FLAG_DICTIONARY = 0x01;
const UNCOMPRESSED = 0x80000000;
/** A token counts a match's bytes from here. */
export const MIN_MATCH = 4;

/** The uncompressed bytes, at most `limit`. Throws a RangeError for bytes that are not an LZ4 frame. */
export function lz4Decompress(input: Buffer, limit: Bytes): Buffer {
  if (input.readUInt32LE(0) !== MAGIC) throw new RangeError('not an LZ4 frame');
  const flags = input.readUInt8(4);
  if (flags & FLAG_DICTIONARY) throw new RangeError('an LZ4 frame with a dictionary');
  let at = 7 + (flags & FLAG_CONTENT_SIZE ? 8 : 0);
  const sink: Sink = { bytes: Buffer.allocUnsafe(Math.max(input.length * 4, 1024)), length: 0, limit };
  for (;;) {
    const word = input.readUInt32LE(at);
    at += 4;
    if (word === 0) return sink.bytes.subarray(0, sink.length);
    const end = at + (word % UNCOMPRESSED);
    if (end > input.length) throw new RangeError('an LZ4 block is cut off');
    if (word >= UNCOMPRESSED) append(sink, input, at, end);
    else decodeBlock(input.subarray(at, end), sink);
    at = end + (flags & FLAG_BLOCK_CHECKSUM ? 4 : 0);
  }
}

interface Sink {
  bytes: Buffer;
  length: number;
  readonly limit: Bytes;
}

/** Sequences of a token, literals, and a match that may reach back into earlier blocks. */
function decodeBlock(input: Buffer, sink: Sink): void {
  let at = 0;
  while (at < input.length) {
    const token = input.readUInt8(at++);
    let literals = token >>> 4;
    if (literals === 15) [literals, at] = readLength(input, at, literals);
    if (at + literals > input.length) throw new RangeError('LZ4 literals are cut off');
    append(sink, input, at, at + literals);
    at += literals;
    if (at >= input.length) return;
    const distance = input.readUInt16LE(at);
    at += 2;
    let count = token & 15;
    if (count === 15) [count, at] = readLength(input, at, count);
    repeat(sink, distance, count + MIN_MATCH);
  }
}

function readLength(input: Buffer, start: number, base: number): [length: number, at: number] {
  let at = start;
  let length = base;
  for (;;) {
    const byte = input.readUInt8(at++);
    length += byte;
    if (byte !== 255) return [length, at];
  }
}

function append(sink: Sink, source: Buffer, start: number, end: number): void {
  reserve(sink, end - start);
  source.copy(sink.bytes, sink.length, start, end);
  sink.length += end - start;
}

function repeat(sink: Sink, distance: number, count: number): void {
  if (distance === 0 || distance > sink.length) throw new RangeError('an LZ4 match is out of range');
  reserve(sink, count);
  const { bytes } = sink;
  const end = sink.length + count;
  // Byte by byte: a match may read what it has just written.
  for (let to = sink.length; to < end; to++) bytes[to] = bytes[to - distance] as number;
  sink.length = end;
}

function reserve(sink: Sink, count: number): void {
  const needed = sink.length + count;
  if (needed > sink.limit) throw new RangeError('an LZ4 frame is larger than a batch can be');
  if (needed <= sink.bytes.length) return;
  const grown = Buffer.allocUnsafe(Math.min(Math.max(needed, sink.bytes.length * 2), sink.limit));
  sink.bytes.copy(grown, 0, 0, sink.length);
  sink.bytes = grown;
}
