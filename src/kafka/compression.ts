// How the records of a batch are compressed before kafkajs gets them.
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Failure } from '../model/failure.ts';
import type { KafkaSettings } from '../model/project.ts';
import { packHeaders } from './lz4-headers.ts';
import type { Compress } from './payload.ts';

export interface Compression {
  /** As in a batch's attributes, and what kafkajs's `send()` is to be given. */
  readonly type: number;
  /** Undefined for none. gzip and zstd work in a thread of Node's pool. */
  readonly compress: Compress | undefined;
}

/** The part of node:zlib that Node has from 22.15 on. */
interface ZlibWithZstd {
  readonly zstdCompress?: (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void;
}

/** The setting as kafkajs and a batch need it. Throws a Failure (`configuration`) for zstd where Node has none. */
export function compressionOf(setting: KafkaSettings['compression']): Compression {
  if (setting === 'none') return { type: 0, compress: undefined };
  if (setting === 'gzip') return { type: 1, compress: ofBytes(promisify<Buffer, Buffer>(zlib.gzip)) };
  if (setting === 'lz4') return { type: 3, compress: async (batch) => packHeaders(batch) };
  const { zstdCompress } = zlib as ZlibWithZstd;
  if (zstdCompress) return { type: 4, compress: ofBytes(promisify(zstdCompress)) };
  throw new Failure(`\`kafka.compression: zstd\` needs Node 22.15 or later; this is ${process.version}`, {
    kind: 'configuration',
    hint: 'run pgtally with a later Node, or set `compression: gzip`',
  });
}

function ofBytes(compress: (bytes: Buffer) => Promise<Buffer>): Compress {
  return ({ bytes }) => compress(bytes);
}
