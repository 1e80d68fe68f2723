// The command as it is installed: built, with what lies beside it in the package. Running it is in run-pgtally.ts.

import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './guard.ts';
import { cacheFolder, REPOSITORY } from './repository.ts';

const DIST = join(REPOSITORY, 'dist');

/** Builds `dist/` unless it is newer than every source. Where that fails, an older one serves: others may be at work. */
export async function buildCommand(): Promise<void> {
  if (isUpToDate()) return;
  // Built aside and put in place by a rename, so that no run beside this one starts half of a command.
  const work = mkdtempSync(join(cacheFolder(), 'dist.part-'));
  try {
    await promisify(execFile)(process.execPath, [join(REPOSITORY, 'scripts', 'build.mjs'), join(work, 'new')]);
    if (existsSync(DIST)) renameSync(DIST, join(work, 'old'));
    renameSync(join(work, 'new'), DIST);
  } catch (error) {
    if (!existsSync(DIST)) throw error;
    process.stderr.write(`warning: the command is an older one, because it cannot be built: ${String(error)}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A copy of the built command for one test run, which stays as it is while sources change. Returns its executable. */
export function copyCommand(): string {
  const folder = temporaryFolder('command');
  cpSync(DIST, join(folder, 'dist'), { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'dist', 'bin.js');
}

function isUpToDate(): boolean {
  const built = join(DIST, 'bin.js');
  if (!existsSync(built)) return false;
  const source = join(REPOSITORY, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).map((name) => join(source, name));
  const compiled = statSync(built).mtimeMs;
  // Folders count: a file that is gone has changed its folder.
  return [source, ...files].every((path) => statSync(path).mtimeMs < compiled);
}
