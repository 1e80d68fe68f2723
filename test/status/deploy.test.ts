// What deploy/ and docs/monitoring.md say of metrics is what a real daemon exports.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { testProject } from '../cli/project.ts';
import { freshTopic } from '../stack/for-tests.ts';
import { runPgtally } from '../stack/run-pgtally.ts';
import { addressOf, metrics, until } from './ask.ts';
import type { Exposition } from './prometheus.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
  readonly panels?: readonly Panel[];
}

const dashboard = JSON.parse(readFileSync('deploy/grafana/pgtally.json', 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const rules = (
  parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const page = readFileSync('docs/monitoring.md', 'utf8');
const documented = new Map(
  [...page.matchAll(/^\| `(\w+)` +\| ([\w, ]*?) *\|/gm)].map(([, name = '', labels = '']) => [
    name,
    labels.split(', ').filter(Boolean),
  ]),
);

/** By metric, the labels of its series; a histogram's by the names of its series. */
let exported: ReadonlyMap<string, ReadonlySet<string>>;
let families: Exposition['families'];

beforeAll(async () => {
  const [topic, source] = [await freshTopic(), await freshTopic()];
  const ended: (() => Promise<void>)[] = [];
  const project = await testProject({
    servers: 1,
    atEnd: (end) => ended.push(end),
    jobs: {
      'out.yaml': `schedule: "* * * * * *"\ntopic: ${topic}\nquery: select 1 as one\n`,
      'in.yaml': `stream: true\ningest: {topic: ${source}, into: main, columns: {n: "value::int"}}\n`,
    },
  });
  await project.database.sql('create table main (n int)');
  const produced = await runPgtally(['produce', source], { cwd: project.folder, stdin: '1\n2\n3\n4\n5\n' });
  expect(produced.code).toBe(0);
  const daemon = project.start('start', '--log', 'json');
  const seen = await until(
    () => addressOf(daemon).then(metrics),
    (now) =>
      (now.value('pgtally_runs_total', { job: 'out', outcome: 'published' }) ?? 0) > 0 &&
      now.value('pgtally_ingest_lag', { job: 'in' }) === 0 &&
      now.value('pgtally_rows_total', { job: 'in' }) === 5,
  );
  await daemon.stop();
  for (const end of ended) await end();
  const labels = new Map<string, Set<string>>();
  for (const series of seen.series) {
    const known = labels.get(series.name) ?? new Set();
    for (const label of Object.keys(series.labels)) known.add(label);
    labels.set(series.name, known);
  }
  exported = labels;
  families = seen.families;
}, 60_000);

/** What an expression of PromQL asks for and a daemon does not export. `scraped`: labels that Prometheus adds. */
function unknownIn(expression: string, scraped = ['instance']): string[] {
  // Texts may hold anything, and are no names.
  const text = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const problems: string[] = [];
  const names = new Set<string>();
  for (const [, name = '', matchers = ''] of text.matchAll(/\b((?:pgtally|process)_\w+)(?:\{([^}]*)\})?/g)) {
    const labels = exported.get(name);
    if (!labels) problems.push(`no metric ${name}`);
    names.add(name);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (!labels?.has(label) && !scraped.includes(label)) problems.push(`${name} has no label ${label}`);
    }
  }
  if (names.size === 0) problems.push('no metric at all');
  const all = new Set([...names].flatMap((name) => [...(exported.get(name) ?? [])]));
  for (const [, list = ''] of text.matchAll(/\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(',').map((one) => one.trim())) {
      if (label !== '' && !all.has(label) && !scraped.includes(label)) problems.push(`no label ${label}`);
    }
  }
  return problems.map((problem) => `${problem}: ${expression}`);
}

describe('metrics', () => {
  test('are each described in docs/monitoring.md with their labels, and no others are', () => {
    expect([...documented.keys()].toSorted()).toEqual([...families.keys()].toSorted());
    for (const [name, labels] of documented) {
      const really = exported.get(families.get(name)?.type === 'histogram' ? `${name}_sum` : name);
      expect([name, [...(really ?? [])].toSorted()]).toEqual([name, labels.toSorted()]);
    }
  });

  test('each has a help text and the unit its name promises', () => {
    for (const [name, { type, help }] of families) {
      expect([name, help]).toEqual([name, expect.stringMatching(/^.{3,}\.$/)]);
      expect([name, type === 'counter']).toEqual([name, name.endsWith('_total')]);
    }
  });
});

describe('deploy/', () => {
  test('the check of expressions finds what is not exported', () => {
    expect(unknownIn('sum by (jop) (rate(pgtally_runs_total{outcom="failed"}[5m])) > pgtally_none')).toHaveLength(3);
  });

  test('the dashboard asks only for what is exported, in its panels and its variables', () => {
    const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
    const expressions = panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(25);
    expect(expressions.flatMap((expression) => unknownIn(expression))).toEqual([]);
    for (const { name, definition } of dashboard.templating.list) {
      if (definition === undefined) continue;
      const [, query = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      expect(unknownIn(`sum by (${label}) (${query})`)).toEqual([]);
      const used = expressions.some((expression) => expression.includes(`$${name}`));
      expect([name, used]).toEqual([name, true]);
    }
  });

  test('the dashboard shows every metric', () => {
    const text = JSON.stringify(dashboard);
    expect([...families.keys()].filter((name) => !text.includes(name))).toEqual([]);
  });

  test('the alerts ask only for what is exported, and say which labels they keep', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.flatMap(({ expr }) => unknownIn(expr))).toEqual([]);
    for (const { alert, annotations, expr } of rules) {
      for (const [, label = ''] of JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)) {
        const kept = label === 'instance' || new RegExp(`by \\([^)]*\\b${label}\\b`).test(expr);
        expect([alert, label, kept]).toEqual([alert, label, true]);
      }
    }
  });

  test('each alert has a severity, a summary, a description and a section of the page', () => {
    const headings = new Set([...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name));
    for (const { alert, labels, annotations } of rules) {
      expect([alert, labels.severity]).toEqual([alert, expect.stringMatching(/^(critical|warning)$/)]);
      expect([alert, annotations.summary, annotations.description]).toEqual([
        alert,
        expect.stringMatching(/.{10}/),
        expect.stringMatching(/.{10}/),
      ]);
      expect([alert, annotations.runbook_url]).toEqual([alert, `docs/monitoring.md#${alert.toLowerCase()}`]);
      expect([alert, headings.has(alert)]).toEqual([alert, true]);
    }
    expect(headings.size).toBe(rules.length);
  });

  test('the rules fire as their own tests say, where Prometheus is installed', async ({ skip }) => {
    const run = promisify(execFile);
    const found = await run('promtool', ['--version']).catch(() => undefined);
    if (!found) skip('there is no promtool');
    const { stdout } = await run('promtool', ['test', 'rules', 'deploy/prometheus/alerts.test.yml']);
    expect(stdout).toContain('SUCCESS');
  });
});
