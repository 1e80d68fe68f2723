// Every example in README and docs/ is right by itself: YAML is loaded and checked as a user's file would be, commands can be
// typed, README's are run. Pages that are walked from top to bottom are in pages.test.ts.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DDL, grants } from '../../src/ingest/offsets-table.ts';
import { openProject } from '../../src/project/open-project.ts';
import { testProject } from '../cli/project.ts';
import { kafkaBootstrap } from '../stack/for-tests.ts';
import { commandsOf, type Fence, fencesOf, PAGES, reasonNotToRun, WALKED, wordsOf } from './fences.ts';

const fences = PAGES.flatMap(fencesOf);
const SERVERS = `  - {name: warehouse, url: "postgres://u@127.0.0.1/a", labels: {role: warehouse}}
  - {name: shard-1, url: "postgres://u@127.0.0.1/b", labels: {role: shard, region: eu}}
  - {name: edge-1, url: "postgres://u@127.0.0.1/c", labels: {role: edge}}
`;

/** How a user gets to a project of their own: the package test does the same. */
const README_SETS_UP = /^(npm install --global pgtally|cd metrics)$/;

describe('examples', () => {
  test('there are some', () => {
    expect(fences.filter(({ language }) => language === 'yaml').length).toBeGreaterThan(0);
    expect(fences.filter(({ language }) => language === 'sh').length).toBeGreaterThan(0);
  });

  const isFragment = ({ file, language, info }: Fence): boolean =>
    language === 'yaml' && (info === '' || !WALKED.includes(file));
  for (const { file, line, text } of fences.filter(isFragment)) {
    test(`the YAML at ${file}:${line} passes check`, async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'pgtally-docs-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      mkdirSync(path.join(folder, 'jobs'));
      const isJob = /^(query|ingest):/m.test(text);
      const isServerFile = text.startsWith('- ');
      if (isServerFile) writeFileSync(path.join(folder, 'servers.yaml'), text);
      const rest = isJob
        ? `kafka: {brokers: ["localhost:9092"]}\nservers:\n${SERVERS}`
        : isServerFile
          ? 'servers: [{include: servers.yaml}]\n'
          : text;
      const whole = /^kafka:/m.test(rest) ? rest : `kafka: {brokers: ["localhost:9092"]}\n${rest}`;
      writeFileSync(
        path.join(folder, 'pgtally.yaml'),
        /^servers:/m.test(whole) ? whole : `${whole}servers:\n${SERVERS}`,
      );
      if (isJob) writeFileSync(path.join(folder, 'jobs', 'example.yaml'), text);
      const { problems } = await openProject({
        cwd: folder,
        env: Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, 'x'])),
      });
      expect(problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
    });
  }

  test('every command that is shown can be typed', async () => {
    const project = await testProject({ jobs: {} });
    const shown = fences
      .filter(({ language }) => language === 'sh')
      .flatMap(commandsOf)
      .filter((line) => line.startsWith('pgtally '));
    expect(shown.length).toBeGreaterThan(8);
    const lines = [...new Set(shown)];
    const typed = async (): Promise<void> => {
      for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        const args = wordsOf(line.replace(/ [|>].*/, '')).slice(1);
        // With a project that is not there, only a wrong command line is refused before it is looked for.
        const { stderr } = await project.pgtally(...args, '-c', 'nowhere/pgtally.yaml');
        if (args[0] !== 'init') expect([line, stderr]).toEqual([line, expect.stringContaining('nowhere/pgtally.yaml')]);
      }
    };
    await Promise.all([typed(), typed()]);
  }, 60_000);

  test('what is not run says why, and npm is given scripts that are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    for (const fence of fences.filter(({ language }) => language === 'sh')) {
      const place = `${fence.file}:${fence.line}`;
      expect([place, reasonNotToRun(fence)]).not.toEqual([place, '']);
      if (reasonNotToRun(fence) !== undefined) continue;
      for (const line of commandsOf(fence)) {
        const script = /^npm (?:run )?([\w:]+)/.exec(line)?.[1] ?? '';
        expect([place, line, line.startsWith('pgtally ') || README_SETS_UP.test(line) || script in scripts]).toEqual([
          place,
          line,
          true,
        ]);
      }
    }
  });

  test('every link to a file or a heading leads somewhere', () => {
    const anchors = new Map(PAGES.concat('docs/reference.md').map((page) => [page, anchorsOf(page)]));
    const broken = PAGES.flatMap((page) => {
      const links = readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g);
      return [...links].flatMap(([, file = '', anchor]) => {
        const target = file === '' ? page : path.normalize(path.join(path.dirname(page), file));
        const there = existsSync(target) && (anchor === undefined || anchors.get(target)?.has(anchor) === true);
        return there ? [] : [`${page} -> ${file}${anchor === undefined ? '' : `#${anchor}`}`];
      });
    });
    expect(broken).toEqual([]);
  });

  test('SQL stands on pages that are walked, where it is run', () => {
    const unwalked = fences.filter(({ language, file }) => language === 'sql' && !WALKED.includes(file));
    expect(unwalked.filter((fence) => !reasonNotToRun(fence)).map(({ file, line }) => `${file}:${line}`)).toEqual([]);
  });

  test('operations.md explains every class of failure', () => {
    const [, union = ''] = /export type FailureKind =([^;]+);/.exec(readFileSync('src/model/failure.ts', 'utf8')) ?? [];
    const kinds = [...union.matchAll(/^\s*\| '(\w+)'/gm)].map(([, kind]) => kind);
    const rows = readFileSync('docs/operations.md', 'utf8').split('## What each error means')[1] ?? '';
    expect([...rows.matchAll(/^\| `(\w+)`/gm)].map(([, kind]) => kind)).toEqual(kinds);
  });

  test('the tables that the owner makes for ingest are those that a run would make', () => {
    const page = readFileSync('docs/least-privilege.md', 'utf8');
    expect(page).toContain(DDL);
    for (const grant of grants('pgtally_ingest').split('\n')) expect(page).toContain(grant);
  });

  test("README's five minutes work as they are typed", async () => {
    const guide = fences.find(({ file, text }) => file === 'README.md' && text.includes('pgtally init'));
    const commands = (guide?.text ?? '')
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line.startsWith('pgtally '))
      .map((line) => line.split(/\s+/).slice(1));
    expect(commands.map(([name]) => name)).toEqual(['init', 'check', 'check', 'run', 'topics', 'run', 'tail', 'start']);
    const project = await testProject({ jobs: {} });
    for (const [index, args] of commands.entries()) {
      const inFolder = index === 0 ? args : ['-c', 'metrics/pgtally.yaml', ...args];
      if (args[0] === 'start') {
        const daemon = project.start(...inFolder);
        await daemon.waitFor(/"msg":"registered"/, 20_000);
        expect((await daemon.stop()).code).toBe(0);
        continue;
      }
      const result = await project.pgtally(...inFolder);
      expect([args, result.stderr, result.code]).toEqual([args, result.stderr, 0]);
      if (args[0] === 'init') {
        const file = path.join(project.folder, 'metrics', 'pgtally.yaml');
        const edited = readFileSync(file, 'utf8')
          .replace(/brokers: .*/, `brokers: ["${await kafkaBootstrap()}"]`)
          .replace(/url: .*/, `url: ${project.database.url()}`);
        writeFileSync(file, `${edited}status: {listen: "127.0.0.1:0"}\n`);
      }
      if (args[0] === 'tail') expect(result.stdout).toContain('"topic":"DATABASE_SIZES"');
    }
  }, 120_000);
});

/** What GitHub makes of the headings: small letters, without punctuation, a dash for each space. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}
