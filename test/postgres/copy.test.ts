import { type AddressInfo, connect as connectSocket, createServer, type Server as TcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import { connect } from '../../src/postgres/connect.ts';
import type { Connection, CopySink } from '../../src/postgres/connection.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };
/** More than every buffer between: about 250 MB. */
const ENDLESS = "copy (select generate_series(1, 2500000), repeat('x', 90)) to stdout (format binary)";

let database: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  connection = await connect(targetAt(database, database.name), { applicationName: 'pgtally/copy-test' });
});
afterEach(() => connection.close());

const copyOf = (query: string, format = 'text') => `copy (${query}) to stdout (format ${format})`;

/** Keeps the chunks themselves: they are not written to again. */
function collector(): CopySink & { text(): string; readonly chunks: Buffer[] } {
  const chunks: Buffer[] = [];
  return {
    chunks,
    write: (chunk) => {
      chunks.push(chunk);
      return undefined;
    },
    text: () => Buffer.concat(chunks).toString(),
  };
}

function openable(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}

async function activity(): Promise<string | undefined> {
  const [row] = await database.sql(
    `select state || ' ' || coalesce(wait_event, '-') as state from pg_stat_activity where pid = ${connection.backendPid}`,
  );
  return row?.state as string | undefined;
}

describe('a COPY', () => {
  test('gives every byte in order, in chunks of many rows, and the count of rows', async () => {
    const sink = collector();
    await connection.begin(limits);
    const rows = await connection.copyOut(copyOf('select i, md5(i::text) from generate_series(1, 50000) i'), sink);
    await connection.rollback();
    const expected = await database.sql(
      "select string_agg(i || E'\\t' || md5(i::text) || E'\\n', '' order by i) as text from generate_series(1, 50000) i",
    );
    expect(rows).toBe(50_000);
    expect(sink.text()).toBe(expected[0]?.text);
    expect(sink.chunks.length).toBeLessThan(1000);
  });

  test('of no rows gives none', async () => {
    const sink = collector();
    expect(await connection.copyOut(copyOf('select 1 where false'), sink)).toBe(0);
    expect(sink.text()).toBe('');
  });

  test('of a row of 40 MB comes in parts', async () => {
    const sink = collector();
    expect(await connection.copyOut(copyOf("select repeat('x', 40000000)"), sink)).toBe(1);
    expect(Buffer.concat(sink.chunks).length).toBe(40_000_001);
    expect(Math.max(...sink.chunks.map((chunk) => chunk.length))).toBeLessThan(1_000_000);
  });

  test('passes notices in the middle of its rows by', async () => {
    await database.sql(
      `create function noisy(i int) returns int language plpgsql as $$ begin raise notice 'row %', i; return i; end $$`,
    );
    const sink = collector();
    expect(await connection.copyOut(copyOf('select noisy(i) from generate_series(1, 300) i'), sink)).toBe(300);
    expect(sink.text()).toBe(Array.from({ length: 300 }, (_, i) => `${i + 1}\n`).join(''));
  });

  test('follows another in one transaction, many times', async () => {
    await connection.begin(limits);
    for (let i = 0; i < 50; i++) {
      const sink = collector();
      // With a write that waits, so that every end of a COPY meets a paused socket.
      const waiting: CopySink = { write: (chunk) => Promise.resolve(sink.write(chunk)) };
      expect(
        await connection.copyOut(copyOf(`select repeat('x', 1000) from generate_series(1, ${i * 20})`), waiting),
      ).toBe(i * 20);
      expect(sink.text().length).toBe(i * 20 * 1001);
    }
    await connection.rollback();
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('whose end is cut at every place leaves the connection in order', async () => {
    const proxy = await cuttingProxy(database.port);
    try {
      for (let cut = 0; cut < 12; cut++) {
        proxy.cutAfterDone(cut);
        const server = targetAt({ ...database, port: proxy.port }, database.name);
        const other = await connect(server, { applicationName: 'pgtally/copy-test' });
        const sink = collector();
        const waiting: CopySink = { write: (chunk) => Promise.resolve(sink.write(chunk)) };
        expect(await other.copyOut(copyOf("select repeat('x', 1000) from generate_series(1, 40)"), waiting)).toBe(40);
        expect(sink.text().length).toBe(40_040);
        expect(await other.rows('select 1 as one')).toEqual([{ one: 1 }]);
        await other.close();
      }
    } finally {
      await proxy.stop();
    }
  });
});

describe('back-pressure', () => {
  test('stops the server while a write is pending, and goes on after it', async () => {
    const gate = openable();
    let writes = 0;
    let bytes = 0;
    const sink: CopySink = {
      write(chunk) {
        bytes += chunk.length;
        return ++writes === 3 ? gate.promise : undefined;
      },
    };
    const before = process.memoryUsage().arrayBuffers;
    const copied = connection.copyOut(ENDLESS, sink);
    await vi.waitFor(async () => expect(await activity()).toBe('active ClientWrite'), { timeout: 15_000 });
    expect(writes).toBe(3);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    gate.resolve();
    expect(await copied).toBe(2_500_000);
    expect(bytes).toBeGreaterThan(250_000_000);
  });

  test('never writes before the last write has settled', async () => {
    let pending = 0;
    let most = 0;
    const sink: CopySink = {
      async write() {
        most = Math.max(most, ++pending);
        await new Promise((resolve) => setImmediate(resolve));
        pending--;
      },
    };
    expect(await connection.copyOut(copyOf('select i, md5(i::text) from generate_series(1, 100000) i'), sink)).toBe(
      100_000,
    );
    expect(most).toBe(1);
    expect(pending).toBe(0);
  });
});

describe('a COPY that has to stop', () => {
  const goesOn = async (): Promise<void> => {
    if (!connection.usable) return;
    await connection.rollback();
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
  };

  test.each([
    [
      'throws',
      () => {
        throw new Error('the sink is full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the sink is full'))],
  ])('because its sink %s rejects with that error, and the connection goes on', async (_how, fail) => {
    await connection.begin(limits);
    let writes = 0;
    const sink: CopySink = { write: () => (++writes === 5 ? fail() : undefined) };
    await expect(connection.copyOut(ENDLESS, sink)).rejects.toThrow('the sink is full');
    expect(writes).toBe(5);
    expect(connection.usable).toBe(true);
    await goesOn();
  });

  test('when its sink fails at the very last write still fails', async () => {
    const sink: CopySink = { write: () => Promise.reject(new Error('too late')) };
    await expect(connection.copyOut(copyOf('select 1'), sink)).rejects.toThrow('too late');
    await goesOn();
  });

  test('by a signal in the middle rejects with its reason, and the connection goes on', async () => {
    await connection.begin(limits);
    const controller = new AbortController();
    const reason = new Failure('stopped by the test', { kind: 'cancelled' });
    let bytes = 0;
    const sink: CopySink = {
      write(chunk) {
        bytes += chunk.length;
        if (bytes > 1_000_000) controller.abort(reason);
        return undefined;
      },
    };
    await expect(connection.copyOut(ENDLESS, sink, { signal: controller.signal })).rejects.toBe(reason);
    expect(connection.usable).toBe(true);
    await goesOn();
  });

  test('by a signal while its sink hangs does not wait for the sink', async () => {
    const controller = new AbortController();
    const sink: CopySink = { write: () => new Promise(() => setTimeout(() => controller.abort(), 20)) };
    await expect(connection.copyOut(ENDLESS, sink, { signal: controller.signal })).rejects.toMatchObject({
      kind: 'cancelled',
    });
    expect(connection.usable).toBe(true);
    await goesOn();
  });

  test('by a signal before its first row', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const slow = connection.copyOut(copyOf('select pg_sleep(20)'), collector(), { signal: controller.signal });
    await expect(slow).rejects.toMatchObject({ kind: 'cancelled' });
    await goesOn();
  });

  test('by a signal that is already aborted sends nothing', async () => {
    await expect(connection.rows('select 1', [], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'cancelled',
    });
    expect(connection.usable).toBe(true);
    await goesOn();
  });

  test('by its own limit', async () => {
    await expect(
      connection.copyOut(ENDLESS, { write: () => new Promise(() => {}) }, { timeout: 100 }),
    ).rejects.toMatchObject({
      kind: 'timeout',
      retryable: true,
    });
    await goesOn();
  });

  test('by cancel, as if somebody had cancelled it on the server', async () => {
    let cancelled: Promise<void> | undefined;
    const sink: CopySink = {
      write: () => {
        cancelled ??= connection.cancel();
        return undefined;
      },
    };
    await expect(connection.copyOut(ENDLESS, sink)).rejects.toMatchObject({ code: '57014' });
    await cancelled;
    await goesOn();
  });

  test('by close ends its session on the server', async () => {
    const started = openable();
    const copied = connection.copyOut(ENDLESS, {
      write: () => {
        started.resolve();
        return new Promise(() => {});
      },
    });
    const failed = expect(copied).rejects.toMatchObject({ kind: 'cancelled' });
    await started.promise;
    await connection.close();
    await failed;
    expect(connection.usable).toBe(false);
    await vi.waitFor(async () => expect(await activity()).toBeUndefined(), { timeout: 5_000 });
  });

  test('by close before its first row ends its session on the server', async () => {
    const failed = expect(connection.copyOut(copyOf('select pg_sleep(20)'), collector())).rejects.toMatchObject({
      kind: 'cancelled',
    });
    await vi.waitFor(async () => expect(await activity()).toBe('active PgSleep'));
    await connection.close();
    await failed;
    await vi.waitFor(async () => expect(await activity()).toBeUndefined(), { timeout: 5_000 });
  });

  test('by an error on its last row has given the rows before it', async () => {
    await connection.begin(limits);
    const sink = collector();
    const failing = connection.copyOut(copyOf('select 1 / (100000 - i) from generate_series(1, 100000) i'), sink);
    await expect(failing).rejects.toMatchObject({
      kind: 'data',
      code: '22012',
      retryable: false,
      message: 'division by zero',
    });
    expect(sink.text().length).toBeGreaterThan(100_000);
    await goesOn();
  });

  test('does not let its cancel hit the next statement', async () => {
    for (let i = 0; i < 30; i++) {
      const controller = new AbortController();
      let writes = 0;
      const sink: CopySink = {
        write: () => {
          if (++writes === 1 + (i % 5)) controller.abort();
          return undefined;
        },
      };
      // Short enough to end by itself about when the cancel arrives.
      const text = copyOf(`select repeat('x', 8000) from generate_series(1, ${5 + i * 4})`);
      await connection
        .copyOut(text, sink, { signal: controller.signal })
        .catch((error: Failure) => expect(error.kind).toBe('cancelled'));
      expect(await connection.rows('select 1 as one, pg_sleep(0.002)')).toMatchObject([{ one: 1 }]);
    }
  });
});

/** Forwards to a Postgres, and cuts what comes with CopyDone into two packets, some bytes after it. */
async function cuttingProxy(port: number) {
  const done = Buffer.from([0x63, 0, 0, 0, 4]);
  let offset = 0;
  const server: TcpServer = createServer((client) => {
    const upstream = connectSocket(port, '127.0.0.1');
    client.setNoDelay(true);
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      const at = bytes.indexOf(done);
      if (at < 0) return void client.write(bytes);
      upstream.pause();
      client.write(bytes.subarray(0, at + offset));
      setTimeout(() => {
        client.write(bytes.subarray(at + offset));
        upstream.resume();
      }, 30);
    });
    upstream.on('close', () => client.destroy()).on('error', () => client.destroy());
    client.on('close', () => upstream.destroy()).on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cutAfterDone: (bytes: number) => {
      offset = bytes;
    },
    stop: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
