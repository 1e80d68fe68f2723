// Which batches of a Fetch answer a read_committed reader may see. Pure: the answer's batches and its list of aborted
// transactions in, the batches that hold committed records out.
import type { FetchedBatch } from './record-batch-decoder.ts';
import { isAbortMarker } from './record-batch-decoder.ts';

/** One entry of a Fetch answer's list: a transaction that was aborted, by its producer and its first offset. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * The batches of `batches` (one answer for one partition, in order) without control batches and without those of aborted
 * transactions (KIP-98). The broker lists aborted transactions in the order of their ENDS, and includes those that began
 * before the fetch: a transaction counts as aborted from its first offset to its producer's abort marker. Two
 * transactions of one producer never overlap, and a batch belongs to one producer, so batches are enough to look at.
 */
export function committedBatches(
  batches: readonly FetchedBatch[],
  aborted: readonly AbortedTransaction[],
): FetchedBatch[] {
  if (aborted.length === 0) return batches.filter((batch) => !batch.control);
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<bigint>();
  let next = 0;
  return batches.filter((batch) => {
    for (let first = waiting[next]; first && first.firstOffset <= batch.lastOffset; first = waiting[++next]) {
      open.add(first.producerId);
    }
    if (!batch.control) return !(batch.transactional && open.has(batch.producerId));
    // Only a control record ends a transaction: a user's key may hold the same bytes.
    if (open.has(batch.producerId) && isAbortMarker(batch)) open.delete(batch.producerId);
    return false;
  });
}
