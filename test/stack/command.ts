// The command as it is installed: compiled, with what lies beside it in the package. Running it is in run-pgtally.ts.

import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './guard.ts';
import { cacheFolder, REPOSITORY } from './repository.ts';

const DIST = join(REPOSITORY, 'dist');

/** Compiles `dist/` unless it is newer than every source. Warns of type errors: tests of other parts may still run. */
export async function compileCommand(): Promise<void> {
  if (isUpToDate()) return;
  // Compiled aside and put in place by a rename, so that no run beside this one starts half of a command.
  const work = mkdtempSync(join(cacheFolder(), 'dist.part-'));
  const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', join(work, 'new')];
  try {
    await promisify(execFile)(process.execPath, args, { cwd: REPOSITORY }).catch(warnOfErrors);
    if (existsSync(DIST)) renameSync(DIST, join(work, 'old'));
    renameSync(join(work, 'new'), DIST);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A copy of the compiled command for one test run, which stays as it is while sources change. Returns its executable. */
export function copyCommand(): string {
  const folder = temporaryFolder('command');
  cpSync(DIST, join(folder, 'dist'), { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'dist', 'bin.js');
}

function warnOfErrors(error: Error & { stdout?: string }): void {
  const [first, ...others] = (error.stdout ?? error.message).trimEnd().split('\n');
  const more = others.length > 0 ? ` (and ${others.length} more lines)` : '';
  process.stderr.write(`warning: the command was compiled with errors: ${first}${more}\n`);
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
