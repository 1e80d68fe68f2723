// The bytes of `copy … to stdout (format binary)` (PostgreSQL documentation, COPY, Binary Format), as far as they are read.
import { Failure } from '../model/failure.ts';

/** The number of columns that stands after the last row. */
export const END_OF_ROWS = 0xffff;

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags INT32, length of an extension INT32. */
const FILE_HEADER = SIGNATURE.length + 8;

/** Where the first row begins; 0 when the header is not whole yet. */
export function skipFileHeader(source: Uint8Array, end: number): number {
  if (end < FILE_HEADER) return 0;
  if (SIGNATURE.compare(source, 0, SIGNATURE.length) !== 0) throw malformed('it does not begin with PGCOPY');
  const flags = readInt32(source, SIGNATURE.length);
  if (flags !== 0) throw malformed(`it has the flags ${flags}`);
  const first = FILE_HEADER + readInt32(source, SIGNATURE.length + 4);
  return first <= end ? first : 0;
}

export function readInt32(source: Uint8Array, at: number): number {
  return (source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!;
}

export function malformed(what: string): Failure {
  return new Failure(`the COPY data is not what was asked for: ${what}`, { kind: 'internal' });
}
