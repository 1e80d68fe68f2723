// Connections kept between runs, for a fleet: at most one in use a (server, job), a limit on all of them together, and
// only those kept whose next run is near. What a run does with its connection is not known here.
import { Failure } from '../model/failure.ts';
import type { Limits, Server } from '../model/project.ts';
import type { JobName, Milliseconds } from '../model/units.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import { abortReason } from './deadline.ts';

export interface AcquireOptions {
  readonly signal?: AbortSignal;
  readonly connectTimeout?: Milliseconds;
}

export interface ConnectionKeeper {
  /**
   * The kept connection of (server, job), or a new one. Waits while another run of the two has it, or while
   * `limits.connections` are open and none of them is idle. Rejects as `connect` does, or with the signal's reason.
   */
  acquire(server: Server, job: JobName, options?: AcquireOptions): Promise<Connection>;
  /**
   * Gives a connection back. It is kept when it is usable, outside a transaction, and `keepUntil` (epoch milliseconds:
   * the moment it is next needed) is at most `limits.keep` away; else it is closed. Resolves when that is done.
   */
  release(connection: Connection, options?: { readonly keepUntil?: number }): Promise<void>;
  /** Gives a connection back to be closed. */
  discard(connection: Connection): Promise<void>;
  /** Open ones, in use and idle, with those being opened and closed. */
  readonly open: number;
  readonly idle: number;
  /** Closes all, also those in use; nothing is opened any more. */
  close(): Promise<void>;
}

interface Idle {
  readonly connection: Connection;
  readonly until: number;
}

/** How often connections that were not fetched are looked for. */
const SWEEP: Milliseconds = 2_000;
/** How long after its moment one is closed: when thousands are due at one instant, it takes some seconds to come to the last of them. */
const OVERDUE: Milliseconds = 30_000;

/** `now` gives epoch milliseconds. */
export function createConnectionKeeper(
  limits: Pick<Limits, 'connections' | 'keep'>,
  now: () => number = Date.now,
): ConnectionKeeper {
  const idle = new Map<string, Idle>();
  const inUse = new Map<Connection, string>();
  const all = new Set<Connection>();
  const locks = createLocks();
  const slots = createSlots(limits.connections);
  /** One a call of `acquire` that is under way. */
  const attempts = new Set<AbortController>();
  let stopping = false;
  let sweeper: NodeJS.Timeout | undefined;

  function sweep(): void {
    sweeper = undefined;
    for (const [key, { connection, until }] of idle) {
      if (until + OVERDUE > now()) continue;
      idle.delete(key);
      void connection.close();
    }
    startSweeper();
  }

  /** One timer for all, and none when nothing is kept. */
  function startSweeper(): void {
    if (sweeper || idle.size === 0) return;
    sweeper = setTimeout(sweep, SWEEP);
    sweeper.unref();
  }

  /** Closes the idle connection that is needed last, to make room. */
  function evict(): void {
    let latest: [string, Idle] | undefined;
    for (const entry of idle) if (!latest || entry[1].until > latest[1].until) latest = entry;
    if (!latest) return;
    idle.delete(latest[0]);
    void latest[1].connection.close();
  }

  function takeIdle(key: string, server: Server): Connection | undefined {
    const kept = idle.get(key);
    if (!kept) return undefined;
    idle.delete(key);
    if (kept.connection.usable && sameTarget(kept.connection.server, server)) return kept.connection;
    void kept.connection.close();
    return undefined;
  }

  /** The kept connection, if nobody has it: what nearly every run of a fleet meets. */
  function takeAtOnce(key: string, server: Server): Connection | undefined {
    if (!idle.has(key) || !locks.tryLock(key)) return undefined;
    const connection = takeIdle(key, server);
    if (connection) inUse.set(connection, key);
    else locks.unlock(key);
    return connection;
  }

  async function open(key: string, server: Server, job: JobName, options: AcquireOptions): Promise<Connection> {
    if (slots.free === 0) evict();
    await slots.take(options.signal);
    try {
      const connection = await connect(server, { ...options, applicationName: `pgtally/${job}` });
      all.add(connection);
      void connection.ended.then(() => {
        all.delete(connection);
        if (idle.get(key)?.connection === connection) idle.delete(key);
        slots.give();
      });
      return connection;
    } catch (error) {
      slots.give();
      throw error;
    }
  }

  async function giveBack(connection: Connection, keepUntil: number | undefined): Promise<void> {
    const key = inUse.get(connection);
    if (key === undefined) return;
    inUse.delete(connection);
    const near = keepUntil !== undefined && keepUntil - now() <= limits.keep && !stopping;
    if (near && connection.usable && !connection.inTransaction && slots.waiting === 0) {
      idle.set(key, { connection, until: keepUntil });
      startSweeper();
      locks.unlock(key);
      return;
    }
    locks.unlock(key);
    await connection.close();
  }

  return {
    async acquire(server, job, options = {}) {
      const key = `${server.name}\n${job}`;
      const kept = stopping || options.signal?.aborted ? undefined : takeAtOnce(key, server);
      if (kept) return kept;
      const attempt = new AbortController();
      const onAbort = (): void => attempt.abort(abortReason(options.signal));
      if (options.signal?.aborted) onAbort();
      if (stopping) attempt.abort(stopped());
      options.signal?.addEventListener('abort', onAbort, { once: true });
      attempts.add(attempt);
      try {
        await locks.lock(key, attempt.signal);
        try {
          const connection =
            takeIdle(key, server) ?? (await open(key, server, job, { ...options, signal: attempt.signal }));
          inUse.set(connection, key);
          return connection;
        } catch (error) {
          locks.unlock(key);
          throw error;
        }
      } finally {
        attempts.delete(attempt);
        options.signal?.removeEventListener('abort', onAbort);
      }
    },
    release: (connection, { keepUntil } = {}) => giveBack(connection, keepUntil),
    discard: (connection) => giveBack(connection, undefined),
    get open() {
      return limits.connections - slots.free;
    },
    get idle() {
      return idle.size;
    },
    async close() {
      stopping = true;
      for (const attempt of attempts) attempt.abort(stopped());
      clearTimeout(sweeper);
      idle.clear();
      await Promise.all([...all].map((connection) => connection.close()));
    },
  };
}

function stopped(): Failure {
  return new Failure('pgtally is stopping', { kind: 'cancelled' });
}

/** After a reload a server is another object, and mostly the same target: its connections stay. */
function sameTarget(left: Server, right: Server): boolean {
  if (left === right) return true;
  const target = ({ host, port, user, database, password, passfile, parameters, tls }: Server): string =>
    JSON.stringify([host, port, user, database, password, passfile, parameters, tls]);
  return target(left) === target(right);
}

interface Waiter {
  readonly wake: () => void;
}

/** Waits in line until woken; rejects with the signal's reason, out of the line. */
function waitIn(line: Set<Waiter>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      line.delete(waiter);
      reject(abortReason(signal));
    };
    const waiter: Waiter = {
      wake() {
        signal?.removeEventListener('abort', onAbort);
        line.delete(waiter);
        resolve();
      },
    };
    if (signal?.aborted) return reject(abortReason(signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    line.add(waiter);
  });
}

/** Wakes the first in line; false when there is none. */
function wakeFirst(line: Set<Waiter> | undefined): boolean {
  const first = line?.values().next();
  if (!first || first.done) return false;
  first.value.wake();
  return true;
}

/** One holder a key; the others wait in line and are handed the lock. */
function createLocks() {
  const lines = new Map<string, Set<Waiter>>();
  return {
    tryLock(key: string): boolean {
      if (lines.has(key)) return false;
      lines.set(key, new Set());
      return true;
    },
    async lock(key: string, signal: AbortSignal): Promise<void> {
      const line = lines.get(key);
      if (line) return waitIn(line, signal);
      if (signal.aborted) throw abortReason(signal);
      lines.set(key, new Set());
    },
    unlock(key: string): void {
      if (!wakeFirst(lines.get(key))) lines.delete(key);
    },
  };
}

/** A counting semaphore; a slot given back goes to the first in line. */
function createSlots(count: number) {
  const line = new Set<Waiter>();
  let free = count;
  return {
    get free(): number {
      return free;
    },
    get waiting(): number {
      return line.size;
    },
    async take(signal: AbortSignal | undefined): Promise<void> {
      if (free === 0) return waitIn(line, signal);
      free--;
    },
    give(): void {
      if (!wakeFirst(line)) free++;
    },
  };
}
