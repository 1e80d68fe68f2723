import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Server } from '../../src/model/project.ts';
import { type ConnectionKeeper, createConnectionKeeper } from '../../src/postgres/pool.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const limits = { statementTimeout: 20_000, lockTimeout: 5_000, idleTimeout: 20_000 };
const KEEP = 60_000;

let database: TestDatabase;
let keeper: ConnectionKeeper;
/** What the keeper takes for the time: epoch milliseconds. */
let time = 1_000_000;
const soon = () => ({ keepUntil: time + 1_000 });

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());
afterEach(() => keeper.close());

function startKeeper(connections = 10): ConnectionKeeper {
  keeper = createConnectionKeeper({ connections, keep: KEEP }, () => time);
  return keeper;
}

function server(name = 'one', overrides: Partial<Server> = {}): Server {
  return targetAt(database, database.name, { name, ...overrides });
}

async function sessions(): Promise<number> {
  const [row] = await database.sql(
    `select count(*)::int as n from pg_stat_activity where datname = '${database.name}' and application_name like 'pgtally/%'`,
  );
  return Number(row?.n);
}

/** Resolves to whether a promise is still pending after the event loop has turned a few times. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const none = Symbol('pending');
  const later = new Promise((resolve) => setTimeout(resolve, 50, none));
  return (await Promise.race([promise, later])) === none;
}

describe('the keeper of connections', () => {
  test('gives the same connection to the next run of a server and job, and another one to others', async () => {
    startKeeper();
    const first = await keeper.acquire(server(), 'job');
    const [row] = await first.rows("select current_setting('application_name') as name");
    expect(row).toEqual({ name: 'pgtally/job' });
    await keeper.release(first, soon());
    expect(keeper.idle).toBe(1);
    expect(await keeper.acquire(server(), 'job')).toBe(first);
    expect(await keeper.acquire(server(), 'other job')).not.toBe(first);
    expect(await keeper.acquire(server('two'), 'job')).not.toBe(first);
    expect(keeper.open).toBe(3);
  });

  test('closes what is not needed soon, is in a transaction, or is discarded', async () => {
    startKeeper();
    const far = await keeper.acquire(server(), 'job');
    await keeper.release(far, { keepUntil: time + KEEP + 1 });
    const never = await keeper.acquire(server(), 'job');
    await keeper.release(never);
    const open = await keeper.acquire(server(), 'job');
    await open.begin(limits);
    await keeper.release(open, soon());
    const discarded = await keeper.acquire(server(), 'job');
    await keeper.discard(discarded);
    expect([far, never, open, discarded].map((connection) => connection.usable)).toEqual([false, false, false, false]);
    expect(new Set([far, never, open, discarded]).size).toBe(4);
    expect([keeper.open, keeper.idle]).toEqual([0, 0]);
    await keeper.release(discarded, soon());
    expect(keeper.idle).toBe(0);
  });

  test('never has two of a server and job in use', async () => {
    startKeeper();
    const first = await keeper.acquire(server(), 'job');
    const second = keeper.acquire(server(), 'job');
    const third = keeper.acquire(server(), 'job');
    expect(await isPending(second)).toBe(true);
    await keeper.release(first, soon());
    expect(await second).toBe(first);
    expect(await isPending(third)).toBe(true);
    await keeper.discard(await second);
    expect(await third).not.toBe(first);
    expect(keeper.open).toBe(1);
  });

  test('does not hold its lock when connecting fails', async () => {
    startKeeper();
    const broken = server('broken', { database: 'no_such_database' });
    for (let i = 0; i < 3; i++) await expect(keeper.acquire(broken, 'job')).rejects.toMatchObject({ code: '3D000' });
    expect(keeper.open).toBe(0);
  });

  test('leaves the line when its signal says so', async () => {
    startKeeper();
    const first = await keeper.acquire(server(), 'job');
    const controller = new AbortController();
    const second = keeper.acquire(server(), 'job', { signal: controller.signal });
    const third = keeper.acquire(server(), 'job');
    controller.abort();
    await expect(second).rejects.toMatchObject({ kind: 'cancelled' });
    await keeper.release(first, soon());
    expect(await third).toBe(first);
    await expect(keeper.acquire(server(), 'job', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'cancelled',
    });
    await keeper.release(first, soon());
    expect(await keeper.acquire(server(), 'job')).toBe(first);
  });

  test('stays below its limit: closes the idle one that is needed last, or waits', async () => {
    startKeeper(2);
    const early = await keeper.acquire(server('early'), 'job');
    const late = await keeper.acquire(server('late'), 'job');
    await keeper.release(early, { keepUntil: time + 1_000 });
    await keeper.release(late, { keepUntil: time + 2_000 });
    const third = await keeper.acquire(server('third'), 'job');
    expect([early.usable, late.usable]).toEqual([true, false]);
    expect(keeper.open).toBe(2);
    const again = await keeper.acquire(server('early'), 'job');
    expect(again).toBe(early);
    const waiting = keeper.acquire(server('fourth'), 'job');
    expect(await isPending(waiting)).toBe(true);
    // Somebody waits for room: it is not kept.
    await keeper.release(third, soon());
    expect((await waiting).usable).toBe(true);
    expect(third.usable).toBe(false);
    expect(keeper.open).toBe(2);
    expect(await sessions()).toBe(2);
  });

  test('does not count connections that the server has closed, and does not hand them out', async () => {
    startKeeper(1);
    const first = await keeper.acquire(server(), 'job');
    await keeper.release(first, soon());
    await database.sql(`select pg_terminate_backend(${first.backendPid})`);
    await first.ended;
    expect([keeper.open, keeper.idle]).toEqual([0, 0]);
    const second = await keeper.acquire(server(), 'job');
    expect(second).not.toBe(first);
    expect(await second.rows('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('keeps over a reload what leads to the same target, and nothing else', async () => {
    startKeeper();
    const first = await keeper.acquire(server(), 'job');
    await keeper.release(first, soon());
    expect(await keeper.acquire(server('one', { labels: { role: 'new' } }), 'job')).toBe(first);
    await keeper.release(first, soon());
    const second = await keeper.acquire(server('one', { password: { value: 'changed' } }), 'job');
    expect(second).not.toBe(first);
    await first.ended;
    expect(keeper.open).toBe(1);
  });

  test('closes what is not fetched long after its moment, not what a burst has yet to come to', async () => {
    startKeeper();
    const first = await keeper.acquire(server(), 'job');
    await keeper.release(first, { keepUntil: time + 1_000 });
    const kept = await keeper.acquire(server('two'), 'job');
    await keeper.release(kept, { keepUntil: time + 12_000 });
    time += 32_000;
    await vi.waitFor(() => expect(first.usable).toBe(false), { timeout: 10_000 });
    expect(kept.usable).toBe(true);
    expect(keeper.idle).toBe(1);
  });

  test('closes all at its end, and refuses who waits and who comes', async () => {
    startKeeper();
    const used = await keeper.acquire(server(), 'job');
    const idle = await keeper.acquire(server('two'), 'job');
    await keeper.release(idle, soon());
    const waiting = keeper.acquire(server(), 'job');
    const refused = expect(waiting).rejects.toMatchObject({ kind: 'cancelled' });
    await keeper.close();
    await refused;
    await expect(keeper.acquire(server(), 'third')).rejects.toMatchObject({ kind: 'cancelled' });
    expect([used.usable, idle.usable]).toEqual([false, false]);
    expect([keeper.open, keeper.idle]).toEqual([0, 0]);
  });

  test('serves a fleet that is larger than its limit', async () => {
    startKeeper(5);
    let most = 0;
    const run = async (n: number) => {
      const connection = await keeper.acquire(server(`server-${n % 20}`), 'job');
      most = Math.max(most, keeper.open);
      const [row] = await connection.rows(`select ${n} as n`);
      await keeper.release(connection, n % 3 === 0 ? {} : soon());
      return row?.n;
    };
    const results = await Promise.all(Array.from({ length: 100 }, (_, n) => run(n)));
    expect(results).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(most).toBe(5);
    expect(await sessions()).toBeLessThanOrEqual(5);
  });
});
