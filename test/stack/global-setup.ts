// What vitest does once before all test files: compile the command and offer the shared servers.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { keepFilesInMemory } from './guard.ts';
import { REPOSITORY } from './repository.ts';
import { serveSharedServers } from './shared-servers.ts';
import { newRunMark } from './unique-names.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    sharedServersPort: number;
    runMark: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  keepFilesInMemory();
  const runMark = newRunMark();
  project.provide('runMark', runMark);
  const servers = await serveSharedServers(runMark);
  project.provide('sharedServersPort', servers.port);
  await compileCommand();
  return () => servers.stop();
}

async function compileCommand(): Promise<void> {
  if (isUpToDate()) return;
  const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: REPOSITORY });
  } catch (error) {
    // tsc emits in spite of type errors, which the type check of `npm test` reports; tests of other parts may run.
    const lines = ((error as { stdout?: string }).stdout ?? String(error)).trimEnd().split('\n');
    const more = lines.length > 1 ? ` (and ${lines.length - 1} more lines)` : '';
    process.stderr.write(`warning: the command was compiled with type errors: ${lines[0]}${more}\n`);
  }
}

/** Whether dist/ is newer than every source: test runs side by side then leave each other's command alone. */
function isUpToDate(): boolean {
  const built = join(REPOSITORY, 'dist', 'bin.js');
  if (!existsSync(built)) return false;
  const source = join(REPOSITORY, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).map((name) => join(source, name));
  const compiled = statSync(built).mtimeMs;
  return files.every((file) => statSync(file).mtimeMs < compiled);
}
