// A connection to one server: what can be asked of it, each under a limit and a signal. It is never opened again: once
// lost it stays unusable (postgres.js would go on in silence with a new session, outside the transaction). How it is
// opened is in connect.ts.
import type postgres from 'postgres';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import { requestCancel } from './cancel.ts';
import { lateAnswer, lostConnection, toFailure } from './classify.ts';
import { beginText, placedInCopy, runMessage, sinkAfter, type TransactionLimits } from './one-message.ts';
import { type Parameter, toParameterText } from './parameters.ts';
import { CANCEL_GRACE, type Stoppable, supervise } from './supervise.ts';
import type { CopySink, Wire } from './wire.ts';

export type { TransactionLimits } from './one-message.ts';
export type { Parameter } from './parameters.ts';
export type { CopySink } from './wire.ts';

export interface CallOptions {
  /** Ends the statement: it is cancelled on the server, and rejects with the signal's reason within a second. */
  readonly signal?: AbortSignal;
  /** Ends it as well. Default: the transaction's statement timeout and 2 s (Postgres's own error comes first), else 60 s. */
  readonly timeout?: Milliseconds;
  /** What it rejects with then. */
  readonly late?: () => Failure;
}

export interface Column {
  readonly name: string;
  /** `pg_type.oid`. */
  readonly typeOid: number;
}

/** One statement at a time. Every function rejects with a Failure, and within its limit and a second. */
export interface Connection {
  readonly server: Server;
  readonly backendPid: number;
  /** As `server_version_num`: 150018 is 15.18. */
  readonly serverVersion: number;
  /** False once the connection is lost or closed: open another one. */
  readonly usable: boolean;
  /** Whether a transaction is open (or has failed and is not rolled back). */
  readonly inTransaction: boolean;
  /** Resolves when the connection is lost or closed. */
  readonly ended: Promise<void>;
  /** Opens a repeatable read, read-only transaction with its limits, in one round trip. */
  begin(limits: TransactionLimits, options?: CallOptions): Promise<void>;
  /** What `describe` gave for this text before, while it is kept. */
  described(sql: string): readonly Column[] | undefined;
  /** The columns of ONE statement (two are refused by the extended protocol); kept by text, forgotten on any error. */
  describe(sql: string, options?: CallOptions): Promise<readonly Column[]>;
  /**
   * Runs `copy … to stdout` and hands its bytes to the sink, in order, split anywhere; resolves with the number of rows
   * after the last write has settled. When the sink throws or rejects, the COPY is cancelled and that error rejects
   * this. After an error the connection is either ready for `rollback` or not usable.
   */
  copyOut(sql: string, sink: CopySink, options?: CallOptions): Promise<number>;
  /**
   * `begin`, `copyOut` and `rollback` in one message, for a statement that needs no more questions. `onAnswered` is called once
   * the server has answered at all; data waits for it, and its error is a sink's. After an error do not use the connection.
   */
  copyRun(
    sql: string,
    sink: CopySink,
    limits: TransactionLimits,
    options: CallOptions & { readonly onAnswered?: () => Promise<void> },
  ): Promise<number>;
  /** Rows of a small query. bigint and numeric come as text, timestamps as Date. */
  rows(sql: string, parameters?: readonly Parameter[], options?: CallOptions): Promise<Record<string, unknown>[]>;
  /** One statement with `$1 …`, prepared once for each text. Outside `begin` it is a transaction of its own. */
  execute(
    sql: string,
    parameters: readonly Parameter[],
    options?: CallOptions,
  ): Promise<{ readonly count: number; readonly rows: Record<string, unknown>[] }>;
  /** Ends the transaction; does nothing when there is none. */
  rollback(options?: CallOptions): Promise<void>;
  /** Resets the session: settings, temporary tables, advisory locks, notifications. */
  discardAll(options?: CallOptions): Promise<void>;
  /** Asks the server to cancel what is running, and returns when it has been asked. */
  cancel(): Promise<void>;
  /** Within a second, also in the middle of a COPY, which it cancels. Never rejects. */
  close(): Promise<void>;
}

const DEFAULT_LIMIT: Milliseconds = 60_000;
/** What our own limit leaves for Postgres's error to come back. */
const ANSWER_TIME: Milliseconds = 2_000;
/** A 57014 this long before its time is no statement timeout. */
const EARLY: Milliseconds = 100;
const CLOSE_TIME: Milliseconds = 400;
/** Descriptions kept; texts that hold a window's instants are new in each run. */
const KEPT_DESCRIPTIONS = 32;

/** Makes the connection of a wire whose login is done. `address`: where it leads, for cancel requests. */
export function createConnection(
  server: Server,
  sql: postgres.Sql,
  wire: Wire,
  address: string | undefined,
): Connection {
  const descriptions = new Map<string, readonly Column[]>();
  let statementTimeout: Milliseconds | undefined;
  let running = false;
  let closing: Promise<void> | undefined;

  const target: Stoppable = {
    discard: () => wire.copyTo(undefined),
    requestCancel: (limit) => requestCancel(server, address, wire.backend, limit),
    destroy: (reason) => wire.destroy(reason),
  };
  /**
   * Settles the statement under way: postgres.js leaves some unsettled when their connection ends. (Were it a promise that each
   * statement races with, it would keep what each of them gave until then.)
   */
  let settleLost: (error: unknown) => void = () => undefined;
  void wire.end.then(() => settleLost(wire.failure ?? lostConnection()));

  async function run<T>(options: CallOptions, work: (stop: (error: unknown) => void) => PromiseLike<T>): Promise<T> {
    if (running) throw new Failure('a statement is already running on this connection', { kind: 'internal' });
    if (wire.closed || closing) throw lostBefore(wire, server);
    const limit = options.timeout ?? (statementTimeout ? statementTimeout + ANSWER_TIME : DEFAULT_LIMIT);
    const started = performance.now();
    running = true;
    let ownError: unknown;
    try {
      return await supervise(
        (stop) => {
          const result = work((error) => {
            ownError = error;
            stop(error);
          });
          return new Promise<T>((resolve, reject) => {
            settleLost = reject;
            result.then(resolve, reject);
          });
        },
        target,
        { limit, signal: options.signal, late: options.late ?? (() => lateAnswer(limit)) },
      );
    } catch (error) {
      descriptions.clear();
      if (error === ownError) throw error;
      if (closing) throw closedHere();
      const reason = wire.failure !== undefined && !(error instanceof Failure) ? wire.failure : error;
      throw toFailure(reason, server, !limitReached(reason, performance.now() - started));
    } finally {
      running = false;
      settleLost = () => undefined;
      wire.copyTo(undefined);
    }
  }

  /** Whether a 57014 is the statement's own timeout: by the time it took, else by its text, which may be translated. */
  function limitReached(error: unknown, took: Milliseconds): boolean {
    if (statementTimeout !== undefined) return took >= statementTimeout - EARLY;
    return error instanceof Error && error.message.includes('statement timeout');
  }

  const described = (text: string): readonly Column[] | undefined =>
    wire.transaction === 'failed' || wire.closed ? undefined : descriptions.get(text);

  const simple = (text: string, options: CallOptions) => run(options, () => sql.unsafe(text).simple());

  return {
    server,
    backendPid: wire.backend.pid,
    serverVersion: versionNumber(wire.parameters.get('server_version') ?? ''),
    ended: wire.end,
    get usable() {
      return !wire.closed && closing === undefined;
    },
    get inTransaction() {
      return wire.transaction !== 'idle';
    },
    async begin(limits, options = {}) {
      statementTimeout = limits.statementTimeout;
      await simple(beginText(limits), options);
    },
    described,
    async describe(text, options = {}) {
      const kept = described(text);
      if (kept) return kept;
      const columns = await run(options, async () => {
        const ready = wire.nextReady();
        const statement = await describeUnnamed(sql, text);
        await ready;
        return statement.columns.map(({ name, type }) => ({ name, typeOid: type }));
      });
      const oldest = descriptions.keys().next();
      if (descriptions.size >= KEPT_DESCRIPTIONS && !oldest.done) descriptions.delete(oldest.value);
      descriptions.set(text, columns);
      return columns;
    },
    async copyOut(text, sink, options = {}) {
      const result = await run(options, (stop) => {
        wire.copyTo(sink, stop);
        return sql.unsafe(text).simple();
      });
      return result.count;
    },
    async copyRun(text, sink, limits, { onAnswered, ...options }) {
      statementTimeout = limits.statementTimeout;
      const message = runMessage(text, limits);
      const result = await run(options, async (stop) => {
        // An empty query is answered before the message behind it is begun.
        const answer = sql.unsafe('').simple();
        const ready = answer.then(() => onAnswered?.());
        // Rejects with what the next one does, or meets the sink.
        ready.catch(stop);
        wire.copyTo(sinkAfter(ready, sink), stop);
        const copied = sql.unsafe(message.text).simple();
        const [first] = await Promise.all([copied, ready]).catch((error: unknown) => {
          throw placedInCopy(error, message.head);
        });
        return first;
      });
      statementTimeout = undefined;
      // Of the statements of the message only COPY tells a number.
      return result.count;
    },
    async rows(text, parameters = [], options = {}) {
      const values = parameters.map(toParameterText);
      const result = await run(options, () => sql.unsafe(text, values, { prepare: false }));
      return [...result];
    },
    async execute(text, parameters, options = {}) {
      const values = parameters.map(toParameterText);
      const result = await run(options, () => sql.unsafe(text, values, { prepare: true, simple: false } as object));
      return { count: result.count, rows: [...result] };
    },
    async rollback(options = {}) {
      if (wire.transaction !== 'idle' || wire.closed) await simple('rollback', options);
      statementTimeout = undefined;
    },
    async discardAll(options = {}) {
      descriptions.clear();
      await simple('discard all', options);
    },
    async cancel() {
      if (!wire.closed) await requestCancel(server, address, wire.backend, CANCEL_GRACE);
    },
    close() {
      closing ??= closeWire();
      return closing;
    },
  };

  async function closeWire(): Promise<void> {
    if (wire.closed) return wire.end;
    if (running) {
      // Else a backend that sends nothing would go on computing for nobody.
      await requestCancel(server, address, wire.backend, CLOSE_TIME).catch(() => undefined);
      wire.destroy(closedHere());
    } else {
      wire.terminate();
      const limit = setTimeout(() => wire.destroy(), CLOSE_TIME);
      await wire.end;
      clearTimeout(limit);
    }
    return wire.end;
  }
}

/**
 * Parse and Describe of the unnamed statement. `.describe()` alone names a statement on the server for each text and
 * never drops it, which a kept connection with ever new texts would pay for.
 */
function describeUnnamed(sql: postgres.Sql, text: string): postgres.PendingDescribeQuery {
  const query = sql.unsafe(text);
  const pending = query.describe();
  (query as unknown as { options: { prepare: boolean } }).options.prepare = false;
  return pending;
}

/** What the server said when it ended the session; what an earlier statement was told is only the cause. */
function lostBefore({ failure }: Wire, server: Server): Failure {
  return failure === undefined || failure instanceof Failure ? lostConnection(failure) : toFailure(failure, server);
}

function closedHere(): Failure {
  return new Failure('the connection was closed', { kind: 'cancelled' });
}

/** `15.18 (Debian …)`, `17beta2`, `9.6.24` → 150018, 170000, 90624. */
function versionNumber(text: string): number {
  const [, major = '0', minor = '0', patch = '0'] = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text) ?? [];
  return Number(major) >= 10
    ? Number(major) * 10_000 + Number(minor)
    : Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
}
