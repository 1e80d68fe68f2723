// The batches that an encoder is filling: one open batch a partition, closed and put aside when the next record would make it
// too large. It owns the buffers, lets them grow from small, and takes them back when their send has ended.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { mostPacked } from './lz4-headers.ts';
import { BATCH_OVERHEAD, type EncodedBatch } from './record-batch.ts';

/** First size of a partition's buffer: many runs publish a few rows. */
const FIRST_BUFFER: Bytes = 1024;

const NOTHING: Buffer = Buffer.alloc(0);

/** An encoder writes straight into `buffers`, moving `offsets` and `counts`, after `makeRoom` where there is none. */
export class OpenBatches {
  readonly buffers: Buffer[];
  /** Bytes written of each open batch. */
  readonly offsets: Int32Array;
  /** Records written of each open batch: the next one's offset delta. */
  readonly counts: Int32Array;
  /** What records may take of a batch. */
  readonly #limit: Bytes;
  readonly #sharedTail: Bytes | undefined;
  /** Partitions that filled a batch before: their next one starts at full size. */
  readonly #busy = new Set<number>();
  readonly #free: Buffer[] = [];
  /** What is behind a buffer of full size: pages that nobody writes to, as when nothing is packed, take no memory. */
  readonly #spaces = new Map<Buffer, Buffer>();
  /** The buffers of the batches that were taken. */
  readonly #lent = new Map<EncodedBatch, Buffer>();
  #full: EncodedBatch[] = [];

  /**
   * `batchBytes`: largest batch, its overhead included; a single larger record gets a batch of its own. `sharedTail`: bytes that
   * all records will end with alike.
   */
  constructor(partitions: number, batchBytes: Bytes, sharedTail?: Bytes) {
    this.#limit = batchBytes - BATCH_OVERHEAD;
    this.#sharedTail = sharedTail;
    this.buffers = Array.from({ length: partitions }, () => NOTHING);
    this.offsets = new Int32Array(partitions);
    this.counts = new Int32Array(partitions);
  }

  /**
   * Sees to `size` free bytes in the partition's buffer. The open batch may have been closed for it: offset and count are to
   * be read again.
   */
  makeRoom(partition: number, size: Bytes): void {
    const { buffers, offsets } = this;
    if (offsets[partition]! > 0 && offsets[partition]! + size > this.#limit) {
      this.#close(partition);
      this.#busy.add(partition);
    }
    const needed = offsets[partition]! + size;
    if (needed <= buffers[partition]!.length) return;
    const buffer = this.#grown(partition, needed);
    buffers[partition]!.copy(buffer, 0, 0, offsets[partition]);
    buffers[partition] = buffer;
  }

  /** The batches closed since the last call. */
  takeFull(): EncodedBatch[] {
    const taken = this.#full;
    this.#full = [];
    return taken;
  }

  /** All of them, open ones too. */
  takeAll(): EncodedBatch[] {
    for (let partition = 0; partition < this.counts.length; partition++)
      if (this.counts[partition]! > 0) this.#close(partition);
    return this.takeFull();
  }

  /** Gives back the buffers of batches whose send has ended. Throws for a batch that is not ours, or was given back before. */
  recycle(batches: readonly EncodedBatch[]): void {
    for (const batch of batches) {
      const buffer = this.#lent.get(batch);
      if (!buffer) throw new Failure('a batch was given back twice, or to another encoder', { kind: 'internal' });
      this.#lent.delete(batch);
      if (buffer.length === this.#limit) this.#free.push(buffer);
    }
  }

  #close(partition: number): void {
    const buffer = this.buffers[partition]!;
    const bytes = buffer.subarray(0, this.offsets[partition]);
    const space = this.#spaces.get(buffer);
    const batch = { partition, count: this.counts[partition]!, bytes, sharedTail: this.#sharedTail, space };
    this.#lent.set(batch, buffer);
    this.#full.push(batch);
    this.buffers[partition] = NOTHING;
    this.offsets[partition] = 0;
    this.counts[partition] = 0;
  }

  #grown(partition: number, needed: Bytes): Buffer {
    if (needed > this.#limit) return Buffer.allocUnsafeSlow(needed);
    if (this.#busy.has(partition)) return this.#free.pop() ?? this.#withSpace();
    const size = Math.min(this.#limit, Math.max(FIRST_BUFFER, needed, 2 * this.buffers[partition]!.length));
    return Buffer.allocUnsafe(size);
  }

  #withSpace(): Buffer {
    const space = Buffer.allocUnsafeSlow(this.#limit + mostPacked(this.#limit));
    const buffer = space.subarray(0, this.#limit);
    this.#spaces.set(buffer, space);
    return buffer;
  }
}
