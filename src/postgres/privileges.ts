// What a server and our role on it are, for `check --servers` and for `defaults.privileged`. All of it is read.
import type { Milliseconds } from '../model/units.ts';
import type { CallOptions, Connection } from './connection.ts';

export interface ServerReport {
  /** `15.18`. */
  readonly version: string;
  /** The shortest of a few round trips. */
  readonly latency: Milliseconds;
  readonly role: string;
  /** A standby, or a role or server whose transactions are read-only by default. */
  readonly readOnly: boolean;
  readonly standby: boolean;
  /** How far a standby's data is behind; undefined on a primary, or before anything was replayed. */
  readonly replayDelay: Milliseconds | undefined;
  /** The server's clock less ours, known to within half the round trip. */
  readonly clockOffset: Milliseconds;
  readonly clockUncertainty: Milliseconds;
  /** What the role may do that it should not: see `findExcessRights`. */
  readonly excess: readonly string[];
  /** Schemas and the database in which the role may create objects; PUBLIC may in `public` up to Postgres 14. */
  readonly mayCreateIn: readonly string[];
}

const ROUND_TRIPS = 3;
/** Tables looked at for write rights; a catalogue of a hundred thousand would take a second. */
const TABLES_LOOKED_AT = 10_000;

/** Asks everything in a few round trips. */
export async function inspectServer(connection: Connection, options?: CallOptions): Promise<ServerReport> {
  const clock = await measureClock(connection, options);
  const [row = {}] = await connection.rows(
    `select pg_catalog.current_setting('server_version') as version, current_user as role,
            pg_catalog.pg_is_in_recovery() as standby,
            pg_catalog.current_setting('default_transaction_read_only') = 'on' as read_only,
            case when not pg_catalog.pg_is_in_recovery() then null
                 when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() then 0
                 else (1000 * extract(epoch from
                   pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()))::float8 end as delay`,
    [],
    options,
  );
  const creatable = await connection.rows(
    `select 'database ' || pg_catalog.current_database() as place
     where pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
     union all
     (select 'schema ' || nspname from pg_catalog.pg_namespace
      where nspname !~ '^pg_' and nspname <> 'information_schema' and pg_catalog.has_schema_privilege(oid, 'create')
      order by nspname limit 100)`,
    [],
    options,
  );
  return {
    version: String(row.version).replace(/ .*/, ''),
    role: String(row.role),
    standby: row.standby === true,
    readOnly: row.standby === true || row.read_only === true,
    replayDelay: typeof row.delay === 'number' ? row.delay : undefined,
    ...clock,
    excess: await findExcessRights(connection, options),
    mayCreateIn: creatable.map(({ place }) => String(place)),
  };
}

/**
 * The rights of a role that a job never needs, in words: being superuser, writing tables (the first one found, by
 * name), files or programs of the server. Looks at no more than 10,000 tables. Empty is as it should be.
 */
export async function findExcessRights(connection: Connection, options?: CallOptions): Promise<string[]> {
  const roles = await connection.rows(
    `select case when rolname = current_user then 'is a superuser' else 'is a member of ' || rolname end as word
     from pg_catalog.pg_roles
     where rolname = current_user and rolsuper
        or not (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
           and rolname in ('pg_write_server_files', 'pg_read_server_files', 'pg_execute_server_program', 'pg_write_all_data')
           and pg_catalog.pg_has_role(oid, 'member')
     order by rolname`,
    [],
    options,
  );
  const words = roles.map(({ word }) => String(word));
  if (words.includes('is a superuser')) return words;
  const [table] = await connection.rows(
    `select c.oid::pg_catalog.regclass::text as name
     from (select oid from pg_catalog.pg_class
           where relkind in ('r', 'p', 'v', 'f') and relpersistence <> 't' and oid >= 16384 limit ${TABLES_LOOKED_AT}) c
     where pg_catalog.has_any_column_privilege(c.oid, 'insert, update')
        or pg_catalog.has_table_privilege(c.oid, 'delete, truncate')
     limit 1`,
    [],
    options,
  );
  if (table) words.push(`${MAY_WRITE}\`${String(table.name)}\``);
  return words;
}

const MAY_WRITE = 'may write to ';

/** Whether a right that `findExcessRights` names is to a table: on a server that jobs ingest into, one is needed. */
export function isTableRight(excess: string): boolean {
  return excess.startsWith(MAY_WRITE);
}

/** The server's clock by Cristian's algorithm: of a few round trips the shortest, whose middle is when it was read. */
async function measureClock(
  connection: Connection,
  options: CallOptions | undefined,
): Promise<Pick<ServerReport, 'latency' | 'clockOffset' | 'clockUncertainty'>> {
  let latency = Number.POSITIVE_INFINITY;
  let clockOffset = 0;
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    const asked = Date.now();
    const started = performance.now();
    const [row] = await connection.rows(
      'select extract(epoch from pg_catalog.clock_timestamp())::float8 * 1000 as now',
      [],
      options,
    );
    const took = performance.now() - started;
    if (took >= latency) continue;
    latency = took;
    clockOffset = Number(row?.now) - (asked + took / 2);
  }
  return { latency, clockOffset, clockUncertainty: latency / 2 + 1 };
}
