import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { connect } from '../../src/postgres/connect.ts';
import type { Connection, CopySink } from '../../src/postgres/connection.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };

let database: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  database = await freshDatabase();
  await database.sql('create table written (i int)');
  await database.sql(
    `create function write(i int) returns int language plpgsql as $$ begin insert into written values (i); return i; end $$`,
  );
});
afterAll(() => database.drop());
beforeEach(async () => {
  connection = await connect(targetAt(database, database.name), { applicationName: 'pgtally/copy-run-test' });
});
afterEach(() => connection.close());

const copyOf = (query: string) => `copy (${query}) to stdout`;

function collector(): CopySink & { text(): string } {
  const chunks: Buffer[] = [];
  return {
    write: (chunk) => {
      chunks.push(chunk);
      return undefined;
    },
    text: () => Buffer.concat(chunks).toString(),
  };
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Failure)) throw new Error(`no Failure: ${String(error)}`);
  return error;
}

describe('a run in one message', () => {
  test('gives the rows, is over afterwards, and can be done again', async () => {
    for (const count of [3, 50_000, 0]) {
      const sink = collector();
      const rows = await connection.copyRun(copyOf(`select i from generate_series(1, ${count}) i`), sink, limits, {});
      expect(rows).toBe(count);
      expect(sink.text()).toBe(Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(''));
      expect(connection.inTransaction).toBe(false);
    }
  });

  test('is a repeatable read, read-only transaction with its limits, and none of them stay', async () => {
    const settings = `select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
      current_setting('statement_timeout'), current_setting('lock_timeout'),
      current_setting('idle_in_transaction_session_timeout'), current_setting('standard_conforming_strings')`;
    const inside = collector();
    await connection.copyRun(copyOf(settings), inside, limits, {});
    expect(inside.text()).toBe('repeatable read\ton\t20s\t5s\t20s\ton\n');
    const after = collector();
    await connection.copyOut(copyOf(settings), after);
    expect(after.text()).toBe('read committed\toff\t0\t0\t0\ton\n');
  });

  test('that fails says at which character of the statement, and wrote nothing', async () => {
    const failure = await failureOf(connection.copyRun(copyOf('select nothing'), collector(), limits, {}));
    expect(failure).toMatchObject({ kind: 'sql', code: '42703', position: 14 });
    expect(connection.inTransaction).toBe(true);
  });

  test('whose transaction could not be opened does not run at all', async () => {
    const broken = { ...limits, statementTimeout: -1 };
    await failureOf(connection.copyRun(copyOf('select write(1)'), collector(), broken, {}));
    const reads = await failureOf((await again()).copyRun(copyOf('select write(2)'), collector(), limits, {}));
    expect(reads).toMatchObject({ code: '25006' });
    expect(await database.sql('select count(*)::int as n from written')).toEqual([{ n: 0 }]);
  });

  test('calls when the server has answered, before the query is done, and holds its rows back until then', async () => {
    const order: string[] = [];
    let goOn = (): void => undefined;
    const sink: CopySink = {
      write: () => {
        order.push('data');
        return undefined;
      },
    };
    const running = connection.copyRun(copyOf("select 'x' from pg_sleep(0.3)"), sink, limits, {
      onAnswered: () => {
        order.push('answered');
        return new Promise<void>((resolve) => {
          goOn = () => {
            order.push('go on');
            resolve();
          };
        });
      },
    });
    await expect.poll(() => order).toEqual(['answered']);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(order).toEqual(['answered']);
    goOn();
    expect(await running).toBe(1);
    expect(order).toEqual(['answered', 'go on', 'data']);
  });

  test('ends with what its sink or its call throws, within a second', async () => {
    const own = new Failure('enough', { kind: 'record' });
    const full: CopySink = {
      write: () => {
        throw own;
      },
    };
    const endless = copyOf("select repeat('x', 90) from generate_series(1, 2500000)");
    expect(await failureOf(connection.copyRun(endless, full, limits, {}))).toBe(own);
    const onAnswered = () => Promise.reject(own);
    expect(await failureOf((await again()).copyRun(endless, collector(), limits, { onAnswered }))).toBe(own);
  });

  test('ends when it is cancelled or late, whatever it waits for', async () => {
    const stop = new AbortController();
    const asleep = failureOf(
      connection.copyRun(copyOf('select pg_sleep(60)'), collector(), limits, { signal: stop.signal }),
    );
    setTimeout(() => stop.abort(new Failure('stopped', { kind: 'cancelled' })), 100);
    expect(await asleep).toMatchObject({ message: 'stopped' });

    const waiting = (await again()).copyRun(copyOf('select 1'), collector(), limits, {
      timeout: 200,
      onAnswered: () => new Promise(() => undefined),
    });
    expect(await failureOf(waiting)).toMatchObject({ kind: 'timeout' });

    const short = { ...limits, statementTimeout: 200 };
    const slow = await failureOf((await again()).copyRun(copyOf('select pg_sleep(60)'), collector(), short, {}));
    expect(slow).toMatchObject({ kind: 'sql', code: '57014' });
  });

  async function again(): Promise<Connection> {
    await connection.close();
    connection = await connect(targetAt(database, database.name), { applicationName: 'pgtally/copy-run-test' });
    return connection;
  }
});
