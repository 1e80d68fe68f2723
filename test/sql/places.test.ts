import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { formatProblem } from '../../src/config/frame.ts';
import { loadProject } from '../../src/config/load.ts';
import type { PublishJob } from '../../src/model/project.ts';
import { checkJobSql } from '../../src/sql/job-sql.ts';
import { loadParser } from '../../src/sql/parser.ts';
import { VALUES } from './jobs.ts';

beforeAll(loadParser);

const CONFIG = 'kafka: {brokers: [localhost:9092]}\nservers: [{name: s, url: "postgres://p@localhost/app"}]\n';

/** The job of a file as config reads it. */
function readJob(yaml: string): PublishJob {
  const cwd = mkdtempSync(join(tmpdir(), 'pgtally-sql-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  mkdirSync(join(cwd, 'jobs'));
  writeFileSync(join(cwd, 'pgtally.yaml'), CONFIG);
  writeFileSync(join(cwd, 'jobs/a.yaml'), yaml);
  const { jobs, problems } = loadProject({ cwd, env: {} });
  const [job] = jobs;
  if (job?.kind !== 'publish') throw new Error(JSON.stringify(problems.map(({ message }) => message)));
  return job;
}

function messages(yaml: string): string[] {
  const { problems } = checkJobSql(readJob(yaml));
  return problems.map((problem) => formatProblem(problem, { color: false }).replace(/^.*?a\.yaml:/, ''));
}

test('in a block scalar the line and column are those of the file', () => {
  const yaml = "topic: T\nquery: |\n  select 'é😀' as a,\n    b frm t\n  where c = 1\n";
  expect(messages(yaml)).toEqual(['4:11: error: syntax error at or near `t`\n      b frm t\n            ^']);
});

test('a whole clause is marked', () => {
  const frame = '    for update\n    ^^^^^^^^^^';
  expect(messages('topic: T\nquery: |\n  select a\n  from t\n  for update\n')).toEqual([
    `5:3: error: \`for update\` locks rows: a job only reads\n${frame}\nhint: remove the \`for update\``,
  ]);
});

test.each([
  ['a folded scalar', 'topic: T\nquery: >\n  select a\n  from t where\n  $1 = b\n', '5:3'],
  [
    'a block scalar with an indentation indicator',
    'topic: T\nquery: |2-\n    select a\n    from t where $1 = b\n',
    '4:18',
  ],
  ['a plain scalar of several lines', 'topic: T\nquery: select a\n  from t\n  where $1 = b\n', '4:9'],
  ['a single-quoted scalar', "topic: T\nquery: 'select ''x'' as a, ''y'' as b, $1 as c'\n", '2:40'],
  ['a double-quoted scalar', 'topic: T\nquery: "select \'\\u00e9\\t\' as a, $1 as b"\n', '2:33'],
  ['lines that end with carriage returns', 'topic: T\r\nquery: |\r\n  select a,\r\n  $1 as b\r\n', '4:3'],
  ['a flow list', 'topic: T\nquery: select a from t\nkey: [a, $1]\n', '3:10'],
  ['a flow map', 'topic: T\nquery: select a from t\nheaders: {x: a, y: $1}\n', '3:20'],
  ['the end of a block scalar', 'topic: T\nquery: |\n  select a from\n\n', '3:16'],
])('in %s', (_, yaml, place) => {
  expect(messages(yaml).map((message) => message.split(': ')[0])).toEqual([place]);
});

test('a position in the rendered query leads through a block scalar too', () => {
  const job = readJob("topic: T\nquery: |\n  select '😀' as a, :server as s,\n    nope\n  from t\n");
  const rendered = checkJobSql(job).compiled?.render({ ...VALUES, server: "o'😀" });
  const place = rendered?.locate('query', Array.from(rendered.query.split('nope')[0] ?? '').length);
  expect(place?.file.text.slice(place.span.start, place.span.end)).toBe('nope');
  const end = rendered?.locate('query', 10_000);
  expect(end?.file.text.slice(0, end.span.start)).toMatch(/from t$/);
});

test('items of a flow list that YAML cut at a comma say so', () => {
  const found = messages('topic: T\nquery: select a, b, c from t\nkey: [coalesce(a,b), c]\n');
  expect(found).toHaveLength(2);
  for (const message of found)
    expect(message).toMatch(/syntax error[\s\S]*hint: YAML ends a value .* at each comma: quote/);
});
