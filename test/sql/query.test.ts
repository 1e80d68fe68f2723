import { beforeAll, describe, expect, test } from 'vitest';
import { checkJobSql } from '../../src/sql/job-sql.ts';
import { loadParser } from '../../src/sql/parser.ts';
import { publishJob } from './jobs.ts';

beforeAll(loadParser);

/** `«…»` in the text marks where the one problem has to be; an empty mark is a place between characters. */
function marked(text: string): { query: string; start: number; end: number } {
  const start = text.indexOf('«');
  const end = text.indexOf('»') - 1;
  return { query: text.replace(/[«»]/g, ''), start, end };
}

describe('a query that is not one read statement', () => {
  test.each([
    // More than one, or none.
    ['select 1 as a«;» select 2 as a', 'more than one statement'],
    ["select ';' as a«;» drop table t", 'more than one statement'],
    ['«;»select 1 as a', 'starts with a `;`'],
    ['«»', 'the query is empty'],
    ['«-- nothing here»', 'the query is empty'],
    ['«;; /* x */»', 'the query is empty'],
    // Other statements.
    ['«insert» into t values (1)', '`insert` is not a query that only reads'],
    ['«update» t set a = 1', '`update`'],
    ['«delete» from t', '`delete`'],
    ['«merge» into t using s on true when matched then delete', '`merge`'],
    ['with x as (select 1 as insert) «insert» into t select * from x', '`insert`'],
    ['«copy» t to stdout', '`copy`'],
    ["«copy» (select 1) to program 'sh'", '`copy`'],
    ['«set» search_path = x', '`set`'],
    ['«do» $$ begin end $$', '`do`'],
    ['«create» table x as select 1', '`create`'],
    ['«explain» analyze delete from t', '`explain`'],
    ['«show» work_mem', '`show`'],
    ['«begin»', '`begin`'],
    ['«commit»', '`commit`'],
    ['«call» p()', '`call`'],
    ['«execute» p', '`execute`'],
    ['«prepare» p as select 1', '`prepare`'],
    ['«fetch» all from c', '`fetch`'],
    ['«lock» table t', '`lock`'],
    ['«notify» c', '`notify`'],
    ['-- first a comment\n«TRUNCATE» t', '`truncate`'],
    // What writes or locks inside of a select.
    ['with x as («delete» from t returning *) select * from x', '`delete` changes data'],
    ['with x as («insert» into t values (1) returning *) select * from x', '`insert` changes data'],
    ['with x as («update» only t set a = 1 returning *) table x', '`update` changes data'],
    ['with x as («merge» into t using s on true when matched then delete returning 1) table x', '`merge` changes data'],
    ['with a as (with b as («delete» from t returning *) select * from b) select * from a', '`delete` changes data'],
    ['select a «into» x from t', '`select … into` creates a table'],
    ['select a «into» temp x from t', '`select … into` creates a table'],
    ['select a from t «for update»', '`for update` locks rows'],
    ['select a from t «for share» of t nowait', '`for share` locks rows'],
    ['select a from t «FOR NO KEY UPDATE» skip locked', '`for no key update` locks rows'],
    ['select a from (select a from t «for key share») x', '`for key share` locks rows'],
    ['select (select a from t «for update») as a', '`for update` locks rows'],
    ['with x as (select 1 as a from t «for update») table x', '`for update` locks rows'],
    ['select 1 as a union all (select 2 from t «for update»)', '`for update` locks rows'],
    // Parameters.
    ['select «$1» as a', 'parameters like `$1`'],
    ['select a from t where b = «$2»::int', 'parameters like `$2`'],
    // Syntax.
    ['select a from«»', 'syntax error at end of input'],
    ['select a from t wehre «a» = 1', 'syntax error at or near `a`'],
    ["select 'äöü😀' as a, «=» 1", 'syntax error at or near `=`'],
    ["select 'x' as 😀, «)» -- 😀", 'syntax error at or near `)`'],
    ["select :slot, «'»abc", "unterminated quoted string at or near `'abc`"],
    ['select 1 as a «/»* open', 'unterminated /* comment at or near `/* open`'],
    ['select «$»x$ open', 'unterminated dollar-quoted string at or near `$x$ open`'],
    ['select 1 as a, "ab«\0»c" as b', 'U+0000'],
    ['select 1 as a, «\u0001»', 'syntax error at or near'],
    // Columns.
    ['select a, b as «q» from t'.replace('b as «q»', '«b as q»'), 'a column named `q`'],
    ['select a, t.«a» from t'.replace('t.«a»', '«t.a»'), 'two columns of the query are named `a`'],
    ['select count(*), «count(a)» from t', 'two columns of the query are named `count`'],
    ['select *, a as x, «b as x» from t', 'two columns of the query are named `x`'],
    ['«select from t»', 'the query returns no columns'],
  ])('%s', (text, message) => {
    const { query, start, end } = marked(text);
    const { problems, compiled } = checkJobSql(publishJob({ query }));
    expect(compiled).toBeUndefined();
    expect(problems.map(({ span }) => span)).toEqual([{ start, end }]);
    expect(problems[0]?.severity).toBe('error');
    expect(problems[0]?.message).toContain(message);
  });
});

describe('a query that only reads', () => {
  test.each([
    ['select 1 as a', ['a']],
    ['select a, b from t order by 1 limit 5', ['a', 'b']],
    ['select a from t;', ['a']],
    ['select a from t ; ; -- done', ['a']],
    ['/*+ SeqScan(t) */ select a from t /* ; */', ['a']],
    ["select 'for update; into' as a", ['a']],
    ['select a as "for", b as update from t', ['for', 'update']],
    ['values (1, 2), (3, 4)', ['column1', 'column2']],
    ['table t', undefined],
    ['with x as (select 1 as a) select a from x', ['a']],
    ['with recursive x(a) as (select 1 union all select a + 1 from x where a < 5) select a from x', ['a']],
    ['with x as materialized (table t) table x', undefined],
    ['(select 1 as a) union all select 2', ['a']],
    ['select a from t union (values (1)) except select 3', ['a']],
    ['select (select count(*) from u) as n, array(select 1) from t', ['n', 'array']],
    ['select t.*, 1 as one from t', undefined],
    ['select (x).* from t', undefined],
    ['select delete, insert from t', ['delete', 'insert']],
    ['select substring(a from 1 for 2) as s from t', ['s']],
    ['select a[1:2], b[2:] from t', ['a', 'b']],
    ['select data ? 1 as a from t', ['a']],
  ])('%s', (query, columns) => {
    const { problems, compiled } = checkJobSql(publishJob({ query }));
    expect(problems).toEqual([]);
    expect(compiled?.columns).toEqual(columns);
  });
});

test('each unnamed column is a warning, and a placeholder that is one too', () => {
  const { problems, compiled } = checkJobSql(publishJob({ query: 'select a + 1, :slot, :server as s from t' }));
  expect(problems.map(({ severity, message, span }) => [severity, message, span])).toEqual([
    ['warning', 'this column has no name: `a + 1`', { start: 7, end: 12 }],
    ['warning', 'the column `:slot` is named `timestamptz`', { start: 14, end: 19 }],
  ]);
  expect(compiled?.columns).toEqual(['?column?', 'timestamptz', 's']);
});

test('every problem of a job is reported in one go', () => {
  const { problems } = checkJobSql(
    publishJob({ query: 'select $1, :nope', key: ['a,b', 'count(*)'], value: 'x y', headers: { h: '' } }),
  );
  expect(problems.map(({ message }) => message)).toEqual([
    'parameters like `$1` have no value here',
    'unknown placeholder `:nope`',
    'part 1 of the key is one expression, not 2',
    '`count` is an aggregate, but part 2 of the key is computed for each row by itself',
    'the value is an expression without a name of its own',
    'header `h` is empty',
  ]);
});

test('functions are listed with their schemas, from all parts, once', () => {
  const query =
    'select now() as a, app."Next"() as b, c from generate_series(1, now()::int) c where exists (select f(1))';
  const { compiled } = checkJobSql(publishJob({ query, key: 'upper(a)', headers: { h: 'now()' } }));
  expect(compiled?.functions).toEqual(['app.Next', 'f', 'generate_series', 'now', 'upper']);
});

test('calls for each row know their part and place, those in sub-selects do not count', () => {
  const { compiled } = checkJobSql(
    publishJob({ key: 'app.mine(a) || (select f(1) from t)', headers: { h: 'upper(b)' } }),
  );
  expect(compiled?.rowCalls.map(({ name, subject, span }) => [name, subject, span])).toEqual([
    ['app.mine', 'the key', { start: 0, end: 8 }],
    ['upper', 'header `h`', { start: 0, end: 5 }],
  ]);
});

describe('SQL too deep for the parser is an error, not a crash', () => {
  test.each([
    ['parentheses', `select ${'('.repeat(20_000)}1${')'.repeat(20_000)} as a`],
    ['a sum', `select ${'1+'.repeat(100_000)}1 as a`],
    ['sub-selects', `select ${'(select '.repeat(5000)}1${')'.repeat(5000)} as a`],
  ])('%s', (_, query) => {
    const { problems } = checkJobSql(publishJob({ query }));
    expect(problems.map(({ message }) => message)).toEqual(['the expression is nested too deeply']);
    expect(checkJobSql(publishJob({ query: 'select 1 as a' })).problems).toEqual([]);
  });

  test('a sum of 3,000 terms with a placeholder is fine', () => {
    const { problems } = checkJobSql(publishJob({ query: `select ${'a + '.repeat(3000)}:server::int as a from t` }));
    expect(problems).toEqual([]);
  });
});
