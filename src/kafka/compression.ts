// Which compression a producer asks kafkajs for, and zstd, which kafkajs leaves to its users.
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Failure } from '../model/failure.ts';
import type { KafkaSettings } from '../model/project.ts';
import type { KafkajsEncoder, KafkajsLibrary } from './kafkajs-types.ts';

type Compress = (bytes: Buffer) => Promise<Buffer>;

/** The parts of node:zlib that Node has from 22.15 on. */
interface ZlibWithZstd {
  readonly zstdCompress?: (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void;
  readonly zstdDecompress?: (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void;
}

/**
 * kafkajs's number for the setting, with its codec in place. Throws a Failure (`configuration`) for zstd where Node has none.
 */
export function compressionType(library: typeof KafkajsLibrary, setting: KafkaSettings['compression']): number {
  const { CompressionTypes, CompressionCodecs } = library;
  if (setting === 'none') return CompressionTypes.None;
  if (setting === 'gzip') return CompressionTypes.GZIP;
  const { zstdCompress, zstdDecompress } = zlib as ZlibWithZstd;
  if (!zstdCompress || !zstdDecompress) {
    throw new Failure(`\`kafka.compression: zstd\` needs Node 22.15 or later; this is ${process.version}`, {
      kind: 'configuration',
      hint: 'run pgtally with a later Node, or set `compression: gzip`',
    });
  }
  const compress: Compress = promisify(zstdCompress);
  const decompress: Compress = promisify(zstdDecompress);
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: Pick<KafkajsEncoder, 'buffer'>) => compress(buffer),
    decompress,
  });
  return CompressionTypes.ZSTD;
}
