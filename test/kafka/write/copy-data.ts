// COPY data in the binary format, written from rows by the format's description alone, and record batches read by kafkajs's
// decoder: what the tests of the encoder hold it against.
import { createRequire } from 'node:module';
import type { EncodedBatch } from '../../../src/kafka/record-batch.ts';

const require = createRequire(import.meta.url);

export type Field = Buffer | null;

/** PostgreSQL, COPY, Binary Format: signature, flags, extension; rows; -1. */
export function copyData(rows: readonly (readonly Field[])[], extension: Buffer = Buffer.alloc(0)): Buffer {
  const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
  return Buffer.concat([signature, int32(0), int32(extension.length), extension, ...rows.map(copyRow), int16(-1)]);
}

export function copyRow(fields: readonly Field[]): Buffer {
  return Buffer.concat([
    int16(fields.length),
    ...fields.flatMap((field) => (field === null ? [int32(-1)] : [int32(field.length), field])),
  ]);
}

/** `data` cut at `places` (any order, any number). */
export function cut(data: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places, data.length].map((place) => Math.min(place, data.length)).sort((a, b) => a - b);
  let from = 0;
  return ends.map((end) => {
    const chunk = data.subarray(from, end);
    from = end;
    return chunk;
  });
}

export interface DecodedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Field;
  readonly value: Field;
  readonly headers: Readonly<Record<string, Field | Field[]>>;
}

/** The records of a batch as kafkajs reads them, after kafkajs wrote the head. */
export async function decodeBatch({ count, bytes }: EncodedBatch): Promise<DecodedRecord[]> {
  const Encoder = require('kafkajs/src/protocol/encoder');
  const Decoder = require('kafkajs/src/protocol/decoder');
  const decode = require('kafkajs/src/protocol/recordBatch/v0/decoder');
  const content = new Encoder();
  content.writeInt16(0).writeInt32(count - 1);
  content.writeInt64(1_800_000_000_000).writeInt64(1_800_000_000_000);
  content.writeInt64(-1).writeInt16(0).writeInt32(0).writeInt32(count).writeBuffer(bytes);
  const batch = new Encoder().writeInt32(0).writeInt8(2).writeUInt32(0).writeEncoder(content);
  const whole = new Encoder().writeInt64(0).writeBytes(batch.buffer);
  return (await decode(new Decoder(whole.buffer))).records;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
