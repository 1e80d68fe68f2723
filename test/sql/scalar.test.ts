import { beforeAll, describe, expect, test } from 'vitest';
import { checkJobSql } from '../../src/sql/job-sql.ts';
import { loadParser } from '../../src/sql/parser.ts';
import { publishJob, sourceText } from './jobs.ts';

beforeAll(loadParser);

const PARTS = [
  ['the key', (text: string) => publishJob({ key: text })],
  ['the value', (text: string) => publishJob({ value: text })],
  ['header `h`', (text: string) => publishJob({ headers: { h: text } })],
  ['part 2 of the key', (text: string) => publishJob({ key: ['a', text] })],
] as const;

describe('an expression that is refused', () => {
  test.each([
    // More than an expression.
    ['a«,» b', 'is one expression, not 2'],
    ['f(a, b)«,» c, d', 'is one expression, not 3'],
    ['a «as c»', 'without a name of its own'],
    ['a «c»', 'without a name of its own'],
    ['a «from» b', 'is one expression, without `from`'],
    ['extract(year from a) «from» b', 'is one expression, without `from`'],
    ['a «where» b', 'without `where`'],
    ['a «group by» 1', 'without `group by`'],
    ['a «having» true', 'without `having`'],
    ['a «window» w as ()', 'without `window`'],
    ['a «order by» 1', 'without `order by`'],
    ['a «limit» 1', 'without `limit`'],
    ['a «fetch» first row only', 'without `fetch`'],
    ['«offset» 1', 'without `offset`'],
    ['a «union» select 1', 'without `union`'],
    ['a «into» x', 'without `into`'],
    ['a «for» update', 'without `for`'],
    ['«distinct» a', '`distinct` belongs to a `select`'],
    ['«ALL» a', '`ALL` belongs to a `select`'],
    ['a«;» select 1', 'is one expression, not statements'],
    ['«;» a', 'is one expression, not statements'],
    ['a«)», (b', 'syntax error at or near `)`'],
    ['«select» a from t', 'syntax error at or near `select`'],
    ['a ||«»', 'syntax error at end of input'],
    ["a || «'»x", "unterminated quoted string at or near `'x`"],
    ['«»', 'is empty'],
    ['«/* a */»', 'is empty'],
    ['«*»', 'is one value, not all columns'],
    ['«q.*»', 'is one value, not all columns'],
    ['«default»', '`default` is no expression here'],
    ['«$1»', 'parameters like `$1`'],
    // No one value for one row.
    ['«count»(*)', '`count` is an aggregate'],
    ['1 + «sum»(a)', '`sum` is an aggregate'],
    ['«pg_catalog.max»(a)', '`pg_catalog.max` is an aggregate'],
    ['«f»(distinct a)', '`f` is an aggregate'],
    ['«app.f»(a) filter (where b)', '`app.f` is an aggregate'],
    ['«f»(a order by b)', '`f` is an aggregate'],
    ['«rank»(1) within group (order by a)', '`rank` is an aggregate'],
    ['«json_arrayagg»(a)', '`json_arrayagg` is an aggregate'],
    ['«grouping»(a)', '`grouping` is an aggregate'],
    ['(select «max»(a))', '`max` is an aggregate'],
    ['(select «max»(q.a) from t)', '`max` is an aggregate'],
    ['«row_number»() over ()', '`row_number` is a window function'],
    ['«sum»(a) over (order by b)', '`sum` is a window function'],
    ['«lag»(a)', '`lag` is a window function'],
    ['«unnest»(a)', '`unnest` is a function that returns a set'],
    ['coalesce(«generate_series»(1, 2), 3)', '`generate_series` is a function that returns a set'],
    ['«q.a».b'.replace('».b', '.b»'), 'there is no table `q` here'],
    // Writes and locks inside of it.
    ['(select 1 from t «for update»)', '`for update` locks rows'],
    ['(with x as («delete» from t returning a) select a from x)', '`delete` changes data'],
    // Columns that the query does not have.
    ['«d»', 'the query has no column `d`'],
    ['lower(«aa»)', 'the query has no column `aa`'],
    ['«q.d»', 'the query has no column `d`'],
    ['«t.a»', 'there is no table `t` here'],
    ['«"A"»', 'the query has no column `A`'],
  ])('%s', (text, message) => {
    const start = text.indexOf('«');
    const end = text.indexOf('»') - 1;
    const expression = text.replace(/[«»]/g, '');
    for (const [subject, job] of PARTS) {
      const { problems, compiled } = checkJobSql(job(expression));
      expect(compiled).toBeUndefined();
      expect(problems.map(({ span }) => span)).toEqual([{ start, end }]);
      expect(problems[0]?.message).toContain(message);
      if (message.startsWith('is ')) expect(problems[0]?.message).toContain(`${subject} ${message}`);
    }
  });
});

test.each([
  'a',
  'A',
  'q.a',
  '"b"',
  'inet_server_addr()',
  'row_to_json(q.*)',
  'row_to_json(q)',
  'q::text',
  'current_database()',
  'current_date',
  "'a, b'",
  '(a, b)',
  'a -- the key; it is unique',
  '-- first\na',
  'a;',
  'array[a, b]',
  '(select max(x) from t)',
  '(select max(q.x) from other q)',
  '(select unnest(x) from t limit 1)',
  '(select row_number() over () from t limit 1)',
  '(select a || x from t where t.y = q.b)',
  'exists (select from t where x = a)',
  "a ->> 'b' || '-' || c",
  'extract(year from a)',
  'case when a is distinct from b then a end',
  ":server || (:labels ->> 'region')",
  "(:labels)['region']",
  ":labels['region']",
  'app.f(a)',
])('accepted: %s', (expression) => {
  for (const [, job] of PARTS) expect(checkJobSql(job(expression)).problems).toEqual([]);
});

test('columns are not judged where a star hides them, tables are', () => {
  expect(checkJobSql(publishJob({ query: 'select * from t', key: 'anything' })).problems).toEqual([]);
  const { problems } = checkJobSql(publishJob({ query: 'select * from t', key: 't.anything' }));
  expect(problems.map(({ message }) => message)).toEqual(['there is no table `t` here']);
});

test.each([
  ['group_idd', 'did you mean `group_id`?'],
  ['gruop_id', 'did you mean `group_id`?'],
  ['payload', 'its columns are `group_id`, `at`'],
])('an unknown column %s: %s', (key, hint) => {
  expect(checkJobSql(publishJob({ query: 'select group_id, at from t', key })).problems[0]?.hint).toBe(hint);
});

test('a plain YAML item that ends at a comma is told to be quoted, any other syntax error is not', () => {
  const base = publishJob({});
  const item = (value: string, before: string, after: string) => {
    const source = sourceText(value, before);
    return { ...source, file: { ...source.file, text: `${source.file.text}${after}` } };
  };
  const hints = (...expressions: ReturnType<typeof item>[]) =>
    checkJobSql({ ...base, key: { list: true, expressions } }).problems.map(({ hint }) =>
      hint?.includes('at each comma'),
    );
  expect(hints(item('coalesce(a', 'key: [', ', b), c]'), item('b)', 'key: [coalesce(a, ', ', c]'))).toEqual([
    true,
    true,
  ]);
  expect(hints(item('c ||', 'key: [coalesce(a, b), ', ']'))).toEqual([true]);
  expect(hints(item('coalesce(a', 'key:\n  - ', '\n'))).toEqual([undefined]);
  expect(hints(item('coalesce(a', 'key: [', ']'))).toEqual([undefined]);
});

test.each([
  [publishJob({ key: 'a, b' }), 'a key of several parts is a list: `key: [a, b]`'],
  [publishJob({ key: ['a, b'] }), 'write each expression as an item of its own'],
  [publishJob({ headers: { h: 'a, b' } }), 'write a header for each'],
  [publishJob({ key: 'select a from t' }), 'a sub-select stands in parentheses: `(select … from …)`'],
  [publishJob({ key: 'offset' }), 'the name of a column that is a word of SQL is written in quotes: `"offset"`'],
])('a hint that can be followed (%#)', (job, hint) => {
  expect(checkJobSql(job).problems.map((problem) => problem.hint)).toEqual([hint]);
});
