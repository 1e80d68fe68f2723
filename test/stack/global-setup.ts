// What vitest does once before all test files: build the command and offer the shared servers.

import type { TestProject } from 'vitest/node';
import { buildCommand, copyCommand } from './command.ts';
import { keepFilesInMemory } from './guard.ts';
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
  await buildCommand();
  // In the environment, for run-pgtally.ts: threads and child processes inherit it.
  process.env.PGTALLY_TEST_COMMAND = copyCommand();
  return () => servers.stop();
}
