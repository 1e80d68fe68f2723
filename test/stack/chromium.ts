// Where a Chromium comes from for the tests of the status page: one that is named, this machine's, or Debian's package where this
// process may install it. Nothing is started here.

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { NothingAvailable } from './find-servers.ts';

const run = promisify(execFile);
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Debian's is 80 MB with what it needs. */
const INSTALL_LIMIT = 300_000;

let found: Promise<string> | undefined;

/** The program's path. Rejects with NothingAvailable, which says what was tried and what to install. */
export function findChromium(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const named = process.env.PGTALLY_TEST_CHROMIUM;
  if (named) {
    if (isProgram(named)) return named;
    throw new NothingAvailable(`PGTALLY_TEST_CHROMIUM names ${named}, which is no program`);
  }
  const installed = onSearchPath();
  if (installed !== undefined) return installed;
  const reason = await install();
  const now = onSearchPath();
  if (now !== undefined) return now;
  throw new NothingAvailable(
    `no Chromium to run with; tried\n  PGTALLY_TEST_CHROMIUM: not set\n  the search path: none of ${NAMES.join(', ')}\n` +
      `  apt-get install chromium: ${reason}\nhint: any one of these\n` +
      '  - name one: PGTALLY_TEST_CHROMIUM=/path/to/chromium\n  - install it (Debian, Ubuntu: apt-get install chromium)',
  );
}

/** Resolves with why it is not there afterwards. */
async function install(): Promise<string> {
  if (process.getuid?.() !== 0) return 'only root may';
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    process.stderr.write('installing Chromium for the tests of the status page (apt-get install chromium) …\n');
    await run('apt-get', ['update', '-qq'], { env, timeout: INSTALL_LIMIT });
    const packages = ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'];
    await run('apt-get', packages, { env, timeout: INSTALL_LIMIT, maxBuffer: 64 * 1024 ** 2 });
    return 'the package brought no program of these names';
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return 'there is no `apt-get`';
    return stderr?.trim().split('\n').at(-1) ?? String(error);
  }
}

function onSearchPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
