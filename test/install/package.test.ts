// What `npm install pgtally` gives: the files of the package, and the first commands of a user, with a real Kafka and a
// real Postgres. Only production dependencies are there.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testProject } from '../cli/project.ts';
import { freshTopic, kafkaBootstrap, readTopic } from '../stack/for-tests.ts';
import { type InstalledPackage, installPacked } from './packed.ts';

const run = promisify(execFile);
let installed: InstalledPackage;

beforeAll(async () => {
  installed = await installPacked();
}, 120_000);
afterAll(() => installed?.remove());

test('the package holds the command, its pages and its schemas, and nothing else', () => {
  const { files, packedSize, unpackedSize } = installed;
  expect(files).toEqual(
    expect.arrayContaining(['LICENSE', 'README.md', 'dist/bin.js', 'docs/reference.md', 'package.json']),
  );
  for (const kind of ['job', 'project', 'servers']) expect(files).toContain(`schema/${kind}.schema.json`);
  const allowed =
    /^(dist\/|docs\/[\w./-]+\.(md|png)$|schema\/\w+\.schema\.json$|deploy\/|LICENSE$|README\.md$|package\.json$)/;
  expect(files.filter((file) => !allowed.test(file))).toEqual([]);
  expect(files.filter((file) => /test|\.cache|\.tgz$|\.ts$|(^|\/)\.|node_modules|~$/.test(file))).toEqual([]);
  expect(packedSize).toBeLessThan(1_500_000);
  expect(unpackedSize).toBeLessThan(4_000_000);
});

test('every link between the pages of the package leads to a file of it', () => {
  const root = path.join(installed.folder, 'node_modules', 'pgtally');
  const pages = installed.files.filter((file) => file.endsWith('.md'));
  const missing = pages.flatMap((page) => {
    const targets = [...readFileSync(path.join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)];
    return targets
      .map(([, target = '']) => path.posix.normalize(path.posix.join(path.posix.dirname(page), target)))
      .filter((target) => !existsInPackage(target, installed.files) && !INTENDED_FOR_THE_REPOSITORY.test(target))
      .map((target) => `${page} -> ${target}`);
  });
  expect(missing).toEqual([]);
});

/** Folders that are read in the repository: the demo's jobs, the measurements, and the tests that hold a promise. */
const INTENDED_FOR_THE_REPOSITORY = /^(jobs|bench|test|demo|src|deploy|Dockerfile|docker-compose\.yml)(\/|$)/;

function existsInPackage(target: string, files: readonly string[]): boolean {
  return files.some((file) => file === target || file.startsWith(target.replace(/\/?$/, '/')));
}

test('publint finds nothing wrong with it', async () => {
  const { messages, pkg } = await publint({
    pkgDir: path.join(installed.folder, 'node_modules', 'pgtally'),
    pack: false,
    strict: true,
  });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('only what it needs to run is installed', () => {
  const modules = readdirSync(path.join(installed.folder, 'node_modules')).filter((name) => !name.startsWith('.'));
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  for (const name of Object.keys(dependencies)) expect(modules).toContain(name.split('/')[0]);
  const development = Object.keys(devDependencies).map((name) => name.split('/')[0]);
  expect(modules.filter((name) => development.includes(name))).toEqual([]);
});

test('init, check, topics create, run and tail work from an empty folder', { timeout: 120_000 }, async () => {
  const project = await testProject({ jobs: {} });
  const pgtally = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(installed.executable, args, { cwd: path.join(project.folder, 'metrics') });
    return stdout;
  };
  await run(installed.executable, ['init', 'metrics'], { cwd: project.folder });
  const file = path.join(project.folder, 'metrics', 'pgtally.yaml');
  const job = path.join(project.folder, 'metrics', 'jobs', 'database-sizes.yaml');
  await pgtally('check');
  writeFileSync(
    file,
    readFileSync(file, 'utf8')
      .replace(/brokers: .*/, `brokers: ["${await kafkaBootstrap()}"]`)
      .replace(/url: .*/, `url: ${project.database.url()}`),
  );
  const topic = await freshTopic();
  writeFileSync(job, readFileSync(job, 'utf8').replace('DATABASE_SIZES', topic));
  await pgtally('check', '--servers');
  await pgtally('topics', 'create');
  const [outcome] = (await pgtally('run', 'database-sizes', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(outcome).toMatchObject({ job: 'database-sizes', server: 'local', outcome: 'published' });
  const records = await readTopic(topic);
  expect(records).toHaveLength(outcome.rows);
  expect(records.map(({ key }) => key?.toString())).toContain(project.database.name);
  expect((await pgtally('tail', topic, '--from', 'beginning', '--exit')).trim().split('\n')).toHaveLength(outcome.rows);
});
