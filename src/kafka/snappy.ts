// Snappy, decompression only: the raw format (google/snappy, format_description.txt), and the framing Java's clients put around
// it (xerial: a header of 16 bytes, then blocks, each after its length).
import type { Bytes } from '../model/units.ts';

const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_SIZE = 16;

/** The uncompressed bytes, at most `limit` a block. Throws a RangeError for bytes that are not snappy. */
export function snappyDecompress(bytes: Buffer, limit: Bytes): Buffer {
  if (!bytes.subarray(0, XERIAL_HEADER.length).equals(XERIAL_HEADER)) return decodeBlock(bytes, limit);
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER_SIZE;
  while (at < bytes.length) {
    const end = at + 4 + bytes.readInt32BE(at);
    blocks.push(decodeBlock(bytes.subarray(at + 4, end), limit));
    at = end;
  }
  return Buffer.concat(blocks);
}

/** One raw block: its uncompressed length as a varint, then literals and copies. */
function decodeBlock(input: Buffer, limit: Bytes): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = input.readUInt8(at++);
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) throw new RangeError('the length of a snappy block is not a number');
  }
  if (length > limit) throw new RangeError('a snappy block is larger than a batch can be');
  const output = Buffer.allocUnsafe(length);
  let written = 0;
  while (at < input.length) {
    const tag = input.readUInt8(at++);
    if ((tag & 3) === 0) {
      const size = (tag >>> 2) + 1;
      const extra = size > 60 ? size - 60 : 0;
      const count = extra === 0 ? size : input.readUIntLE(at, extra) + 1;
      at += extra;
      if (at + count > input.length || written + count > length) throw new RangeError('a snappy literal is too long');
      input.copy(output, written, at, at + count);
      at += count;
      written += count;
    } else {
      const { distance, count, size } = readCopy(input, at, tag);
      at += size;
      if (distance === 0 || distance > written || written + count > length)
        throw new RangeError('a snappy copy is out of range');
      // Byte by byte: a copy may read what it has just written.
      for (let i = 0; i < count; i++, written++) output[written] = output[written - distance] as number;
    }
  }
  if (written !== length) throw new RangeError('a snappy block is too short');
  return output;
}

/** A copy's distance back, its length, and the bytes its offset took after the tag. */
function readCopy(input: Buffer, at: number, tag: number): { distance: number; count: number; size: number } {
  if ((tag & 3) === 1) {
    return { distance: ((tag >>> 5) << 8) | input.readUInt8(at), count: ((tag >>> 2) & 7) + 4, size: 1 };
  }
  const count = (tag >>> 2) + 1;
  return (tag & 3) === 2
    ? { distance: input.readUInt16LE(at), count, size: 2 }
    : { distance: input.readUInt32LE(at), count, size: 4 };
}
