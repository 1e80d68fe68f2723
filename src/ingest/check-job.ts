// An ingest job looked at on its server without a message: its table and columns, its expressions, the role's rights there
// and to our own tables. Nothing is written: the statement is only planned.
import { Failure } from '../model/failure.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { checkInTransaction, type JobCheck } from '../project/job-check.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { findUnfitCall } from '../project/row-calls.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';
import { DDL, grants } from './offsets-table.ts';
import { createStatements } from './statements.ts';

/** Prepares the job. Does not reject for what is wrong with it there: that is in the result. */
export async function checkIngestJob(
  connection: Connection,
  prepared: PreparedIngest,
  options: CallOptions = {},
): Promise<JobCheck> {
  const statements = createStatements(prepared);
  const { text, parameters } = statements.probe({ topic: prepared.job.topic, partition: 0 }, []);
  const planned = { text: `explain (costs off) ${text}`, parameters };
  let refused: SourcePlace | undefined;
  const prepare = async (): Promise<JobCheck> => {
    const unfit = await findUnfitCall(connection, prepared.sql.rowCalls, options);
    if (unfit) {
      refused = unfit.place;
      throw unfit.failure;
    }
    // Planning asks for the rights as well, and a read-only transaction lets it pass, because it writes nothing.
    await connection.rows(planned.text, planned.parameters, options);
    await requireTables(connection, prepared.job.onError === 'dead_letter', options);
    return { columns: [], warnings: await findUnfilledColumns(connection, prepared, options) };
  };
  return checkInTransaction(connection, options, prepare, (failure) => refused ?? statements.placeOf(planned, failure));
}

/** Columns that may not be null and that nothing fills: each message would stop its partition (SQLSTATE 23502). */
async function findUnfilledColumns(
  connection: Connection,
  { job, sql }: PreparedIngest,
  options: CallOptions,
): Promise<JobCheck['warnings']> {
  const given = sql.columns.map(({ name }) => name.slice(1, -1).replaceAll('""', '"'));
  const rows = await connection.rows(
    `select a.attname as name
     from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
     where a.attrelid = $1::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
       and a.attnotnull and not a.atthasdef and a.attidentity = '' and t.typdefault is null
       and a.attname <> all ($2::text[])
     order by a.attnum`,
    [sql.into, given],
    options,
  );
  return rows.map(({ name }) => ({
    message: `column \`${String(name)}\` of \`${job.into.value}\` may not be null and has no default`,
    hint: 'give it in `columns`, unless a trigger fills it',
  }));
}

/** The rights that runs need to our tables; the first run makes those that are not there, if it may. */
async function requireTables(connection: Connection, deadLetters: boolean, options: CallOptions): Promise<void> {
  const rows = await connection.rows(
    `select w.name, c.oid is null as missing,
            coalesce((select bool_and(pg_catalog.has_table_privilege(c.oid, r))
                      from unnest(pg_catalog.string_to_array(w.rights, ',')) r), false) as usable,
            -- create schema if not exists asks for the right before it looks whether the schema exists.
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
              and (n.oid is null or pg_catalog.has_schema_privilege(n.oid, 'create')) as creatable,
            pg_catalog.pg_is_in_recovery()
              or pg_catalog.current_setting('default_transaction_read_only') = 'on' as read_only
     from unnest($1::text[], $2::text[]) w(name, rights)
     left join pg_catalog.pg_namespace n on n.nspname = 'pgtally'
     left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name`,
    [
      deadLetters ? ['offsets', 'dead_letters'] : ['offsets'],
      deadLetters ? ['select,insert,update', 'insert'] : ['select,insert,update'],
    ],
    options,
  );
  const { user, database } = connection.server;
  for (const { name, missing, usable, creatable, read_only } of rows) {
    if (read_only === true) {
      const hint = 'name the primary in `servers`, or a role whose transactions may write';
      throw new Failure('the server only reads: messages cannot be written to it', { kind: 'sql', hint });
    }
    const table = `\`pgtally.${String(name)}\``;
    if (missing === true && creatable !== true) {
      const hint = `run this in database \`${database}\` as its owner:\n${DDL}\n${grants(user)}`;
      throw new Failure(`there is no table ${table}, and role \`${user}\` may not create it`, { kind: 'sql', hint });
    }
    if (missing !== true && usable !== true) {
      throw new Failure(`role \`${user}\` may not use table ${table}`, { kind: 'sql', hint: grants(user) });
    }
  }
}
