// Which partition a key belongs to: murmur2 as Kafka's Java client computes it, so that a key goes where every other producer
// would put it. Records without a key are not decided here.

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/**
 * The hash of `bytes[start … end)` as a signed 32-bit integer: Austin Appleby's MurmurHash2 in the form of
 * `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const length = end - start;
  const tail = end - (length & 3);
  let hash = SEED ^ length;
  let at = start;
  for (; at < tail; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  if (at < end) {
    if (at + 2 < end) hash ^= bytes[at + 2]! << 16;
    if (at + 1 < end) hash ^= bytes[at + 1]! << 8;
    hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition (0 … partitions - 1) of the key `bytes[start … end)`, as the Java client's default partitioner chooses it. */
export function murmur2Partition(bytes: Uint8Array, partitions: number, start = 0, end: number = bytes.length): number {
  return (murmur2(bytes, start, end) & 0x7fff_ffff) % partitions;
}

/** The same for a key held as text. */
export function murmur2PartitionOfText(text: string, partitions: number): number {
  return murmur2Partition(Buffer.from(text), partitions);
}
