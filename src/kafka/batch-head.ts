// A correction to kafkajs's RecordBatch for records that are bytes already: the head is written by itself and the records stay
// where they are, in place of being copied twice to be joined with parts of it. The bytes are the same (hand-over-check.ts).
import { crc32c, crc32cOfRecords } from './crc32c.ts';
import type { Payload } from './payload.ts';
import { encodedIn } from './pre-encoded.ts';
import { BATCH_OVERHEAD } from './record-batch.ts';
import type { EncoderClass, SharingEncoder } from './shared-buffers.ts';

/** What kafkajs passes to its RecordBatch. Its 64-bit numbers have a `toString`. */
interface RecordBatchFields {
  readonly compression: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly lastOffsetDelta: number;
  readonly transactional: boolean;
  readonly producerId?: { toString(): string };
  readonly producerEpoch?: number;
  readonly firstSequence?: number;
  readonly records: unknown;
}

export type RecordBatch = (fields: RecordBatchFields) => Promise<SharingEncoder>;

const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const ATTRIBUTES_AT = 21;
const TRANSACTIONAL = 0x10;
const MAGIC = 2;

/** kafkajs's RecordBatch, but for pre-encoded records. */
export function recordBatchWith(original: RecordBatch, Encoder: EncoderClass): RecordBatch {
  return async function recordBatch(fields) {
    const encoded = encodedIn(fields.records);
    if (!encoded) return original(fields);
    const payload = await encoded.payload;
    const batch = new Encoder();
    batch.writeBufferInternal(encodeHead(fields, encoded.count, payload));
    batch.writeBufferInternal(payload.bytes);
    return batch;
  };
}

/** The first 61 bytes of a batch; see record-batch.ts for the layout. */
function encodeHead(fields: RecordBatchFields, count: number, { bytes, compressed, sharedTail = 0 }: Payload): Buffer {
  const head = Buffer.alloc(BATCH_OVERHEAD);
  head.writeInt32BE(head.length - LENGTH_AT - 4 + bytes.length, LENGTH_AT);
  head.writeInt8(MAGIC, MAGIC_AT);
  const compression = compressed ? fields.compression : 0;
  head.writeInt16BE(compression | (fields.transactional ? TRANSACTIONAL : 0), ATTRIBUTES_AT);
  head.writeInt32BE(fields.lastOffsetDelta, 23);
  head.writeBigInt64BE(BigInt(fields.firstTimestamp), 27);
  head.writeBigInt64BE(BigInt(fields.maxTimestamp), 35);
  head.writeBigInt64BE(BigInt(fields.producerId?.toString() ?? -1), 43);
  head.writeInt16BE(fields.producerEpoch ?? 0, 51);
  head.writeInt32BE(fields.firstSequence ?? 0, 53);
  head.writeInt32BE(count, 57);
  head.writeUInt32BE(crc32cOfRecords(bytes, sharedTail, crc32c(head.subarray(ATTRIBUTES_AT))), CHECKSUM_AT);
  return head;
}
