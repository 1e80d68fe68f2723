// How what was read of a partition is cut into statements. Pure.
import type { FetchedRecord } from '../kafka/record.ts';
import type { Bytes } from '../model/units.ts';

/** Messages that one statement writes: those from `from` on, with which the next offset becomes `to`. */
export interface Batch {
  readonly from: number;
  readonly to: number;
  readonly records: readonly FetchedRecord[];
  readonly bytes: Bytes;
}

/** Beyond its key and value, roughly, in the text of a statement. */
const RECORD_OVERHEAD: Bytes = 64;

/**
 * The first batch of `records`, of about `limit` bytes; at least one record is in it. `after` is the offset behind the last of
 * them and what no reader sees.
 */
export function firstBatch(from: number, records: readonly FetchedRecord[], after: number, limit: Bytes): Batch {
  let bytes = 0;
  let count = 0;
  for (const record of records) {
    const size = sizeOf(record);
    if (count > 0 && bytes + size > limit) break;
    bytes += size;
    count++;
  }
  return count === records.length
    ? { from, to: after, records, bytes }
    : { from, to: (records[count - 1]?.offset ?? from) + 1, records: records.slice(0, count), bytes };
}

function sizeOf({ key, value, headers }: FetchedRecord): Bytes {
  let bytes = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
  for (const { name, value: header } of headers) bytes += name.length + (header?.length ?? 0) + 8;
  return bytes;
}
