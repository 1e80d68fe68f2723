import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkJobSql } from '../../src/sql/job-sql.ts';
import { loadParser, parseSql, scanSql } from '../../src/sql/parser.ts';
import { findPlaceholders, quoteString } from '../../src/sql/placeholders.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { hostileText, sqlPieces } from './arbitrary-sql.ts';
import { publishJob, VALUES } from './jobs.ts';

beforeAll(loadParser);

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

/** The query as it is rendered; the messages when it is refused. */
function render(query: string): string | string[] {
  const { problems, compiled } = checkJobSql(publishJob({ query }));
  return compiled ? compiled.render(VALUES).query : problems.map(({ message }) => message);
}

test('exactly the placeholders are found, whatever strings, comments and quotes stand around them', () => {
  fc.assert(
    fc.property(sqlPieces, (pieces) => {
      const text = pieces.map((piece) => piece.text).join(' ');
      const tokens = scanSql(text);
      if (!tokens) return fc.pre(false);
      const found = findPlaceholders(tokens).map(({ start, end }) => [start, end]);
      let at = 0;
      const expected = pieces.flatMap((piece) => {
        const start = at;
        at += piece.text.length + 1;
        return piece.placeholder ? [[start, start + piece.text.length]] : [];
      });
      expect(found).toEqual(expected);
      return true;
    }),
    { numRuns: 2000 },
  );
});

test('each placeholder becomes a literal of its type', () => {
  expect(render('select :slot as a, :window_start as b, :window_end as c, :server as d, :labels as e')).toBe(
    "select ('2027-03-28T01:00:00Z'::timestamptz) as a, ('2027-03-28T00:00:00Z'::timestamptz) as b, " +
      `('2027-03-28T01:00:00Z'::timestamptz) as c, ('shard-1'::text) as d, ('{"role":"shard"}'::jsonb) as e`,
  );
});

test.each([
  ['select \':slot\' as a, ":slot" as b, $$ :slot $$ as c, $x$ :slot $x$ as d, x::slot from t -- :slot', true],
  ['select a[1:2], b[: 2], c[1: n] from t', true],
  ['select a[1:slot] from t', ['syntax error at or near `:slot`']],
  ['select a[1:n] from t', ['unknown placeholder `:n`']],
  ['select :slto as a', ['unknown placeholder `:slto`']],
  ['select a:int as a from t', ['unknown placeholder `:int`']],
  ['select : slot as a', ['syntax error at or near `:`']],
  ['select :"slot" as a', ['syntax error at or near `:`']],
  ["select :'slot' as a", ['syntax error at or near `:`']],
  // Where this library takes a parameter and Postgres takes no expression.
  ['select interval :server as a', ['syntax error at or near `:server`']],
  ['select extract(:server from now()) as a', ['syntax error at or near `:server`']],
  ['select date:server as a', ['syntax error at or near `:server`']],
  ['select f:server as a', ['syntax error at or near `:server`']],
  ['select a.f:server as a', ['syntax error at or near `:server`']],
  ["select 'x':server as a", ['syntax error at or near `:server`']],
  ['select 1 as a from t where a in :labels', ['syntax error at or near `:labels`']],
  ['select :server:labels as a', ['syntax error at or near `:labels`']],
])('%s', (query, expected) => {
  const rendered = render(query);
  if (expected === true) expect(rendered).toBe(query.replace(/ -- .*/, ''));
  else expect(rendered).toEqual(expected);
});

test.each([
  ['select a[1:n] from t', 'in an array slice write a blank after the colon: `[1: n]`'],
  ['select :slto as a', 'did you mean `:slot`?'],
  ['select :windowstart as a', 'did you mean `:window_start`?'],
  [
    'select a:int as a from t',
    'the placeholders are `:slot`, `:window_start`, `:window_end`, `:server`, `:labels`; a cast is `::int`, any other colon takes a blank: `: int`',
  ],
])('%s: %s', (query, hint) => {
  expect(checkJobSql(publishJob({ query })).problems.map((problem) => problem.hint)).toEqual([hint]);
});

test('a job that uses its window anywhere is an interval job', () => {
  const uses = (texts: Parameters<typeof publishJob>[0]) => checkJobSql(publishJob(texts)).compiled?.usesWindow;
  expect(uses({ query: 'select :slot as a' })).toBe(false);
  expect(uses({ query: "select ':window_start' as a -- :window_end" })).toBe(false);
  expect(uses({ query: 'select 1 as a where now() >= :window_start' })).toBe(true);
  expect(uses({ query: 'select 1 as a where now() < :WINDOW_END' })).toBe(true);
  expect(uses({ key: ['a', ':window_end'] })).toBe(true);
  expect(uses({ value: 'json_build_array(a, :window_end)' })).toBe(true);
  expect(uses({ headers: { h: ':window_start' } })).toBe(true);
});

test('a slot of a fraction of a second keeps it', () => {
  const { compiled } = checkJobSql(publishJob({ query: 'select :slot as a' }));
  expect(compiled?.render({ ...VALUES, slot: 1500 }).query).toBe(
    "select ('1970-01-01T00:00:01.500Z'::timestamptz) as a",
  );
});

test('a value with the character U+0000 is refused with a reason', () => {
  const { compiled } = checkJobSql(publishJob({ query: 'select :server as a' }));
  expect(() => compiled?.render({ ...VALUES, server: 'a\0b' })).toThrow('U+0000');
});

describe('a literal holds exactly its value', () => {
  test('to the parser, for any text', () => {
    const job = checkJobSql(publishJob({ query: 'select :server, :labels as b' })).compiled;
    fc.assert(
      fc.property(hostileText, hostileText, (server, label) => {
        const labels = { [label]: server };
        const parsed = parseSql(job?.render({ ...VALUES, server, labels }).query ?? '');
        const constant = (value: string, type: string) =>
          expect.objectContaining({
            ResTarget: expect.objectContaining({
              val: {
                TypeCast: expect.objectContaining({
                  arg: { A_Const: expect.objectContaining({ sval: { sval: value } }) },
                  typeName: expect.objectContaining({ names: [{ String: { sval: type } }] }),
                }),
              },
            }),
          });
        expect(parsed.ok && parsed.statements).toEqual([
          {
            SelectStmt: {
              targetList: [constant(server, 'text'), constant(JSON.stringify(labels), 'jsonb')],
              limitOption: 'LIMIT_OPTION_DEFAULT',
              op: 'SETOP_NONE',
            },
          },
        ]);
      }),
      { numRuns: 1000 },
    );
  });

  test.each(['on', 'off'])('to the server, with standard_conforming_strings %s', async (setting) => {
    const texts = fc.sample(hostileText, { numRuns: 300, seed: 7 }).map((text) => Buffer.from(text).toString());
    const list = texts.map((text) => `(${quoteString(text)}::text)`).join(', ');
    const rows = await database.sql(
      `set escape_string_warning = off; set standard_conforming_strings = ${setting}; select array_to_json(array[${list}])::text as texts`,
    );
    expect(JSON.parse(String(rows[0]?.texts))).toEqual(texts);
  });
});
