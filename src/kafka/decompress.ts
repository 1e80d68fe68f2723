// Unpacking of record batches that others compressed: gzip and zstd by Node, snappy and lz4 here, since Node has neither.
import * as zlib from 'node:zlib';
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { lz4Decompress } from './lz4.ts';
import { snappyDecompress } from './snappy.ts';

/** Beyond this one batch is not data but an attack or damage: a batch is at most a few MiB when compressed. */
const LARGEST_BATCH: Bytes = 1024 ** 3;

/** Node has it from 22.15 on; the types are of Node 20. */
type Zstd = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;

/**
 * The records of a batch, uncompressed. `compression` is the low three bits of the batch's attributes. Throws a Failure
 * (`configuration`) for a method this Node lacks, (`internal`) for bytes that do not unpack.
 */
export function decompress(compression: number, bytes: Buffer): Buffer {
  try {
    switch (compression) {
      case 0:
        return bytes;
      case 1:
        return zlib.gunzipSync(bytes, { maxOutputLength: LARGEST_BATCH });
      case 2:
        return snappyDecompress(bytes, LARGEST_BATCH);
      case 3:
        return lz4Decompress(bytes, LARGEST_BATCH);
      case 4:
        return unzstd(bytes);
      default:
        throw unsupported(`method ${compression}`, 'upgrade pgtally');
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`kafka: a compressed record batch cannot be unpacked: ${(error as Error).message}`, {
      kind: 'internal',
      code: 'CORRUPT_MESSAGE',
      cause: error,
    });
  }
}

function unzstd(bytes: Buffer): Buffer {
  const zstd = (zlib as { zstdDecompressSync?: Zstd }).zstdDecompressSync;
  if (!zstd) throw unsupported('zstd', 'run pgtally on Node 22.15 or later');
  return zstd(bytes, { maxOutputLength: LARGEST_BATCH });
}

function unsupported(method: string, hint: string): Failure {
  return new Failure(`kafka: records compressed with ${method} cannot be read by this Node (${process.version})`, {
    kind: 'configuration',
    code: 'UNSUPPORTED_COMPRESSION_TYPE',
    hint,
  });
}
