// What vitest does once before all test files: compile the command and offer the shared servers.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { REPOSITORY } from './repository.ts';
import { serveSharedServers } from './shared-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    sharedServersPort: number;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await serveSharedServers();
  project.provide('sharedServersPort', servers.port);
  await compileCommand();
  return () => servers.stop();
}

async function compileCommand(): Promise<void> {
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
