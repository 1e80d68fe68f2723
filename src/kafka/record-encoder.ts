// Record batches from records held as values, as they come: lines of a file, envelopes, generated rows. Rows of a COPY go through
// copy-encoder.ts.
import type { Bytes } from '../model/units.ts';
import { chooseBatchBytes } from './copy-encoder.ts';
import { murmur2Partition } from './murmur2.ts';
import { OpenBatches } from './open-batches.ts';
import {
  BATCH_OVERHEAD,
  type EncodedBatch,
  encodeHeaders,
  type RecordFields,
  recordSize,
  writeRecord,
} from './record-batch.ts';
import { givenRecordTooLarge } from './row-failures.ts';

export interface RecordEncoderOptions {
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** The topic's `max.message.bytes`. */
  readonly maxRecordBytes: Bytes;
}

export interface RecordEncoder {
  /**
   * Adds a record to its partition's batch. `partition`: its own if it has one; absent: by its key, or without a key one after the
   * other, a batch each. Throws a Failure (`record`) that names the record by its number and key.
   */
  add(record: RecordFields, partition?: number): void;
  /** Records added so far. */
  readonly records: number;
  /** Bytes of records that were not taken yet. */
  readonly buffered: Bytes;
  /** The batches that are full, oldest first; they are the caller's until `recycle`. */
  takeFull(): EncodedBatch[];
  /** All batches, so that nothing waits for more records. */
  takeAll(): EncodedBatch[];
  /** Gives back batches that nobody will send again. */
  recycle(batches: readonly EncodedBatch[]): void;
}

export function createRecordEncoder({ partitions, maxRecordBytes }: RecordEncoderOptions): RecordEncoder {
  const batches = new OpenBatches(partitions, chooseBatchBytes(partitions, maxRecordBytes));
  const { buffers, offsets, counts } = batches;
  let records = 0;
  let buffered = 0;
  /** Where records without a key go now. */
  let keyless = 0;

  const take = (taken: EncodedBatch[]): EncodedBatch[] => {
    for (const { bytes } of taken) buffered -= bytes.length;
    if (taken.some(({ partition }) => partition === keyless)) keyless = (keyless + 1) % partitions;
    return taken;
  };

  return {
    add: (record, own) => {
      const partition = own ?? (record.key === null ? keyless : murmur2Partition(record.key, partitions));
      const headers = encodeHeaders(record.headers ?? []);
      const alone = BATCH_OVERHEAD + recordSize(record, headers.length, 0);
      if (alone > maxRecordBytes) throw givenRecordTooLarge(records + 1, record.key, alone, maxRecordBytes);
      batches.makeRoom(partition, recordSize(record, headers.length, counts[partition]!));
      const start = offsets[partition]!;
      const end = writeRecord(buffers[partition]!, start, record, headers, counts[partition]!++);
      offsets[partition] = end;
      buffered += end - start;
      records++;
    },
    get records() {
      return records;
    },
    get buffered() {
      return buffered;
    },
    takeFull: () => take(batches.takeFull()),
    takeAll: () => take(batches.takeAll()),
    recycle: (sent) => batches.recycle(sent),
  };
}
