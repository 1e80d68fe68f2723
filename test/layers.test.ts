// Holds the structure of src/: layers point one way, each dependency has one owner, no import cycles, no giant files.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const SOURCE = path.resolve('src');

/** From the top; a layer may import itself and what stands below it (design 14). */
const LAYERS = [
  'bin.ts',
  'program.ts',
  'cli',
  'daemon',
  'status',
  'publish',
  'ingest',
  'ledger',
  'project',
  'schedule',
  'postgres',
  'kafka',
  'sql',
  'config',
  'launch',
  'model',
];

const OWNERS: Readonly<Record<string, string>> = {
  commander: 'cli',
  picocolors: 'cli',
  'node-cron': 'schedule',
  postgres: 'postgres',
  kafkajs: 'kafka',
  'libpg-query': 'sql',
  yaml: 'config',
  'prom-client': 'status',
  pino: 'daemon',
};

/** Side by side on purpose: neither may know the other though one is printed above the other. */
const STRANGERS: readonly (readonly [string, string])[] = [
  ['schedule', 'postgres'],
  ['schedule', 'kafka'],
  ['postgres', 'kafka'],
  ['sql', 'config'],
  ['publish', 'ingest'],
];

interface Import {
  readonly file: string;
  readonly target: string;
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(path.join(SOURCE, file), 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|require(?:\.resolve)?\(\s*['"]([^'"]+)['"]\s*\)/g,
  );
  return [...found].map((match) => ({ file, target: match[1] ?? match[2] ?? match[3] ?? '' }));
});
const layerOf = (file: string): string => file.split('/')[0] ?? '';
const resolved = (item: Import): string => path.join(path.dirname(item.file), item.target);
const internal = imports.filter((item) => item.target.startsWith('.') && item.target.endsWith('.ts'));
const external = imports.filter(
  (item) => !item.target.startsWith('.') && !item.target.startsWith('node:') && !builtinModules.includes(item.target),
);

describe('structure', () => {
  test('there is something to check', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(internal.length).toBeGreaterThan(50);
    expect(external.length).toBeGreaterThan(3);
  });

  test('every file lives in a known layer', () => {
    expect(files.filter((file) => !LAYERS.includes(layerOf(file)))).toEqual([]);
  });

  test('imports point down only', () => {
    const upward = internal.filter(
      (item) => LAYERS.indexOf(layerOf(resolved(item))) < LAYERS.indexOf(layerOf(item.file)),
    );
    expect(upward.map((item) => `${item.file} -> ${item.target}`)).toEqual([]);
  });

  test('layers that stand side by side do not know each other', () => {
    const breaches = internal.filter((item) => {
      const [from, to] = [layerOf(item.file), layerOf(resolved(item))];
      return STRANGERS.some(([a, b]) => (from === a && to === b) || (from === b && to === a));
    });
    expect(breaches.map((item) => `${item.file} -> ${item.target}`)).toEqual([]);
  });

  test('a dependency is imported by its owner only', () => {
    const packageOf = (target: string): string =>
      target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/');
    const wrong = external.filter((item) => OWNERS[packageOf(item.target)] !== layerOf(item.file));
    expect(wrong.map((item) => `${item.file} -> ${item.target}`)).toEqual([]);
  });

  test('every dependency has an owner and a line in docs/dependencies.md', () => {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const notes = readFileSync('docs/dependencies.md', 'utf8');
    expect(Object.keys(dependencies).filter((name) => !OWNERS[name])).toEqual([]);
    expect(Object.keys(dependencies).filter((name) => !notes.includes(`\`${name}\``))).toEqual([]);
  });

  test('there are no import cycles', () => {
    const graph = new Map<string, string[]>();
    for (const item of internal) graph.set(item.file, [...(graph.get(item.file) ?? []), resolved(item)]);
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, trail: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
      state.set(file, 'done');
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test('a file can be read in one sitting', () => {
    const long = files.filter((file) => readFileSync(path.join(SOURCE, file), 'utf8').split('\n').length > 300);
    expect(long).toEqual([]);
  });
});
