// The few connections over which the partitions of one job are written side by side: opened when they are needed, replaced
// when they are lost. What is written is not known here.
import type { Milliseconds } from '../model/units.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import type { ConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { findUnfitCall } from '../project/row-calls.ts';
import { PlacedFailure } from './placed-failure.ts';

export interface Lanes {
  /**
   * Does work on a connection of its own, one statement at a time; waits while all are in use. Rejects as connecting does, and
   * with what `work` rejects with; a connection whose work failed is not used again.
   */
  use<T>(work: (connection: Connection, options: CallOptions) => Promise<T>): Promise<T>;
  /** Gives all back; they are kept until `keepUntil` (epoch ms) if that is near. */
  close(keepUntil?: number): Promise<void>;
}

/** More would wait for each other in Postgres: what is inserted goes into one table. */
export const MOST_LANES = 4;

const LOCK_TIMEOUT: Milliseconds = 10_000;
/** What our own limit leaves for Postgres's error to come back. */
const ANSWER_TIME: Milliseconds = 2_000;

/** Lanes for a job on its server; nothing is connected yet. */
export function createLanes(
  connections: ConnectionKeeper,
  prepared: PreparedIngest,
  server: PreparedIngest['job']['servers'][number],
  signal: AbortSignal,
): Lanes {
  const { job } = prepared;
  const options: CallOptions = { signal, timeout: job.timeout + ANSWER_TIME };
  const idle: { number: number; connection: Connection | undefined }[] = Array.from(
    { length: MOST_LANES },
    (_, number) => ({ number, connection: undefined }),
  );
  const waiting: (() => void)[] = [];

  const take = async (): Promise<(typeof idle)[number]> => {
    for (;;) {
      // An open one first.
      const at = idle.findIndex(({ connection }) => connection?.usable);
      const [lane] = idle.splice(Math.max(at, 0), 1);
      if (lane) return lane;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const open = async (number: number): Promise<Connection> => {
    // The keeper gives one connection a (server, name); a job's name has no slash.
    const name = number === 0 ? job.name : `${job.name}/${number + 1}`;
    const connection = await connections.acquire(server, name, { signal });
    try {
      await prepareSession(connection, job.timeout, options);
      const unfit = await findUnfitCall(connection, prepared.sql.rowCalls, options);
      if (unfit) throw new PlacedFailure(unfit.failure, unfit.place);
      return connection;
    } catch (error) {
      await connections.discard(connection);
      throw error;
    }
  };

  return {
    async use(work) {
      const lane = await take();
      try {
        if (lane.connection && !lane.connection.usable) {
          await connections.discard(lane.connection);
          lane.connection = undefined;
        }
        lane.connection ??= await open(lane.number);
        return await work(lane.connection, options);
      } catch (error) {
        if (lane.connection) await connections.discard(lane.connection);
        lane.connection = undefined;
        throw error;
      } finally {
        idle.push(lane);
        waiting.shift()?.();
      }
    },
    async close(keepUntil) {
      const release = keepUntil === undefined ? {} : { keepUntil };
      await Promise.all(
        idle.splice(0).map(async ({ connection }) => {
          if (connection) await connections.release(connection, release);
        }),
      );
    },
  };
}

/**
 * Settings of a session that writes. Names are looked up where the role looks by default, whatever a pooler's session was
 * left with, and among temporary tables last, which otherwise come before the job's own.
 */
async function prepareSession(connection: Connection, timeout: Milliseconds, options: CallOptions): Promise<void> {
  await connection.execute(
    `select set_config('search_path', concat_ws(', ', 'pg_catalog', nullif(reset_val, ''), 'pg_temp'), false),
            set_config('statement_timeout', $1::text, false), set_config('lock_timeout', $2::text, false)
     from pg_catalog.pg_settings where name = 'search_path'`,
    [String(timeout), String(Math.min(LOCK_TIMEOUT, timeout))],
    options,
  );
}
