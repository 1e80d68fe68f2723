// Every example in README and docs/ is right: YAML is loaded and checked as a user's file would be, commands are really run.
// The fragments in the reference page are generated, and loaded field by field in test/config.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openProject } from '../src/project/open-project.ts';
import { testProject } from './cli/project.ts';
import { kafkaBootstrap } from './stack/for-tests.ts';

interface Fence {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const pages = ['README.md', 'bench/README.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (file) => file.endsWith('.md') && file !== 'docs/reference.md',
);
const fences: Fence[] = pages.flatMap((file) => {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length,
    language: match[1] ?? '',
    text: match[2] ?? '',
  }));
});
const SERVERS = `  - {name: warehouse, url: "postgres://u@127.0.0.1/a", labels: {role: warehouse}}
  - {name: shard-1, url: "postgres://u@127.0.0.1/b", labels: {role: shard, region: eu}}
  - {name: edge-1, url: "postgres://u@127.0.0.1/c", labels: {role: edge}}
`;

describe('examples', () => {
  test('there are some', () => {
    expect(fences.filter(({ language }) => language === 'yaml').length).toBeGreaterThan(0);
    expect(fences.filter(({ language }) => language === 'sh').length).toBeGreaterThan(0);
  });

  for (const { file, line, text } of fences.filter(({ language }) => language === 'yaml')) {
    test(`the YAML at ${file}:${line} passes check`, async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'pgtally-docs-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      mkdirSync(path.join(folder, 'jobs'));
      const isJob = /^(query|ingest):/m.test(text);
      const rest = isJob ? `kafka: {brokers: ["localhost:9092"]}\nservers:\n${SERVERS}` : text;
      const whole = /^kafka:/m.test(rest) ? rest : `kafka: {brokers: ["localhost:9092"]}\n${rest}`;
      writeFileSync(
        path.join(folder, 'pgtally.yaml'),
        /^servers:/m.test(whole) ? whole : `${whole}servers:\n${SERVERS}`,
      );
      if (isJob) writeFileSync(path.join(folder, 'jobs', 'example.yaml'), text);
      const { problems } = await openProject({
        cwd: folder,
        env: { SHARD_PASSWORD: 'x', KAFKA_PASSWORD: 'x', PGTALLY_TOKEN: 'x' },
      });
      expect(problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
    });
  }

  test('every command that is shown can be typed', async () => {
    const project = await testProject({ jobs: {} });
    const shown = fences
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.split('\n'))
      .map((line) => line.replace(/\s#.*/, '').trim())
      .filter((line) => line.startsWith('pgtally '));
    expect(shown.length).toBeGreaterThan(8);
    for (const line of new Set(shown)) {
      const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '').slice(1);
      // With a project that is not there, only a wrong command line is refused before it is looked for.
      const { stderr } = await project.pgtally(...args, '-c', 'nowhere/pgtally.yaml');
      if (args[0] !== 'init') expect([line, stderr]).toEqual([line, expect.stringContaining('nowhere/pgtally.yaml')]);
    }
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
