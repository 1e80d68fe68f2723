// Record batches written byte by byte for tests of the decoder: a second, plain implementation of the format (KIP-98), which
// sets any field, also to what no producer would send.
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

export interface TestRecord {
  readonly key?: Buffer | null;
  readonly value?: Buffer | null;
  readonly headers?: readonly { readonly name: string; readonly value: Buffer | null }[];
  /** Default: one more than the record before. */
  readonly offsetDelta?: number;
  readonly timestampDelta?: number | bigint;
}

export interface TestBatch {
  readonly baseOffset?: number;
  /** Default: that of the last record, or 0. */
  readonly lastOffsetDelta?: number;
  readonly baseTimestamp?: number | bigint;
  readonly maxTimestamp?: number | bigint;
  readonly producerId?: number | bigint;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly logAppendTime?: boolean;
  readonly gzip?: boolean;
  readonly records: readonly TestRecord[];
}

/** The bytes of one batch, with its checksum. */
export function encodeBatch(batch: TestBatch): Buffer {
  let offset = -1;
  const records = batch.records.map((record) => {
    offset = record.offsetDelta ?? offset + 1;
    return encodeRecord(record, offset);
  });
  const plain = Buffer.concat(records);
  const payload = batch.gzip ? gzipSync(plain) : plain;
  const attributes =
    (batch.gzip ? 1 : 0) | (batch.logAppendTime ? 8 : 0) | (batch.transactional ? 16 : 0) | (batch.control ? 32 : 0);
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(batch.baseOffset ?? 0), 0);
  header.writeInt32BE(49 + payload.length, 8);
  header.writeInt32BE(0, 12);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes, 21);
  header.writeInt32BE(batch.lastOffsetDelta ?? Math.max(offset, 0), 23);
  header.writeBigInt64BE(BigInt(batch.baseTimestamp ?? 0), 27);
  header.writeBigInt64BE(BigInt(batch.maxTimestamp ?? batch.baseTimestamp ?? 0), 35);
  header.writeBigInt64BE(BigInt(batch.producerId ?? -1), 43);
  header.writeInt16BE(-1, 51);
  header.writeInt32BE(-1, 53);
  header.writeInt32BE(records.length, 57);
  const bytes = Buffer.concat([header, payload]);
  bytes.writeUInt32BE(checksum(bytes.subarray(21)), 17);
  return bytes;
}

/** kafkajs's own, which is not the one under test. */
const checksumOfKafkajs: (bytes: Buffer) => number = createRequire(import.meta.url)(
  'kafkajs/src/protocol/recordBatch/crc32C/crc32C.js',
);
const checksum = (bytes: Buffer) => checksumOfKafkajs(bytes) >>> 0;

/** The batch that ends a producer's transaction. */
export function encodeMarker(baseOffset: number, producerId: number | bigint, abort: boolean): Buffer {
  const key = Buffer.from([0, 0, 0, abort ? 0 : 1]);
  const value = Buffer.alloc(6);
  return encodeBatch({ baseOffset, producerId, transactional: true, control: true, records: [{ key, value }] });
}

function encodeRecord(record: TestRecord, offsetDelta: number): Buffer {
  const headers = record.headers ?? [];
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta ?? 0),
    varint(offsetDelta),
    bytes(record.key ?? null),
    bytes(record.value ?? null),
    varint(headers.length),
    ...headers.flatMap(({ name, value }) => [bytes(Buffer.from(name)), bytes(value)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function bytes(value: Buffer | null): Buffer {
  return value === null ? varint(-1) : Buffer.concat([varint(value.length), value]);
}

/** Zigzag, then seven bits a byte, lowest first. */
function varint(value: number | bigint): Buffer {
  const signed = BigInt(value);
  let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
  const out: number[] = [];
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Buffer.from(out);
}
