// The checksum of a record batch: CRC-32C (Castagnoli; RFC 3720, appendix B.4). Four times as fast as kafkajs's own, which
// goes byte by byte and which corrections.ts replaces by this one.

/** 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/**
 * Sixteen tables of 256 in one array: entry `256 * n + byte` is the checksum of `byte` followed by n zero bytes
 * ("slicing": Kounavis and Berry, A Systematic Approach to Building High Performance Software-based CRC Generators, 2005).
 */
const TABLES = makeTables();

/** The words below are read in the machine's order; on a big-endian machine every byte goes the slow way. */
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** CRC-32C, unsigned, of `bytes`, or of `bytes` after others whose checksum is `before`. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const t = TABLES;
  const end = bytes.length;
  let crc = ~before;
  let at = 0;
  const misaligned = LITTLE_ENDIAN ? (4 - (bytes.byteOffset & 3)) & 3 : end;
  for (const stop = Math.min(misaligned, end); at < stop; at++) crc = t[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);

  const words = new Int32Array(bytes.buffer, at < end ? bytes.byteOffset + at : 0, ((end - at) >>> 4) * 4);
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i]!;
    const b = words[i + 1]!;
    const c = words[i + 2]!;
    const d = words[i + 3]!;
    crc =
      t[3840 + (a & 255)]! ^
      t[3584 + ((a >>> 8) & 255)]! ^
      t[3328 + ((a >>> 16) & 255)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 255)]! ^
      t[2560 + ((b >>> 8) & 255)]! ^
      t[2304 + ((b >>> 16) & 255)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 255)]! ^
      t[512 + ((d >>> 8) & 255)]! ^
      t[256 + ((d >>> 16) & 255)]! ^
      t[d >>> 24]!;
  }
  for (at += words.length * 4; at < end; at++) crc = t[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256]!;
    tables[i] = (shorter >>> 8) ^ tables[shorter & 255]!;
  }
  return tables;
}
