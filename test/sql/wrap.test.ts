import fc from 'fast-check';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkJobSql, type RenderedSql } from '../../src/sql/job-sql.ts';
import { loadParser, parseSql } from '../../src/sql/parser.ts';
import { type WrapOptions, wrapQuery } from '../../src/sql/wrap.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { type JobTexts, publishJob, VALUES } from './jobs.ts';

beforeAll(loadParser);

let database: TestDatabase;
let sql: postgres.Sql;
beforeAll(async () => {
  database = await freshDatabase();
  sql = postgres(database.url(), { max: 1, fetch_types: false, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

function render(texts: JobTexts): RenderedSql {
  const { problems, compiled } = checkJobSql(publishJob(texts));
  if (!compiled) throw new Error(problems.map(({ message }) => message).join('; '));
  return compiled.render(VALUES);
}

/** Key, value and headers of each row, as the server gives them. */
async function run(texts: JobTexts, options: Partial<WrapOptions> = {}): Promise<unknown[][]> {
  const wrapped = wrapQuery(render(texts), { listKey: typeof texts.key === 'object', ...options });
  return [...(await sql.unsafe(wrapped.select).values())];
}

test('without key and value a row is its JSON', async () => {
  expect(await run({ query: 'select 1::bigint as n, 2.50 as x, \'{"b": 1,  "a": 2}\'::json as j' })).toEqual([
    [null, '{"n":1,"x":2.50,"j":{"b": 1,  "a": 2}}'],
  ]);
});

test('key, value and headers are text, over columns and the row', async () => {
  const texts = {
    query: 'select a, a + 1 as b from generate_series(1, 2) a',
    key: "'k' || a",
    value: 'json_build_array(q.b, :server)',
    headers: { one: 'b * 2', two: 'nullif(a, 1)', three: ":labels ->> 'role'" },
  };
  expect(await run(texts)).toEqual([
    ['k1', '[2, "shard-1"]', '4', null, 'shard'],
    ['k2', '[3, "shard-1"]', '6', '2', 'shard'],
  ]);
});

test("the article's query publishes its one json column as it is", async () => {
  const query = `select row_to_json(row(g, count(*))) from (values ('x'), ('x'), ('y')) t(g) group by g order by g`;
  expect(await run({ query, key: "'127.0.0.1/32'::inet" }, { jsonColumn: 'row_to_json' })).toEqual([
    ['127.0.0.1/32', '{"f1":"x","f2":2}'],
    ['127.0.0.1/32', '{"f1":"y","f2":1}'],
  ]);
});

test.each([
  [`select '{"a": {"a":  1}}'::json -> 'a'`, '?column?'],
  [`select '{"a":  1}'::json`, 'json'],
  ['select \'{"a":  1}\'::json as "we""ird \'q.* ü"', 'we"ird \'q.* ü'],
  ['select \'{"a":  1}\'::json as "Q"', 'Q'],
  ['values (\'{"a":  1}\'::json)', 'column1'],
])('a json column of any name is the value: %s', async (query, jsonColumn) => {
  expect(await run({ query }, { jsonColumn })).toEqual([[null, '{"a":  1}']]);
});

test('a NULL in the json column is NULL', async () => {
  expect(await run({ query: 'select null::jsonb as j' }, { jsonColumn: 'j' })).toEqual([[null, null]]);
});

describe('a list key', () => {
  const keyOf = async (query: string, key: readonly string[]) => (await run({ query, key })).map(([text]) => text);

  test('is a compact JSON array of texts, NULL parts null', async () => {
    expect(await keyOf("select 1 as a, 'x\"y\\z' as b, null::int as c", ['a', 'b', 'c'])).toEqual([
      '["1","x\\"y\\\\z",null]',
    ]);
  });

  test('is NULL when all parts are NULL, and only then', async () => {
    const query = "select a, b from (values (null, null), ('', null), ('null', null), (null, 'null')) t(a, b)";
    expect(await keyOf(query, ['a', 'b'])).toEqual([null, '["",null]', '["null",null]', '[null,"null"]']);
  });

  test('of one part is an array too', async () => {
    expect(await keyOf('select a from (values (7), (null)) t(a)', ['a'])).toEqual(['["7"]', null]);
  });

  test('computes a part once', async () => {
    await sql`create sequence calls`;
    expect(await keyOf('select 1 as a', ["nextval('calls')", 'a'])).toEqual(['["1","1"]']);
    expect(await keyOf('select 1 as a', ["nextval('calls')", 'a'])).toEqual(['["2","1"]']);
  });

  test('keeps parts that are arrays, rows and multi-byte texts as their text', async () => {
    expect(await keyOf("select array[1,2] as a, row(1, 'é😀') as b", ['a', 'b'])).toEqual(['["{1,2}","(1,é😀)"]']);
  });
});

test.each([
  ['select 1 as a -- done', 'a -- the key', '[1]'],
  ['select 1 as a; -- done', '-- first\n a', '[1]'],
  ['select 1 as a /* x */ ; ;', '/* x */ a /* y */', '[1]'],
  ['-- one\nselect 1 as a -- two\n\n-- three', 'a --', '[1]'],
  ["values ($$ ; -- $$, 'x') --", 'column1', '[" ; -- "]'],
])('comments and semicolons at the end do no harm: %s', async (query, key, value) => {
  const column = query.includes('as a') ? 'a' : 'column1';
  const [row] = await run({ query, key, value: `to_json(array[${column}]) -- value` });
  expect(row?.[1]).toBe(value);
});

test('limit takes the first rows in the order of the query', async () => {
  const query = 'select a from generate_series(1, 5) a order by a desc';
  expect(await run({ query, key: 'a' }, { limit: 2 })).toEqual([
    ['5', '{"a":5}'],
    ['4', '{"a":4}'],
  ]);
});

test('the copy statement is the select, in binary', async () => {
  const wrapped = wrapQuery(render({ query: 'select 1 as a', key: 'a' }), { listKey: false });
  expect(wrapped.copy).toBe(`copy (${wrapped.select}) to stdout (format binary)`);
  const chunks: Buffer[] = [];
  for await (const chunk of await sql.unsafe(wrapped.copy).readable()) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  expect(bytes.subarray(0, 11).toString('latin1')).toBe('PGCOPY\n\u00ff\r\n\0');
  expect(bytes.includes('{"a":1}')).toBe(true);
});

const MANY_PARTS: JobTexts = {
  query: "select 'é😀' as a, :server as s, b from t😀 where at >= :window_start -- end",
  key: ['a', "'😀' || :server"],
  value: 'json_build_object(:labels::text, s)',
  headers: { one: 'b', two: "a || '漢'" },
};

test('wrapped text parses, as one select of text columns', () => {
  for (const options of [{ listKey: true }, { listKey: false }, { listKey: true, limit: 3 }]) {
    const { select, copy } = wrapQuery(render(MANY_PARTS), options);
    const parsed = parseSql(select);
    const copied = parseSql(copy);
    expect(parsed.ok && parsed.statements.map((statement) => Object.keys(statement))).toEqual([['SelectStmt']]);
    expect(copied.ok && copied.statements.map((statement) => Object.keys(statement))).toEqual([['CopyStmt']]);
  }
});

test('whatever stands before and after them, the parts stay the columns and the table of one select', () => {
  const before = fc.constantFrom('', ' ', '-- a ( \' "\n', '/* ( */', '\n\t');
  const after = fc.constantFrom('', ';', ' -- ) q', '/* ) */', ';; -- :slot', '\n', ' --');
  const around = (...texts: string[]) =>
    fc.tuple(before, fc.constantFrom(...texts), after).map((parts) => parts.join(''));
  const expression = around(
    'a',
    "'--'",
    '$$)$$',
    '(select 1 -- x\n)',
    ":labels ->> 'a'",
    '"a)"',
    "e'\\''",
    'a::text',
    "U&'\\0041'",
  );
  const query = around(
    'select a, "a)" from t',
    'select a, "a)" from t -- (\nwhere x = :server',
    'select \'/*\' as a, $$ */ $$ as "a)"',
    'with x as (values (1, 2)) select a, "a)" from x order by 1 limit 3',
    '(select a, b as "a)" from t) union all select 1, 2',
  );
  fc.assert(
    fc.property(query, expression, expression, expression, fc.boolean(), (text, key, value, header, list) => {
      const rendered = render({ query: text, key: list ? [key, header] : key, value, headers: { header } });
      const parsed = parseSql(wrapQuery(rendered, { listKey: list }).select);
      const target = (val: string) => ({
        ResTarget: { val: { [val]: expect.anything() }, location: expect.anything() },
      });
      const alias = { aliasname: 'q' };
      expect(parsed.ok ? parsed.statements : parsed).toEqual([
        {
          SelectStmt: {
            targetList: [target(list ? 'A_Expr' : 'TypeCast'), target('TypeCast'), target('TypeCast')],
            fromClause: [{ RangeSubselect: { subquery: { SelectStmt: expect.anything() }, alias } }],
            limitOption: 'LIMIT_OPTION_DEFAULT',
            op: 'SETOP_NONE',
          },
        },
      ]);
    }),
    { numRuns: 1000 },
  );
});

test("each character of the wrapped select that is the user's leads back to its place in the file", () => {
  const rendered = render(MANY_PARTS);
  const { select, partAt } = wrapQuery(rendered, { listKey: true });
  const seen = new Map<string, number>();
  for (const [position, char] of Array.from(select).entries()) {
    const at = partAt(position);
    if (!at) continue;
    seen.set(JSON.stringify(at.part), (seen.get(JSON.stringify(at.part)) ?? 0) + 1);
    const { file, span } = rendered.locate(at.part, at.offset);
    const written = file.text.slice(span.start, span.end);
    // A placeholder's literal leads to the placeholder as a whole; anything else to itself.
    if (!/^:\w/.test(written)) expect(String.fromCodePoint(file.text.codePointAt(span.start) ?? 0)).toBe(char);
  }
  const length = (text: string | undefined) => Array.from(text ?? '').length;
  expect(Object.fromEntries(seen)).toEqual({
    '"query"': length(rendered.query),
    '{"key":0}': length(rendered.key?.[0]),
    '{"key":1}': length(rendered.key?.[1]),
    '"value"': length(rendered.value),
    '{"header":0}': length(rendered.headers[0]),
    '{"header":1}': length(rendered.headers[1]),
  });
});

describe('an error of the server leads to its place in the file', () => {
  test.each<[string, JobTexts, string]>([
    ['a column of the query', { query: "select 'é😀' as a, :server as s, nope.x as b" }, 'nope.x'],
    ['a table behind a placeholder', { query: "select '😀' as a from (select :labels as l) x, missing" }, 'missing'],
    ['an operator', { query: 'select :server + 1 as a' }, '+'],
    ['a function in the key', { query: "select '😀' as a", key: "missing('é', a)" }, 'missing'],
    ['a part of a list key', { query: 'select 1 as a', key: ['a', "'😀' || nosuch(a)"] }, 'nosuch'],
    ['the value', { query: 'select 1 as a', value: "'漢' || jsonn_build(q.*)" }, 'jsonn_build'],
    ['a header', { query: 'select 1 as a', headers: { x: 'a', y: "'😀' || q.a::nosuchtype" } }, 'nosuchtype'],
    ['a placeholder', { query: "select '😀' as a, coalesce(1, :labels) as b" }, ':labels'],
  ])('%s', async (_, texts, word) => {
    const rendered = render(texts);
    const wrapped = wrapQuery(rendered, { listKey: typeof texts.key === 'object' });
    const error = await sql.unsafe(wrapped.select).then(
      () => undefined,
      (reason: unknown) => reason as { position?: string },
    );
    const at = wrapped.partAt(Number(error?.position) - 1);
    const place = at && rendered.locate(at.part, at.offset);
    expect(place?.file.text.slice(place.span.start, place.span.end)).toBe(word);
  });

  test('text of ours leads nowhere', () => {
    const { select, partAt } = wrapQuery(render({ query: 'select 1 as a' }), { listKey: false });
    expect([0, 7, select.indexOf('row_to_json'), select.length - 1, select.length + 9].map(partAt)).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });
});
