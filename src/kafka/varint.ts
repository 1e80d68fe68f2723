// The variable-length integers of Kafka's record format: zigzag, seven bits a byte, lowest first (KIP-98; Protocol Buffers'
// sint32). Only what our own records need is here: lengths, counts and offset deltas, which are never negative but for NULL's -1.

/** The byte of the varint -1, which stands where a key, a value or a header's value is null. */
export const VARINT_NULL = 1;

/** Bytes that `writeVarint` takes for `value` (0 … 2^30 - 1). */
export function sizeOfVarint(value: number): number {
  // One bit of seven goes to the sign.
  return value < 0x40 ? 1 : value < 0x2000 ? 2 : value < 0x10_0000 ? 3 : value < 0x800_0000 ? 4 : 5;
}

/** Writes `value` (0 … 2^30 - 1) at `offset`; returns the offset after it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value << 1;
  let at = offset;
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** The value (up to 2^30 - 1, or NULL's -1) at `offset`. */
export function readVarint(bytes: Uint8Array, offset: number): number {
  let at = offset;
  let zigzag = bytes[at]! & 0x7f;
  for (let shift = 7; bytes[at]! >= 0x80; shift += 7) zigzag |= (bytes[++at]! & 0x7f) << shift;
  return (zigzag >>> 1) ^ -(zigzag & 1);
}

/** The offset after the varint at `offset`. */
export function varintEnd(bytes: Uint8Array, offset: number): number {
  let at = offset;
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}
