// What the tests of the files under deploy/ share: reading them, and asking the real command and the real loader about what
// they name.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { limitFields, statusFields } from '../../src/config/fields/project.ts';
import { splitAddress } from '../../src/config/formats.ts';
import type { Environment } from '../../src/config/variables.ts';
import type { Problem } from '../../src/model/problem.ts';
import { parseDuration } from '../../src/model/units.ts';
import { openProject } from '../../src/project/open-project.ts';
import { runPgtally } from '../stack/run-pgtally.ts';

/** The port the status page has when nothing else is said. */
export const STATUS_PORT = Number(splitAddress(statusFields.listen.default)?.port);

/** SQL may run so long after SIGTERM, at most; the shards are released after that. In seconds. */
export const STOP_SECONDS = Number(parseDuration(limitFields.stop_grace.maximum)) / 1000 + 5;

/** What probes and scrapers may ask under any name and without the token. */
export const PROBE_PATHS = ['/healthz', '/readyz', '/metrics'] as const;

/** The documents of a YAML file, with merge keys (`<<`) as Docker reads them. Their shape is the caller's belief: what is not there
 * fails where it is looked for. */
export function readYaml<T>(file: string): T[] {
  return parseAllDocuments(readFileSync(file, 'utf8'), { merge: true }).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as T;
  });
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'pgtally-deploy-'));
  onTestFinished(() => {
    // The test may have made its folders read-only.
    for (const inner of foldersBelow(folder)) chmodSync(inner, 0o700);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** From the top, each readable by its owner once those above it are. */
function* foldersBelow(folder: string): Generator<string> {
  yield folder;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* foldersBelow(path.join(folder, entry.name));
  }
}

/** Writes files, by their paths below `folder`. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

/**
 * What the command says to these arguments where there is no project: only a wrong command line is refused before the
 * project file is looked for.
 */
export async function saidWithoutProject(args: readonly string[]): Promise<string> {
  const { stderr } = await runPgtally(args, { cwd: temporaryFolder() });
  return stderr;
}

/** What `check` finds in a project. */
export async function problemsOf(cwd: string, env: Environment, configPath?: string): Promise<readonly Problem[]> {
  return (await openProject({ cwd, env, ...(configPath === undefined ? {} : { configPath }) })).problems;
}
