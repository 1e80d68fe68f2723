// Opens a connection: the transport with its TLS, the login, and postgres.js on top for the protocol of statements.
import type postgres from 'postgres';
import type { Server } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import { lateConnection, lostConnection, toFailure } from './classify.ts';
import { type Connection, createConnection } from './connection.ts';
import { startDeadline } from './deadline.ts';
import { createLogin } from './login.ts';
import { UNCONVERTED_TYPES } from './parameters.ts';
import { notPostgres, openTransport } from './transport.ts';
import { createWire, type PostgresSocket, type Wire } from './wire.ts';

export interface ConnectOptions {
  /** What `pg_stat_activity` shows, unless the server's own parameters say otherwise: `pgtally/JOB`. */
  readonly applicationName: string;
  /** For everything up to the end of the login. Default 10 s. */
  readonly connectTimeout?: Milliseconds;
  readonly signal?: AbortSignal;
}

/** The usual limit of `connect`. */
export const CONNECT_TIMEOUT: Milliseconds = 10_000;

/**
 * Connects and logs in. Certificates and password files are read now, so a renewed one counts. Rejects with a Failure
 * (connection, timeout, tls, authentication, configuration, resources, or the signal's reason), never later than the
 * limit.
 */
export async function connect(server: Server, options: ConnectOptions): Promise<Connection> {
  const limit = options.connectTimeout ?? CONNECT_TIMEOUT;
  const deadline = startDeadline(limit, options.signal, () => lateConnection(server, limit));
  let wire: Wire | undefined;
  const onAbort = (): void => wire?.destroy(deadline.signal.reason);
  deadline.signal.addEventListener('abort', onAbort, { once: true });
  try {
    deadline.signal.throwIfAborted();
    const transport = await openTransport(server, deadline.signal);
    wire = createWire(transport, createLogin(server), () => notPostgres(server));
    const sql = await startPostgres(server, wire.socket, options.applicationName);
    const { end } = wire;
    // postgres.js connects with its first statement: an empty one, which costs a round trip.
    await Promise.race([sql.unsafe('').simple(), end.then(() => Promise.reject(lostConnection()))]);
    return createConnection(server, sql, wire, transport.remoteAddress);
  } catch (error) {
    wire?.destroy();
    throw toFailure(wire?.failure ?? error, server);
  } finally {
    deadline.signal.removeEventListener('abort', onAbort);
    deadline.end();
  }
}

async function startPostgres(server: Server, socket: PostgresSocket, applicationName: string): Promise<postgres.Sql> {
  const { default: postgres } = await import('postgres');
  settings ??= withoutVariable('PGTARGETSESSIONATTRS', () => postgres(SETTINGS as object).options);
  let given = false;
  const options = {
    // With `shared` in them, which these have, postgres.js takes options as they are.
    ...settings,
    // Else it makes a second client beside each, for logical replication: half of a connection's memory.
    no_subscribe: true,
    parameters: {},
    host: [server.host],
    port: [server.port],
    user: server.user,
    database: server.database,
    connection: { application_name: applicationName, ...server.parameters },
    socket: () => {
      if (given) return Promise.reject(lostConnection());
      given = true;
      return Promise.resolve(socket);
    },
  };
  return postgres(options as object);
}

/** What all connections have in common, as given and as postgres.js 3.4.9 understands it. */
const SETTINGS = {
  // The login is ours (login.ts); postgres.js would take PGPASSWORD for an empty one.
  pass: () => '',
  ssl: false,
  max: 1,
  prepare: true,
  debug: false,
  fetch_types: false,
  onnotice: () => undefined,
  connect_timeout: 0,
  idle_timeout: 0,
  max_lifetime: null,
  max_pipeline: 1,
  keep_alive: 0,
  types: UNCONVERTED_TYPES,
};
let settings: postgres.Sql['options'] | undefined;

/** postgres.js reads this libpq variable, throws at `any`, and no option of it overrides the variable. */
function withoutVariable<T>(name: string, work: () => T): T {
  const value = process.env[name];
  if (value === undefined) return work();
  delete process.env[name];
  try {
    return work();
  } finally {
    process.env[name] = value;
  }
}
