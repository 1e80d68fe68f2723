import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/postgres/connect.ts';
import type { Connection } from '../../src/postgres/connection.ts';
import { describeFunctions, typeNames, volatileFunctions } from '../../src/postgres/functions.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };
const applicationName = 'pgtally/connection-test';

let database: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  database = await freshDatabase();
  await database.sql(`create table main (group_id text, payload json);
    insert into main select 'g' || i % 3, json_build_object('i', i) from generate_series(1, 100) i`);
  connection = await connect(targetAt(database, database.name), { applicationName });
});

afterAll(async () => {
  await connection.close();
  await database.drop();
});

describe('a connection', () => {
  test('knows its backend and the version of its server', async () => {
    const [row] = await connection.rows(
      "select pg_backend_pid() as pid, current_setting('server_version_num')::int as version, current_setting('application_name') as name",
    );
    expect(row).toEqual({ pid: connection.backendPid, version: connection.serverVersion, name: applicationName });
  });

  test('lets the server say its own application name and parameters', async () => {
    const server = targetAt(database, database.name, {
      parameters: { application_name: 'named in the url', search_path: 'elsewhere' },
    });
    const other = await connect(server, { applicationName });
    const [row] = await other.rows(
      "select current_setting('application_name') as name, current_setting('search_path') as path",
    );
    expect(row).toEqual({ name: 'named in the url', path: 'elsewhere' });
    await other.close();
  });

  test('runs one statement at a time', async () => {
    const first = connection.rows('select pg_sleep(0.1)');
    await expect(connection.rows('select 1')).rejects.toMatchObject({ kind: 'internal' });
    await first;
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('ignores the environment variables of libpq', async () => {
    process.env.PGTARGETSESSIONATTRS = 'any';
    process.env.PGDATABASE = 'elsewhere';
    try {
      const other = await connect(targetAt(database, database.name), { applicationName });
      expect(await other.rows('select current_database() as name')).toEqual([{ name: database.name }]);
      await other.close();
      expect(process.env.PGTARGETSESSIONATTRS).toBe('any');
    } finally {
      delete process.env.PGTARGETSESSIONATTRS;
      delete process.env.PGDATABASE;
    }
  });

  test('is done for good once it is closed', async () => {
    const other = await connect(targetAt(database, database.name), { applicationName });
    await other.close();
    await other.close();
    await other.ended;
    expect(other.usable).toBe(false);
    await expect(other.rows('select 1')).rejects.toMatchObject({ kind: 'connection', retryable: true });
    await expect(other.describe('select 1')).rejects.toMatchObject({ kind: 'connection' });
    await expect(other.begin(limits)).rejects.toMatchObject({ kind: 'connection' });
    await expect(other.rollback()).rejects.toMatchObject({ kind: 'connection' });
    await other.cancel();
  });
});

describe('a transaction', () => {
  test('is repeatable read and read-only, with the limits that were asked for', async () => {
    await connection.begin({ statementTimeout: 1_234, lockTimeout: 2_345, idleTimeout: 3_456 });
    const names = [
      'transaction_isolation',
      'transaction_read_only',
      'statement_timeout',
      'lock_timeout',
      'idle_in_transaction_session_timeout',
    ];
    const rows = await connection.rows('select current_setting(name) as value from unnest($1::text[]) as name', [
      names,
    ]);
    expect(rows.map((row) => row.value)).toEqual(['repeatable read', 'on', '1234ms', '2345ms', '3456ms']);
    expect(connection.inTransaction).toBe(true);
    await connection.rollback();
    expect(connection.inTransaction).toBe(false);
  });

  test.each([
    ["insert into main values ('x', '1')"],
    ['create table other (i int)'],
    ['set transaction read write'],
    ["select set_config('transaction_read_only', 'off', false)"],
    ['with x as (delete from main returning 1) select count(*) from x'],
  ])('refuses to write: %s', async (text) => {
    await connection.begin(limits);
    await connection.rows('select 1');
    await expect(connection.rows(text)).rejects.toMatchObject({ kind: 'sql', retryable: false });
    await connection.rollback();
    expect(await database.sql('select count(*)::int as n from main')).toEqual([{ n: 100 }]);
  });

  test('is rolled back after an error, and the connection goes on', async () => {
    await connection.begin(limits);
    await expect(connection.rows('select 1/0')).rejects.toMatchObject({ kind: 'data', code: '22012' });
    expect(connection.inTransaction).toBe(true);
    await expect(connection.rows('select 1')).rejects.toMatchObject({ code: '25P02' });
    await connection.rollback();
    await connection.rollback();
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('leaves nothing in the session after discard all', async () => {
    await connection.rows("select set_config('pgtally.test', 'left', false), pg_advisory_lock(42)");
    await connection.discardAll();
    const [row] = await connection.rows(
      "select current_setting('pgtally.test', true) as setting, (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks",
    );
    expect(row).toEqual({ setting: '', locks: 0 });
    await connection.execute('select $1::int', [1]);
    await connection.discardAll();
    expect((await connection.execute('select $1::int as n', [2])).rows).toEqual([{ n: 2 }]);
  });
});

describe('describe', () => {
  test('gives names and types without running anything', async () => {
    const columns = await connection.describe(
      'select group_id, payload::text::json as payload, count(*), 1/0 as never from main group by group_id, payload::text',
    );
    expect(columns.map((column) => column.name)).toEqual(['group_id', 'payload', 'count', 'never']);
    const names = await typeNames(
      connection,
      columns.map((column) => column.typeOid),
    );
    expect(columns.map((column) => names.get(column.typeOid))).toEqual(['text', 'json', 'bigint', 'integer']);
  });

  test('refuses a second statement', async () => {
    await expect(connection.describe('select 1; select 2')).rejects.toMatchObject({ kind: 'sql', code: '42601' });
    await expect(connection.describe('select 1; drop table main')).rejects.toMatchObject({
      kind: 'sql',
      code: '42601',
    });
    expect(await connection.rows('select count(*)::int as n from main')).toEqual([{ n: 100 }]);
  });

  test('gives no columns for a statement that returns none', async () => {
    expect(await connection.describe('set application_name = default')).toEqual([]);
  });

  test('is kept by text until an error, and leaves no statement on the server', async () => {
    const other = await connect(targetAt(database, database.name), { applicationName });
    await database.sql('create table kept (a int)');
    const text = 'select * from kept';
    expect(await other.describe(text)).toMatchObject([{ name: 'a' }]);
    await database.sql('alter table kept rename a to b');
    expect(await other.describe(text)).toMatchObject([{ name: 'a' }]);
    await expect(other.rows('select 1/0')).rejects.toThrow();
    expect(await other.describe(text)).toMatchObject([{ name: 'b' }]);
    for (let i = 0; i < 100; i++) await other.describe(`select ${i} as n`);
    expect(await other.rows('select name from pg_prepared_statements')).toEqual([]);
    await other.close();
  });

  test('says where in the text the error is', async () => {
    await expect(connection.describe('select nope from main')).rejects.toMatchObject({ code: '42703', position: 8 });
  });
});

describe('execute', () => {
  test('writes in a transaction of its own and counts', async () => {
    await database.sql('create table written (n int, note text, body jsonb, at timestamptz, ok bool, raw bytea)');
    const insert = 'insert into written values ($1, $2, $3, $4, $5, $6) returning n';
    const first = await connection.execute(insert, [
      1,
      null,
      '{"a": [1, "ü"]}',
      '2020-01-02 03:04:05.678901+00',
      true,
      Buffer.from([0, 255]),
    ]);
    expect(first).toEqual({ count: 1, rows: [{ n: 1 }] });
    await connection.execute(insert, [2n, 'x', 'null', null, false, null]);
    expect(
      await database.sql(
        'select n, note, body::text as body, at::text as at, ok, raw::text as raw from written order by n',
      ),
    ).toEqual([
      { n: 1, note: null, body: '{"a": [1, "ü"]}', at: '2020-01-02 03:04:05.678901+00', ok: true, raw: '\\x00ff' },
      { n: 2, note: 'x', body: 'null', at: null, ok: false, raw: null },
    ]);
  });

  test('prepares a text once', async () => {
    for (let i = 0; i < 3; i++) await connection.execute('select $1::int + 40 as n', [i]);
    const rows = await connection.rows(
      "select name from pg_prepared_statements where statement = 'select $1::int + 40 as n'",
    );
    expect(rows).toHaveLength(1);
  });

  test('passes any text and array as it is', async () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => !/\0|\p{Surrogate}/u.test(value));
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.option(text), { maxLength: 8 }), async (single, list) => {
        const { rows } = await connection.execute('select $1::text as single, to_json($2::text[])::text as list', [
          single,
          list,
        ]);
        expect(rows[0]?.single).toBe(single);
        expect(JSON.parse(String(rows[0]?.list))).toEqual(list);
      }),
      { numRuns: 100 },
    );
  });

  test('passes numbers, booleans and bytes in arrays', async () => {
    const { rows } = await connection.execute(
      'select to_json($1::int8[])::text as n, to_json($2::bool[])::text as b, encode(($3::bytea[])[1], $4) as r',
      [[1, 9007199254740993n, null], [true, false], [Buffer.from([1, 2])], 'hex'],
    );
    expect(rows).toEqual([{ n: '[1,9007199254740993,null]', b: '[true,false]', r: '0102' }]);
  });
});

describe('facts about functions', () => {
  test('come from the catalogue, by name or schema and name', async () => {
    await database.sql(`create schema app; create function app.tick() returns int volatile language sql as 'select 1';
      create function public.steady(int) returns int immutable language sql as 'select 1'`);
    const names = ['now', 'random', 'count', 'rank', 'generate_series', 'app.tick', 'tick', 'steady', 'no_such'];
    const facts = await describeFunctions(connection, names);
    expect(facts.map((fact) => fact.name)).toEqual([
      'now',
      'random',
      'count',
      'rank',
      'generate_series',
      'app.tick',
      'steady',
    ]);
    expect(facts.filter((fact) => fact.aggregate).map((fact) => fact.name)).toEqual(['count', 'rank']);
    expect(facts.filter((fact) => fact.window).map((fact) => fact.name)).toEqual(['rank']);
    expect(facts.filter((fact) => fact.returnsSet).map((fact) => fact.name)).toEqual(['generate_series']);
    expect(await volatileFunctions(connection, names)).toEqual(['random', 'app.tick']);
    expect(await volatileFunctions(connection, [])).toEqual([]);
  });
});
