// The demo's fleet: databases shard1 … shard3 of one Postgres, each at a loopback address of its own, with an empty table
// `main`, and the role that pgtally connects as.
import { createConnection } from 'node:net';
import postgres from 'postgres';
import { DDL, grants } from '../src/ingest/offsets-table.ts';
import type { PostgresAddress } from '../test/stack/postgres-server.ts';

export interface Shard {
  readonly name: string;
  readonly database: string;
  readonly host: string;
}

/** What the owner of a database does for pgtally: its role reads and fills one table, and keeps its offsets. */
const SCHEMA = `
  create table main (group_id text, payload json);
  grant connect on database current_database_name to pgtally;
  grant select, insert on main to pgtally;
  ${DDL}
  ${grants('pgtally')}
`;

/** Makes the three. Where a loopback address but 127.0.0.1 cannot be reached, all three are there, and it says so. */
export async function createShards(server: PostgresAddress): Promise<readonly Shard[]> {
  await on(server, 'postgres', `create role pgtally login password 'pgtally'`);
  return Promise.all([1, 2, 3].map((number) => createShard(server, number)));
}

/** From a server that was there before and stays. */
export async function removeShards(server: PostgresAddress): Promise<void> {
  for (const number of [1, 2, 3]) await on(server, 'postgres', `drop database if exists shard${number} with (force)`);
  await on(server, 'postgres', 'drop role if exists pgtally');
}

async function createShard(server: PostgresAddress, number: number): Promise<Shard> {
  const database = `shard${number}`;
  await on(server, 'postgres', `create database ${database}`);
  await on(server, database, SCHEMA.replace('current_database_name', database));
  const host = await addressOf(number, server);
  return { name: `shard-${number}`, database, host };
}

async function addressOf(number: number, { host, port }: PostgresAddress): Promise<string> {
  if (!host.startsWith('127.') && host !== 'localhost') return host;
  const own = `127.0.0.${number}`;
  if (await answers(own, port)) return own;
  process.stdout.write(
    `  ${own} cannot be reached on this machine: shard-${number} is at 127.0.0.1, with the same inet_server_addr()\n`,
  );
  return '127.0.0.1';
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 2000 });
    const end = (answered: boolean) => (): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

async function on(server: PostgresAddress, database: string, text: string): Promise<void> {
  const { host, port, user, password } = server;
  const sql = postgres({ host, port, user, password, database, max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}
