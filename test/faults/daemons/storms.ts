// What is done to three daemons and to their Postgres, for as long as a test says.
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { type PostgresServer, startPostgres } from '../../stack/postgres-server.ts';
import { type SlotCount, startDaemons } from './daemons.ts';

type Harm = (server: PostgresServer) => Promise<void>;
const between = (least: number, most: number): number => least + Math.random() * (most - least);

/** Kills of a random daemon every 2 to 5 s. */
export async function killDaemons(seconds: number): Promise<SlotCount> {
  return storm(seconds, async (_, daemons) => {
    await sleep(between(2000, 5000));
    await daemons.replaceOne();
  });
}

/** Every backend of Postgres terminated every 20 ms, for a second at a time, a second apart: queries need some tens of ms. */
export async function terminateBackends(seconds: number): Promise<SlotCount> {
  return storm(seconds, async (server) => {
    await sleep(1000);
    const { host, port, user } = server;
    const sql = postgres({ host, port, user, database: 'postgres', max: 1, fetch_types: false });
    for (let times = 0; times < 50; times++) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
                where backend_type = 'client backend' and pid <> pg_backend_pid()`;
      await sleep(20);
    }
    await sql.end();
  });
}

/** Postgres crashed and recovered every 3 to 6 s. */
export async function crashPostgres(seconds: number): Promise<SlotCount> {
  return storm(seconds, async (server) => {
    await sleep(between(2000, 4000));
    await server.kill();
    await sleep(between(0, 2000));
    await server.restart();
  });
}

async function storm(
  seconds: number,
  harm: (server: PostgresServer, daemons: Awaited<ReturnType<typeof startDaemons>>) => ReturnType<Harm>,
): Promise<SlotCount> {
  // A Postgres of its own: what is done to it is done to nobody else.
  const server = await startPostgres();
  const ends = [() => server.discard()];
  try {
    const daemons = await startDaemons(server, (end) => ends.unshift(end));
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) await harm(server, daemons);
    return await daemons.count();
  } finally {
    for (const end of ends) await end();
  }
}
