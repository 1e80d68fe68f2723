// V8's compiled form of the program's files, kept between starts: compiling takes a third of the time of a `pgtally run`.
// Unlike Node's own compile cache (from 22.1 on), it is there on Node 20 too and holds the functions inside of a file.
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import type { Script } from 'node:vm';
import zlib from 'node:zlib';
import type { Milliseconds } from '../model/units.ts';

export interface CodeCache {
  /** What was kept for a file with this content; undefined: nothing, or nothing that can be trusted. */
  read(file: string, content: Buffer): Buffer | undefined;
  /** Compiles with all the functions inside, and keeps the result for the next start where that is possible. */
  write(file: string, content: Buffer, compile: () => Script): Script;
  /** V8 refused it. */
  drop(file: string, content: Buffer): void;
}

const NONE: CodeCache = {
  read: () => undefined,
  write: (_file, _content, compile) => compile(),
  drop: () => undefined,
};
const CHECKSUM_BYTES = 4;
const LONGEST_KEPT: Milliseconds = 30 * 86_400_000;

/**
 * The code cache of this user in `root`, the folder for temporary files: whatever is wrong with it costs time and nothing
 * else. `NODE_DISABLE_COMPILE_CACHE=1` switches it off, as it does Node's own.
 */
export function openCodeCache(root: string = tmpdir()): CodeCache {
  // Node has it from 20.15 on.
  const crc32 = zlib.crc32 as typeof zlib.crc32 | undefined;
  const folder = join(root, `pgtally-code-${process.getuid?.() ?? 'cache'}`);
  if (!crc32 || process.env.NODE_DISABLE_COMPILE_CACHE === '1' || !isOurs(folder)) return NONE;
  // V8 takes back only what the same version has made with the same flags.
  const { versions, arch, execArgv, env } = process;
  const maker = crc32([versions.v8, arch, ...execArgv, env.NODE_OPTIONS ?? ''].join('\n'));
  const place = (file: string, content: Buffer): string =>
    join(folder, `${basename(file)}.${content.length}.${crc32(content, maker).toString(16)}`);
  return {
    read(file, content) {
      try {
        const stored = readFileSync(place(file, content));
        const code = stored.subarray(CHECKSUM_BYTES);
        // V8 itself looks at the head only, and a damaged rest can end the process.
        return crc32(code) === stored.readUInt32LE() ? code : undefined;
      } catch {
        // Not there yet, or cut off.
        return undefined;
      }
    },
    write(file, content, compile) {
      const script = withoutLaziness(compile);
      const code = script.createCachedData();
      const checksum = Buffer.alloc(CHECKSUM_BYTES);
      checksum.writeUInt32LE(crc32(code));
      try {
        replaceFile(place(file, content), Buffer.concat([checksum, code]));
        removeOld(folder);
      } catch {
        // A full disk, a folder that is gone: the next start compiles again.
      }
      return script;
    },
    drop(file, content) {
      try {
        rmSync(place(file, content), { force: true });
      } catch {
        // It will be refused again.
      }
    },
  };
}

/** Makes the folder if need be. What others may write to is not ours: code from there would run with our rights. */
function isOurs(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    // On Windows the folder for temporary files is the user's own.
    if (!process.getuid) return found.isDirectory();
    return found.isDirectory() && found.uid === process.getuid() && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

/** V8 compiles most functions when they are first called, and a cache made before that would not have them. */
function withoutLaziness<T>(compile: () => T): T {
  setFlagsFromString('--no-lazy');
  try {
    return compile();
  } finally {
    setFlagsFromString('--lazy');
  }
}

/** Those of versions that are gone; one that is in use after all is made again. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (Date.now() - statSync(file).mtimeMs > LONGEST_KEPT) rmSync(file, { force: true });
  }
}

/** Whole or not at all, after a loss of power too. */
function replaceFile(path: string, content: Buffer): void {
  const part = `${path}.${process.pid}.part`;
  try {
    const file = openSync(part, 'wx', 0o600);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}
