// Where things of this repository lie, whether this runs from source (vitest) or compiled below `.cache/js` (demo, bench).

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository's package.json. */
export const REPOSITORY: string = findRepository(dirname(fileURLToPath(import.meta.url)));

/**
 * The folder in which downloads and compiled files are kept between runs: the ignored `.cache`, or what PGTALLY_CACHE
 * names, so that several clones can share it. `names` lead below it. Created.
 */
export function cacheFolder(...names: string[]): string {
  const folder = join(process.env.PGTALLY_CACHE ?? join(REPOSITORY, '.cache'), ...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function findRepository(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  throw new Error(`no package.json above ${start}`);
}
