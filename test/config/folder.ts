// Projects for these tests: files in a folder of their own, loaded with an environment of their own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { formatProblems } from '../../src/config/frame.ts';
import { type Loaded, loadProject } from '../../src/config/load.ts';
import type { Project } from '../../src/model/project.ts';

export type Files = Readonly<Record<string, string>>;
export type Env = Readonly<Record<string, string | undefined>>;

/** The smallest pgtally.yaml: one broker, one server. */
export const CONFIG = `kafka: {brokers: [localhost:9092]}
servers:
  - name: shard-1
    url: postgres://pgtally@10.0.0.1/app
    labels: {role: shard, region: eu}
  - name: warehouse
    url: postgres://pgtally@10.0.0.9/app
    labels: {role: warehouse, region: us}
`;

/** The smallest job. */
export const JOB = `query: select 1 as one
topic: T
`;

/** A folder with these files, removed after the test. `pgtally.yaml` is the smallest one unless it is among them. */
export function writeFiles(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgtally-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ 'pgtally.yaml': CONFIG, ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

export function load(files: Files, env: Env = {}): Loaded {
  return loadProject({ cwd: writeFiles(files), env });
}

/** The project of files that are right. */
export function loadRight(files: Files, env: Env = {}): Project {
  const { project, problems } = load(files, env);
  if (!project) throw new Error(formatProblems(problems, { color: false }));
  return project;
}

/** What is printed for these files. */
export function messages(files: Files, env: Env = {}): string {
  return formatProblems(load(files, env).problems, { color: false });
}

/** What is printed for one job file. */
export function jobMessages(job: string): string {
  return messages({ 'jobs/a.yaml': job });
}
