import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Server } from '../../src/model/project.ts';
import { inspectServers } from '../../src/publish/inspect-servers.ts';
import { targetAt } from '../postgres/targets.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';

let database: TestDatabase;
let silent: NetServer;
const sockets = new Set<Socket>();

beforeAll(async () => {
  database = await freshDatabase();
  silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  silent.close();
  await database.drop();
});

const named = (name: string, address = database as { host: string; port: number; user: string }): Server =>
  targetAt(address, database.name, { name });

function silentServer(name: string): Server {
  const { port } = silent.address() as { port: number };
  return named(name, { host: '127.0.0.1', port, user: 'nobody' });
}

const noJobs = (): Promise<never> => Promise.reject(new Error('there are no jobs'));

test('servers that accept and never answer delay nobody else, and are told with their own failure', async () => {
  const ended: string[] = [];
  const servers = [silentServer('mute-1'), named('one'), silentServer('mute-2'), named('two')];
  const inspected = await inspectServers({
    servers,
    jobs: [],
    checkJob: noJobs,
    onServer: ({ server }) => ended.push(server.name),
    patience: 2_000,
  });
  expect(inspected.map(({ server, failure }) => [server.name, failure?.kind])).toEqual([
    ['mute-1', 'timeout'],
    ['one', undefined],
    ['mute-2', 'timeout'],
    ['two', undefined],
  ]);
  expect(ended.slice(0, 2).toSorted()).toEqual(['one', 'two']);
});

test('no more servers than asked for are connected to at a time, and a signal ends the wait for all', async () => {
  const before = sockets.size;
  const stopping = new AbortController();
  const servers = Array.from({ length: 8 }, (_, i) => silentServer(`s${i}`));
  const { signal } = stopping;
  const inspecting = inspectServers({ servers, jobs: [], concurrency: 3, checkJob: noJobs, signal });
  while (sockets.size < before + 3) await sleep(5);
  await sleep(100);
  expect(sockets.size).toBe(before + 3);
  stopping.abort();
  const inspected = await inspecting;
  expect(inspected.map(({ failure }) => failure?.kind)).toEqual(Array.from({ length: 8 }, () => 'cancelled'));
});

test('no connection is left behind', async () => {
  const servers = Array.from({ length: 12 }, (_, i) => named(`s${i}`, { ...database, host: `127.0.0.${i + 1}` }));
  const inspected = await inspectServers({ servers, jobs: [], checkJob: noJobs });
  expect(inspected.filter(({ report }) => report)).toHaveLength(12);
  const left = await database.sql(
    `select pid from pg_stat_activity where datname = current_database() and application_name = 'pgtally/check'`,
  );
  expect(left).toEqual([]);
});
