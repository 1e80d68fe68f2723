// The batches that an encoder is filling: one open batch a partition, closed and put aside when the next record would make it
// too large. It owns the buffers, lets them grow from small, and takes them back when their send has ended.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { mostPacked } from './lz4-headers.ts';
import { BATCH_OVERHEAD, type EncodedBatch } from './record-batch.ts';

/** First size of a partition's buffer: many runs publish a few rows. */
const FIRST_BUFFER: Bytes = 1024;

/** An encoder writes straight into `buffers`, moving `offsets` and `counts`, after `makeRoom` where there is none. */
export interface OpenBatches {
  readonly buffers: Buffer[];
  /** Bytes written of each open batch. */
  readonly offsets: Int32Array;
  /** Records written of each open batch: the next one's offset delta. */
  readonly counts: Int32Array;
  /**
   * Sees to `size` free bytes in the partition's buffer. The open batch may have been closed for it: offset and count are to
   * be read again.
   */
  readonly makeRoom: (partition: number, size: Bytes) => void;
  /** The batches closed since the last call. */
  readonly takeFull: () => EncodedBatch[];
  /** All of them, open ones too. */
  readonly takeAll: () => EncodedBatch[];
  /** Gives back the buffers of batches whose send has ended. Throws for a batch that is not ours, or was given back before. */
  readonly recycle: (batches: readonly EncodedBatch[]) => void;
}

/**
 * `batchBytes`: largest batch, its overhead included; a single larger record gets a batch of its own. `sharedTail`: bytes that
 * all records will end with alike.
 */
export function openBatches(partitions: number, batchBytes: Bytes, sharedTail?: Bytes): OpenBatches {
  const limit = batchBytes - BATCH_OVERHEAD;
  const none: Buffer = Buffer.alloc(0);
  const buffers = Array.from({ length: partitions }, () => none);
  const offsets = new Int32Array(partitions);
  const counts = new Int32Array(partitions);
  /** Partitions that filled a batch before: their next one starts at full size. */
  const busy = new Uint8Array(partitions);
  const free: Buffer[] = [];
  /** What is behind a buffer of full size: pages that nobody writes to, as when nothing is packed, take no memory. */
  const spaces = new WeakMap<Buffer, Buffer>();
  const lent = new WeakMap<EncodedBatch, Buffer>();
  let full: EncodedBatch[] = [];

  const close = (partition: number): void => {
    const buffer = buffers[partition]!;
    const bytes = buffer.subarray(0, offsets[partition]);
    const batch = { partition, count: counts[partition]!, bytes, sharedTail, space: spaces.get(buffer) };
    lent.set(batch, buffer);
    full.push(batch);
    buffers[partition] = none;
    offsets[partition] = 0;
    counts[partition] = 0;
  };

  const withSpace = (): Buffer => {
    const space = Buffer.allocUnsafeSlow(limit + mostPacked(limit));
    const buffer = space.subarray(0, limit);
    spaces.set(buffer, space);
    return buffer;
  };

  const grown = (partition: number, needed: Bytes): Buffer => {
    if (needed > limit) return Buffer.allocUnsafeSlow(needed);
    if (busy[partition]) return free.pop() ?? withSpace();
    const size = Math.min(limit, Math.max(FIRST_BUFFER, needed, 2 * buffers[partition]!.length));
    return Buffer.allocUnsafe(size);
  };

  const takeFull = (): EncodedBatch[] => {
    const taken = full;
    full = [];
    return taken;
  };

  return {
    buffers,
    offsets,
    counts,
    makeRoom: (partition, size) => {
      if (offsets[partition]! > 0 && offsets[partition]! + size > limit) {
        close(partition);
        busy[partition] = 1;
      }
      const needed = offsets[partition]! + size;
      if (needed <= buffers[partition]!.length) return;
      const buffer = grown(partition, needed);
      buffers[partition]!.copy(buffer, 0, 0, offsets[partition]);
      buffers[partition] = buffer;
    },
    takeFull,
    takeAll: () => {
      for (let partition = 0; partition < partitions; partition++) if (counts[partition]! > 0) close(partition);
      return takeFull();
    },
    recycle: (batches) => {
      for (const batch of batches) {
        const buffer = lent.get(batch);
        if (!buffer) throw new Failure('a batch was given back twice, or to another encoder', { kind: 'internal' });
        lent.delete(batch);
        if (buffer.length === limit) free.push(buffer);
      }
    },
  };
}
