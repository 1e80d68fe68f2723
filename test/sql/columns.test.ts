import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkJobSql } from '../../src/sql/job-sql.ts';
import { AGGREGATES, RETURNING_SETS, WINDOW_FUNCTIONS } from '../../src/sql/known-functions.ts';
import { loadParser } from '../../src/sql/parser.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { publishJob, VALUES } from './jobs.ts';

beforeAll(loadParser);

let database: TestDatabase;
let sql: postgres.Sql;
beforeAll(async () => {
  database = await freshDatabase();
  sql = postgres(database.url(), { max: 1, fetch_types: false, onnotice: () => {} });
  await sql.unsafe(
    'create type pair as (x int, y int); create table t (a int, b text, p pair, l int[]); create schema app',
  );
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

test.each([
  'select a from t',
  'select t.b from t',
  'select public.t.b from t',
  'select (p).x from t',
  'select (p).y::text from t',
  'select l[1] from t',
  'select (array[p])[1].x from t',
  'select a + 1 from t',
  'select -a from t',
  'select not true',
  "select 'x'",
  "select 'x'::varchar",
  "select cast('x' as text)",
  "select date '2027-03-28'",
  "select interval '1 day'",
  'select 1::int',
  'select (a + 1)::numeric(10, 2) from t',
  'select a::text from t',
  'select a::text::varchar from t',
  'select upper(b) from t',
  'select pg_catalog.lower(b) from t',
  'select count(*) from t',
  'select sum(a) over () from t',
  'select coalesce(a, 1) from t',
  'select nullif(a, 1) from t',
  'select greatest(a, 1) from t',
  'select least(a, 1) from t',
  'select case when a > 1 then 2 end from t',
  'select case when a > 1 then 2 else a end from t',
  'select case when a > 1 then 2 else 3::int end from t',
  'select row(1, 2)',
  'select (1, 2)',
  'select array[1, 2]',
  'select array(select 1)',
  'select exists (select 1)',
  'select a in (1, 2) from t',
  'select a in (select 1) from t',
  'select a = any (l) from t',
  'select (select 1)',
  'select (select a from t limit 1)',
  'select (select a as z from t limit 1)',
  'select (select max(a) from t)::text',
  'select (values (1))',
  'select b collate "C" from t',
  'select current_date',
  'select current_time(3)',
  'select current_timestamp',
  'select localtimestamp',
  'select current_user',
  'select session_user',
  'select user',
  'select current_catalog',
  'select current_schema',
  'select current_role',
  'select extract(year from now())',
  'select position(b in b) from t',
  'select substring(b from 1) from t',
  'select trim(b) from t',
  'select overlay(b placing b from 1) from t',
  "select now() at time zone 'UTC'",
  'select a is null from t',
  'select a between 1 and 2 from t',
  "select b like 'x' from t",
  'select grouping(a) from t group by a',
  'select xmlelement(name foo)',
  'select xmlconcat(null)',
  'select xmlforest(a) from t',
  "select xmlparse(content 'x')",
  "select xmlserialize(content 'x'::xml as text)",
  "select 'x'::xml is document",
  'select t from t',
  'select generate_series(1, 2)',
  'select true',
  'select null',
  'select "Ab" from (select 1 as "Ab") x',
  'select 1 as abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz',
  'values (1, 2)',
  'select 1 as x union select 2 as y',
  '(select a from t union all select 2) union select 3',
  'with x as (select 1 as one) select one from x',
  'select :slot',
  'select :window_start',
  'select :server',
  'select :labels',
  "select :labels -> 'a'",
  'select :server::varchar',
  'select (:slot)',
  "select (:labels)['a']",
  'select -(:server::int)',
  'select case when true then 1 end',
])('the columns of `%s` are named as the server names them', async (query) => {
  const { compiled } = checkJobSql(publishJob({ query }));
  const described = await sql.unsafe(compiled?.render(VALUES).query ?? '').describe();
  expect(compiled?.columns).toEqual(described.columns.map(({ name }) => name));
});

test('the known functions are those of the server', async () => {
  const names = async (condition: string) => {
    const rows = await sql.unsafe(
      `select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and ${condition} order by 1`,
    );
    return rows.map((row) => String(row.proname));
  };
  const ofServer = (name: string) => /^(pg_|_pg_|ts_)/.test(name);
  const aggregates = await names("prokind = 'a'");
  expect(aggregates.filter((name) => !AGGREGATES.has(name) && !WINDOW_FUNCTIONS.has(name))).toEqual([]);
  expect((await names("prokind = 'w'")).filter((name) => !WINDOW_FUNCTIONS.has(name))).toEqual([]);
  expect((await names('proretset')).filter((name) => !RETURNING_SETS.has(name) && !ofServer(name))).toEqual([]);
  const plain = new Set(await names("prokind = 'f' and not proretset"));
  expect([...AGGREGATES, ...WINDOW_FUNCTIONS, ...RETURNING_SETS].filter((name) => plain.has(name))).toEqual([]);
});
