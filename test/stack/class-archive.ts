// An archive of loaded classes (AppCDS, JEP 350) for a Java program that is started often: it halves the start. The first
// process that ends in good order writes it; a rename makes it the one that all later ones use.

import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './repository.ts';

export interface ClassArchive {
  /** For the command line of `java`. */
  readonly flags: readonly string[];
  /** Whether this process writes it at its end: worth an orderly one. */
  readonly writes: boolean;
  /** To be called after the orderly end. */
  keep(): void;
}

/** `name` must change with the class path; the archive is first written into `folder`. */
export function classArchive(name: string, folder: string): ClassArchive {
  const archive = join(cacheFolder('kafka'), `${name}.jsa`);
  // A Java that cannot use it (another version made it) starts without, in silence.
  if (existsSync(archive)) {
    return {
      flags: ['-Xshare:auto', '-Xlog:cds=off', `-XX:SharedArchiveFile=${archive}`],
      writes: false,
      keep: () => {},
    };
  }
  const written = join(folder, `${name}.jsa`);
  return {
    flags: ['-Xlog:cds=off', `-XX:ArchiveClassesAtExit=${written}`],
    writes: true,
    keep: () => {
      if (!existsSync(written)) return;
      // The temporary folder may be on another disk, across which there is no rename.
      const part = `${archive}.part-${process.pid}`;
      copyFileSync(written, part);
      renameSync(part, archive);
    },
  };
}
