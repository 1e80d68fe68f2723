// A project of its own for a test: a folder with pgtally.yaml and jobs, on the run's Kafka and a fresh database.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { freshDatabase, kafkaBootstrap, type TestDatabase } from '../stack/for-tests.ts';
import {
  type CommandOptions,
  type CommandResult,
  type RunningCommand,
  runPgtally,
  startPgtally,
} from '../stack/run-pgtally.ts';

export interface TestProject {
  readonly folder: string;
  readonly database: TestDatabase;
  write(file: string, text: string): void;
  pgtally(...args: string[]): Promise<CommandResult>;
  start(...args: string[]): RunningCommand;
}

export interface ProjectOptions {
  /** How many servers, at 127.0.0.1, .2 …; each is named s1, s2 … and has the labels {role: shard, n: "<n>"}. */
  readonly servers?: number;
  readonly jobs: Readonly<Record<string, string>>;
  /** More lines for pgtally.yaml. */
  readonly settings?: string;
  readonly brokers?: string;
  /** More items of `servers`. */
  readonly moreServers?: string;
  readonly command?: CommandOptions;
  /** Takes what ends the project. Default: it is done when the test ends. */
  readonly atEnd?: (end: () => Promise<void>) => void;
}

/** The folder and the database are gone at the end, and so are commands it started. */
export async function testProject(options: ProjectOptions): Promise<TestProject> {
  const database = await freshDatabase();
  const folder = mkdtempSync(path.join(tmpdir(), 'pgtally-test-'));
  const running = new Set<RunningCommand>();
  (options.atEnd ?? onTestFinished)(async () => {
    await Promise.all([...running].map((command) => command.stop('SIGKILL')));
    rmSync(folder, { recursive: true, force: true });
    await database.drop();
  });
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  const servers = Array.from(
    { length: options.servers ?? 1 },
    (_, index) =>
      `  - name: s${index + 1}\n    url: ${database.url(`127.0.0.${index + 1}`)}\n    labels: {role: shard, n: "${index + 1}"}\n`,
  );
  // Test files run side by side: each daemon listens where there is room.
  const status = /^status:/m.test(options.settings ?? '') ? '' : 'status: {listen: "127.0.0.1:0"}\n';
  write(
    'pgtally.yaml',
    `kafka:\n  brokers: ["${options.brokers ?? (await kafkaBootstrap())}"]\nledger: {topic: ledger-${randomBytes(6).toString('hex')}}\n${status}${options.settings ?? ''}servers:\n${servers.join('')}${options.moreServers ?? ''}`,
  );
  for (const [name, text] of Object.entries(options.jobs)) write(`jobs/${name}`, text);
  return {
    folder,
    database,
    write,
    pgtally: (...args) => runPgtally(args, { ...options.command, cwd: folder }),
    start(...args) {
      const command = startPgtally(args, { ...options.command, cwd: folder });
      running.add(command);
      return command;
    },
  };
}

/** Each line of a command's output as JSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
