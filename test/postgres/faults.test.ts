import { type AddressInfo, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import type { Server } from '../../src/model/project.ts';
import { toFailure } from '../../src/postgres/classify.ts';
import { connect } from '../../src/postgres/connect.ts';
import type { Connection } from '../../src/postgres/connection.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { type FaultProxy, startProxy } from '../stack/proxy.ts';
import { targetAt } from './targets.ts';

const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };
const options = { applicationName: 'pgtally/faults-test' };
const ENDLESS = "copy (select generate_series(1, 100000000), repeat('x', 90)) to stdout (format binary)";
const ignore = { write: () => undefined };

let database: TestDatabase;
let server: Server;

beforeAll(async () => {
  database = await freshDatabase();
  await database.sql(`create table main (id int primary key, n numeric);
    insert into main values (1, 0), (2, 10);
    create role weak login; grant usage on schema public to weak`);
  server = targetAt(database, database.name);
});
afterAll(async () => {
  await database.sql('drop owned by weak; drop role weak');
  await database.drop();
});

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => 'it succeeded',
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw new Error(`expected a Failure, not ${inspect(error)}`);
}

describe('errors of statements', () => {
  let connection: Connection;
  beforeAll(async () => {
    connection = await connect(server, options);
  });
  afterAll(() => connection.close());

  test.each([
    ['division by zero', 'select 1 / n from main', { kind: 'data', code: '22012', message: 'division by zero' }],
    ['a text that is no number', "select 'x'::text::int from main", { kind: 'data', code: '22P02' }],
    ['a number out of range', 'select 100000 * 100000', { kind: 'data', code: '22003' }],
    ['two rows for a scalar', 'select (select id from main)', { kind: 'data', code: '21000' }],
    [
      'a missing table',
      'select *\nfrom nope',
      { kind: 'sql', code: '42P01', position: 15, message: 'relation "nope" does not exist' },
    ],
    ['a missing column', 'select nope from main', { kind: 'sql', code: '42703', position: 8 }],
    ['a missing function', 'select nope(1)', { kind: 'sql', code: '42883' }],
    ['a missing type', "select 'x'::nope", { kind: 'sql', code: '42704' }],
    ['a syntax error', 'selec 1', { kind: 'sql', code: '42601', position: 1 }],
    [
      'a function that raises',
      "do $$ begin raise exception 'no'; end $$",
      { kind: 'sql', code: 'P0001', message: 'no' },
    ],
    ['a missing schema', 'select * from nope.main', { kind: 'sql', code: '42P01' }],
    [
      'a write',
      'insert into main values (3, 1)',
      { kind: 'sql', code: '25006', hint: expect.stringContaining('only reads') },
    ],
    ['a view that is not there yet', 'refresh materialized view nope', { kind: 'sql' }],
    ['a feature that is not there', 'select * from main for update of main nowait', { kind: 'sql', code: '25006' }],
  ])('%s is final', async (_what, text, expected) => {
    await connection.begin(limits);
    const failure = await failureOf(connection.rows(text));
    await connection.rollback();
    expect(failure).toMatchObject({ ...expected, retryable: false });
  });

  test('a missing permission is final and says what to grant', async () => {
    const weak = await connect({ ...server, user: 'weak' }, options);
    const failure = await failureOf(weak.rows('select * from main'));
    expect(failure).toMatchObject({ kind: 'sql', code: '42501', retryable: false });
    expect(failure.hint).toContain('to weak');
    await weak.close();
  });

  test('a statement timeout is final, a cancel by somebody else is not', async () => {
    await connection.begin({ ...limits, statementTimeout: 200 });
    expect(await failureOf(connection.rows('select pg_sleep(10)'))).toMatchObject({
      kind: 'sql',
      code: '57014',
      retryable: false,
    });
    await connection.rollback();
    await connection.begin(limits);
    const cancelled = failureOf(connection.rows('select pg_sleep(10)'));
    await vi.waitFor(async () => {
      const [row] = await database.sql(
        `select pg_cancel_backend(pid) as done from pg_stat_activity where pid = ${connection.backendPid} and wait_event = 'PgSleep'`,
      );
      expect(row).toEqual({ done: true });
    });
    expect(await cancelled).toMatchObject({ kind: 'contention', code: '57014', retryable: true });
    await connection.rollback();
  });

  test('a statement timeout in the middle of a COPY is final, and the connection goes on', async () => {
    await connection.begin({ ...limits, statementTimeout: 200 });
    expect(await failureOf(connection.copyOut(ENDLESS, ignore))).toMatchObject({
      kind: 'sql',
      code: '57014',
      retryable: false,
    });
    await connection.rollback();
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('a lock timeout can be tried again', async () => {
    const holder = await connect(server, options);
    await holder.execute('begin', []);
    await holder.execute('lock table main in access exclusive mode', []);
    await connection.begin({ ...limits, lockTimeout: 100 });
    expect(await failureOf(connection.rows('select * from main'))).toMatchObject({
      kind: 'contention',
      code: '55P03',
      retryable: true,
    });
    await connection.rollback();
    await holder.rollback();
    await holder.close();
  });

  test('a serialization failure and a deadlock can be tried again', async () => {
    const [one, two] = await Promise.all([connect(server, options), connect(server, options)]);
    const update = (which: Connection, id: number) => which.execute('update main set n = n where id = $1', [id]);
    await one.execute('begin isolation level repeatable read', []);
    await one.rows('select * from main');
    await update(two, 1);
    expect(await failureOf(update(one, 1))).toMatchObject({ kind: 'contention', code: '40001', retryable: true });
    await one.rollback();
    await Promise.all([one.execute('begin', []), two.execute('begin', [])]);
    await update(one, 1);
    await update(two, 2);
    const outcomes = await Promise.allSettled([update(one, 2), update(two, 1)]);
    const failed = outcomes
      .filter((outcome) => outcome.status === 'rejected')
      .map((outcome) => outcome.reason as unknown);
    expect(failed).toMatchObject([{ kind: 'contention', code: '40P01', retryable: true }]);
    await Promise.all([one.close(), two.close()]);
  });

  test('a backend that sat idle in its transaction is lost, with what the server said', async () => {
    const other = await connect(server, options);
    await other.begin({ ...limits, idleTimeout: 50 });
    await other.ended;
    expect(other.usable).toBe(false);
    expect(await failureOf(other.rows('select 1'))).toMatchObject({ kind: 'connection', retryable: true });
  });
});

describe('errors of connecting', () => {
  test.each([
    [
      'a missing database',
      { database: 'no_such_db' },
      { kind: 'configuration', code: '3D000', retryable: false, hint: expect.stringContaining('`no_such_db`') },
    ],
    ['a missing role', { user: 'no_such_role' }, { kind: 'authentication', code: '28000', retryable: false }],
    [
      'a parameter the server does not know',
      { parameters: { no_such: 'x' } },
      { kind: 'sql', code: '42704', retryable: false },
    ],
    [
      'a host name that does not exist',
      { host: 'no-such-host.invalid' },
      { kind: 'connection', retryable: true, message: expect.stringContaining('no-such-host.invalid') },
    ],
    [
      'a socket that does not exist',
      { host: '/nonexistent' },
      { kind: 'connection', code: 'ENOENT', retryable: true, message: expect.stringContaining('/nonexistent') },
    ],
  ])('%s', async (_what, overrides, expected) => {
    expect(await failureOf(connect({ ...server, ...overrides }, options))).toMatchObject(expected);
  });

  test('a port where nobody listens is refused, and may be up later', async () => {
    const closed = await listen(() => undefined);
    await closed.stop();
    const failure = await failureOf(connect({ ...server, port: closed.port }, options));
    expect(failure).toMatchObject({
      kind: 'connection',
      code: 'ECONNREFUSED',
      retryable: true,
      message: 'connection refused',
    });
    expect(failure.hint).toBe(`is Postgres running at 127.0.0.1:${closed.port}?`);
    // On both addresses of a name: an error of errors without a text.
    const named = await failureOf(connect({ ...server, host: 'localhost', port: closed.port }, options));
    expect(named).toMatchObject({ code: 'ECONNREFUSED', message: 'connection refused' });
  });

  test.each([
    ['with plain text', 'disable'],
    ['asked for TLS', 'require'],
  ] as const)('a server that accepts and never answers, %s, runs into the limit', async (_how, mode) => {
    const silent = await listen(() => undefined);
    const hanging = { ...server, port: silent.port, tls: { mode } };
    const failure = await failureOf(connect(hanging, { ...options, connectTimeout: 150 }));
    expect(failure).toMatchObject({ kind: 'timeout', retryable: true, message: 'no connection within 150ms' });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    expect(await failureOf(connect(hanging, { ...options, signal: controller.signal }))).toMatchObject({
      kind: 'cancelled',
    });
    await silent.stop();
  });

  test('a server that answers ten bytes a second runs into the limit', async () => {
    const proxy = await startProxy('bytes');
    proxy.forwardTo(`127.0.0.1:${database.port}`);
    proxy.setRate(10);
    const slow = { ...server, port: portOf(proxy) };
    expect(await failureOf(connect(slow, { ...options, connectTimeout: 300 }))).toMatchObject({ kind: 'timeout' });
    await proxy.stop();
  });

  test.each([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'disable'],
    ['an HTTP server asked for TLS', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'prefer'],
  ] as const)('%s is no Postgres', async (_what, answer, mode) => {
    const other = await listen((socket) => socket.on('data', () => socket.write(answer)));
    const failure = await failureOf(connect({ ...server, port: other.port, tls: { mode } }, options));
    expect(failure).toMatchObject({
      kind: 'configuration',
      retryable: false,
      message: expect.stringContaining('does not speak'),
    });
    await other.stop();
  });

  test.each(['disable', 'prefer'] as const)('a server that hangs up at once is lost (%s)', async (mode) => {
    const other = await listen((socket) => socket.destroy());
    const failure = await failureOf(connect({ ...server, port: other.port, tls: { mode } }, options));
    expect(failure).toMatchObject({ kind: 'connection', retryable: true });
    await other.stop();
  });

  test('plain text behind the answer to the TLS request is refused', async () => {
    const other = await listen((socket) => socket.on('data', () => socket.write('Sinjected')));
    const failure = await failureOf(connect({ ...server, port: other.port, tls: { mode: 'require' } }, options));
    expect(failure).toMatchObject({ kind: 'tls', retryable: false });
    await other.stop();
  });
});

describe('a backend that is ended', () => {
  const terminate = (connection: Connection) => database.sql(`select pg_terminate_backend(${connection.backendPid})`);
  const byAdministrator = {
    kind: 'connection',
    code: '57P01',
    retryable: true,
    message: expect.stringContaining('administrator'),
  };

  test('while idle is noticed, and nothing runs on another session', async () => {
    const connection = await connect(server, options);
    await connection.begin(limits);
    await terminate(connection);
    await connection.ended;
    expect(connection.usable).toBe(false);
    expect(await failureOf(connection.execute('insert into main values (99, 1)', []))).toMatchObject(byAdministrator);
    expect(await database.sql('select * from main where id = 99')).toEqual([]);
  });

  test('in a statement rejects it with what the server said', async () => {
    const connection = await connect(server, options);
    await connection.begin(limits);
    const failure = failureOf(connection.rows('select pg_sleep(20)'));
    await vi.waitFor(async () => {
      const [row] = await database.sql(`select wait_event from pg_stat_activity where pid = ${connection.backendPid}`);
      expect(row).toEqual({ wait_event: 'PgSleep' });
    });
    await terminate(connection);
    expect(await failure).toMatchObject(byAdministrator);
    expect(connection.usable).toBe(false);
    await connection.close();
  });

  test('while it waits to describe rejects the description', async () => {
    const holder = await connect(server, options);
    await holder.execute('begin', []);
    await holder.execute('lock table main in access exclusive mode', []);
    const connection = await connect(server, options);
    const failure = failureOf(connection.describe('select * from main'));
    await vi.waitFor(async () => {
      const [row] = await database.sql(
        `select wait_event_type as waits from pg_stat_activity where pid = ${connection.backendPid}`,
      );
      expect(row).toEqual({ waits: 'Lock' });
    });
    await terminate(connection);
    expect(await failure).toMatchObject(byAdministrator);
    await holder.close();
  });

  test('in a COPY rejects it', async () => {
    const connection = await connect(server, options);
    await connection.begin(limits);
    let writes = 0;
    const sink = {
      write: () => {
        if (++writes === 3) void terminate(connection);
        return undefined;
      },
    };
    expect(await failureOf(connection.copyOut(ENDLESS, sink))).toMatchObject({ kind: 'connection', retryable: true });
    expect(connection.usable).toBe(false);
  });
});

describe('a network between that fails', () => {
  let proxy: FaultProxy;
  let through: Server;
  beforeAll(async () => {
    proxy = await startProxy('bytes');
    proxy.forwardTo(`127.0.0.1:${database.port}`);
    through = { ...server, port: portOf(proxy) };
  });
  afterAll(() => proxy.stop());

  test('frozen: a statement, a COPY and a close end all the same', async () => {
    const connections = await Promise.all([1, 2, 3, 4].map(() => connect(through, options)));
    const [one, two, three, four] = connections as [Connection, Connection, Connection, Connection];
    const thaw = proxy.freeze();
    const late = { kind: 'timeout', retryable: true, message: 'no answer within 100ms' };
    const aborted = new AbortController();
    const failures = Promise.all([
      failureOf(one.rows('select 1', [], { timeout: 100 })),
      failureOf(two.copyOut(ENDLESS, ignore, { timeout: 100 })),
      failureOf(three.begin(limits, { signal: aborted.signal })),
    ]);
    aborted.abort(new Failure('stopping', { kind: 'cancelled' }));
    expect(await failures).toMatchObject([late, late, { kind: 'cancelled' }]);
    expect([one.usable, two.usable, three.usable]).toEqual([false, false, false]);
    await Promise.all(connections.map((connection) => connection.close()));
    expect(four.usable).toBe(false);
    thaw();
  });

  test('cut: a COPY rejects, and so does the next statement', async () => {
    const connection = await connect(through, options);
    let writes = 0;
    const sink = {
      write: () => {
        if (++writes === 3) proxy.cut();
        return undefined;
      },
    };
    expect(await failureOf(connection.copyOut(ENDLESS, sink))).toMatchObject({ kind: 'connection', retryable: true });
    expect(await failureOf(connection.rows('select 1'))).toMatchObject({ kind: 'connection', retryable: true });
  });
});

describe('a whole server', () => {
  let own: PostgresServer;
  beforeAll(async () => {
    own = await startPostgres({ maxConnections: 5, configuration: 'superuser_reserved_connections = 1' });
  });
  afterAll(() => own.discard());

  test('without a free connection can be tried again, and still takes cancel requests', async () => {
    const full = targetAt(own, 'postgres');
    const first = await connect(full, options);
    await first.execute('create role plain login', []);
    const plain = { ...full, user: 'plain' };
    const rest = await Promise.all([1, 2, 3].map(() => connect(plain, options)));
    const failure = await failureOf(connect(plain, options));
    expect(failure).toMatchObject({ kind: 'resources', code: '53300', retryable: true });
    expect(failure.hint).toContain('max_connections');
    const controller = new AbortController();
    let writes = 0;
    const sink = {
      write: () => {
        if (++writes === 3) controller.abort();
        return undefined;
      },
    };
    expect(await failureOf(first.copyOut(ENDLESS, sink, { signal: controller.signal }))).toMatchObject({
      kind: 'cancelled',
    });
    expect(first.usable).toBe(true);
    await Promise.all([first, ...rest].map((connection) => connection.close()));
  });

  test('that is shut down, that crashes, and that starts again', async () => {
    const target = targetAt(own, 'postgres');
    const connection = await connect(target, options);
    const copied = failureOf(connection.copyOut(ENDLESS, ignore));
    const idle = await connect(target, options);
    await own.stop();
    expect(await copied).toMatchObject({ kind: 'connection', retryable: true });
    await idle.ended;
    expect(await failureOf(connect(target, options))).toMatchObject({ code: 'ECONNREFUSED' });
    await own.restart();
    const again = await connect(target, options);
    const sleeping = failureOf(again.rows('select pg_sleep(20)'));
    await own.kill();
    expect(await sleeping).toMatchObject({ kind: 'connection', retryable: true });
    expect(again.usable).toBe(false);
    await own.restart();
  });
});

describe('errors that are not provoked here', () => {
  test.each([
    ['53200', 'resources', true],
    ['53100', 'resources', true],
    ['53400', 'resources', false],
    ['58030', 'resources', true],
    ['57P02', 'connection', true],
    ['57P03', 'connection', true],
    ['57P05', 'connection', true],
    ['08006', 'connection', true],
    ['57P04', 'configuration', false],
    ['40003', 'connection', true],
    ['28P01', 'authentication', false],
    ['23505', 'data', false],
    ['XX001', 'sql', false],
    ['ZZ999', 'sql', false],
  ])('%s is %s, to be tried again: %s', (code, kind, retryable) => {
    const error = Object.assign(new Error('text'), { severity: 'ERROR', code, detail: 'More.', hint: 'do this' });
    expect(toFailure(error, server)).toMatchObject({ kind, retryable, code, message: 'text (More)', hint: 'do this' });
  });

  test('what is not known is internal', () => {
    expect(toFailure(new TypeError('x is not a function'), server)).toMatchObject({
      kind: 'internal',
      retryable: false,
    });
    expect(toFailure('text', server)).toMatchObject({ kind: 'internal', message: 'unexpected error: text' });
    expect(toFailure(undefined, server)).toMatchObject({ kind: 'internal' });
  });
});

function portOf(proxy: FaultProxy): number {
  return Number(proxy.address.split(':')[1]);
}

async function listen(onConnection: (socket: Socket) => void): Promise<{ port: number; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  return {
    port: (tcp.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => tcp.close(() => resolve()));
    },
  };
}
