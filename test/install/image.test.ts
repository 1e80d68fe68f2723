// The Dockerfile against what it names: files, the command, the status page. Nothing is built (that needs a container engine),
// but what the image would hold is put together from the packed package, and run as the image would run it: by a user without
// rights, from a folder that cannot be written.
import { type ExecFileException, execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROBE_PATHS, STATUS_PORT, temporaryFolder, writeFiles } from './deployment.ts';
import { type InstalledPackage, installPacked } from './packed.ts';

interface Instruction {
  readonly name: string;
  readonly rest: string;
  /** The stage it stands in: 0 builds, 1 is the image. */
  readonly stage: number;
}

const instructions = readDockerfile();
const image = instructions.filter(({ stage }) => stage === 1);
let installed: InstalledPackage;

beforeAll(async () => {
  installed = await installPacked();
}, 120_000);
afterAll(() => installed?.remove());

test('every file that is copied is there, and not kept from the build by .dockerignore', () => {
  const allowed = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .flatMap((line) => line.match(/^!(.+)/)?.[1] ?? []);
  const sources = instructions
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
  expect(sources.length).toBeGreaterThan(4);
  expect(sources.filter((source) => !existsSync(source))).toEqual([]);
  expect(sources.filter((source) => !allowed.includes(source))).toEqual([]);
});

test('what the build runs are scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const run = instructions
    .filter(({ name }) => name === 'RUN')
    .flatMap(({ rest }) => [...rest.matchAll(/npm run (\S+)/g)]);
  expect(run.map(([, script]) => script)).toEqual(['build']);
  expect(Object.keys(scripts)).toContain('build');
});

test('its Node is one that the package is for, the same in both stages', () => {
  const bases = instructions.filter(({ name }) => name === 'FROM').map(({ rest }) => rest.split(/\s+/)[0]);
  expect(new Set(bases).size).toBe(1);
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
  const major = Number(/^node:(\d+)-slim$/.exec(bases[0] ?? '')?.[1]);
  expect(major).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
});

test('it runs as a user by number, who is not root, exposes the status page and asks it for its health', () => {
  expect(value('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(Number(value('EXPOSE'))).toBe(STATUS_PORT);
  const asked = /'http:\/\/127\.0\.0\.1:(\d+)(\/\w+)'/.exec(value('HEALTHCHECK'));
  expect(Number(asked?.[1])).toBe(STATUS_PORT);
  expect(asked?.[2]).toBe('/healthz');
  expect(PROBE_PATHS).toContain(asked?.[2]);
});

test('what it would hold works for a user without rights, in folders that cannot be written', {
  timeout: 60_000,
}, async () => {
  const root = temporaryFolder();
  chmodSync(root, 0o755);
  const place = (file: string): string => path.join(root, file);
  for (const { rest } of image.filter(({ name }) => name === 'COPY')) {
    const [source = '', target = ''] = rest.replace(/^--from=build\s+/, '').split(/\s+/);
    const into = target.endsWith('/') ? path.join(target, path.basename(source)) : target;
    mkdirSync(path.dirname(place(into)), { recursive: true });
    cpSync(builtSource(source), place(into), { recursive: true });
  }
  const project = value('WORKDIR');
  writeFiles(place(project), {
    'pgtally.yaml': 'kafka: {brokers: ["127.0.0.1:1"]}\nservers: [{name: a, url: "postgres://u@127.0.0.1:1/a"}]\n',
    'jobs/one.yaml': 'query: select 1 as one\ntopic: ONE\n',
  });
  makeReadOnly(root);
  const [node, script = ''] = JSON.parse(value('ENTRYPOINT')) as string[];
  expect(node).toBe('node');
  const pgtally = (...args: string[]) => runUnprivileged(place(script), args, place(project));
  expect(await pgtally('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  expect(await pgtally('check')).toMatchObject({ code: 0 });
  expect(await pgtally('run', 'one')).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:1') });
  expect(sizeOf(place('/app'))).toBeLessThan(40_000_000);
});

/** Where a file of the build stage lies after `npm install` of the packed package; it has no `schema` of its own. */
function builtSource(source: string): string {
  const inPackage = path.join(installed.folder, 'node_modules', 'pgtally');
  if (source === '/app/node_modules') return path.join(installed.folder, 'node_modules');
  return path.join(inPackage, source.replace(/^\/app\//, ''));
}

function runUnprivileged(
  script: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [uid, gid] = value('USER').split(':').map(Number);
  const user = process.getuid?.() === 0 ? { uid, gid } : {};
  return new Promise((resolve) => {
    const options = { cwd, ...user, env: { PATH: process.env.PATH, NODE_ENV: 'production' } };
    execFile(process.execPath, [script, ...args], options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}

function makeReadOnly(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) makeReadOnly(file);
    else chmodSync(file, 0o444);
  }
  chmodSync(folder, 0o555);
}

function sizeOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.reduce((total, entry) => total + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

/** The argument of an instruction of the image that stands there once. */
function value(name: string): string {
  const found = image.filter((instruction) => instruction.name === name);
  expect([name, found.length]).toEqual([name, 1]);
  return found[0]?.rest ?? '';
}

function readDockerfile(): Instruction[] {
  let stage = -1;
  return readFileSync('Dockerfile', 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      if (name === 'FROM') stage++;
      return { name, rest, stage };
    });
}
