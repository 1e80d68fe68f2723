// An ingest job looked at on its server without a message: its table and columns, its expressions, the role's rights there
// and to pgtally's own table of offsets. Nothing is written: the statement is only planned.
import type { Failure } from '../model/failure.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { checkInTransaction, type JobCheck } from '../project/job-check.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { findUnfitCall } from '../project/row-calls.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';
import { pointToUnit, unitToPoint } from '../sql/offsets.ts';

/** Prepares the job. Does not reject for what is wrong with it there: that is in the result. */
export async function checkIngestJob(
  connection: Connection,
  prepared: PreparedIngest,
  options: CallOptions = {},
): Promise<JobCheck> {
  const insert = insertStatement(prepared);
  let refused: SourcePlace | undefined;
  const prepare = async (): Promise<JobCheck> => {
    const unfit = await findUnfitCall(connection, prepared.sql.rowCalls, options);
    if (unfit) {
      refused = unfit.place;
      throw unfit.failure;
    }
    // Planning it asks for the rights as well, and a read-only transaction lets it pass, because it writes nothing.
    await connection.rows(`explain (costs off) ${insert.text}`, [], options);
    const warnings = [
      ...(await findUnfilledColumns(connection, prepared, options)),
      ...(await checkOffsetsTable(connection, options)),
    ];
    return { columns: [], warnings };
  };
  return checkInTransaction(connection, options, prepare, (failure) => refused ?? insert.placeOf(failure));
}

type Warnings = JobCheck['warnings'];

/** A message as the expressions see it (design 8). */
const MESSAGE =
  `jsonb_to_recordset('[]') as message(topic text, partition int, "offset" bigint, "timestamp" timestamptz, ` +
  `key text, value text, headers jsonb, envelope json)`;
const EXPLAIN = 'explain (costs off) ';

interface Insert {
  readonly text: string;
  placeOf(failure: Failure): SourcePlace | undefined;
}

/** The job's insert over no messages, and where each of its parts stands in the file. */
function insertStatement({ job, sql }: PreparedIngest): Insert {
  let text = 'insert into ';
  const ranges: { start: number; end: number; place: (offset: number) => SourcePlace }[] = [];
  const add = (part: string, place: (offset: number) => SourcePlace): void => {
    ranges.push({ start: text.length, end: text.length + part.length, place });
    text += part;
  };
  add(sql.into, () => job.into);
  text += ' (';
  for (const [index, { name }] of sql.columns.entries()) {
    if (index > 0) text += ', ';
    add(name, () => job.columns[index]?.name ?? job.into);
  }
  text += ') select ';
  for (const [index, { expression }] of sql.columns.entries()) {
    text += index > 0 ? ', (' : '(';
    add(expression, (offset) => sql.locate(index, offset));
    // A line comment at the end of an expression is cut, but a new line costs nothing.
    text += '\n)';
  }
  text += ` from ${MESSAGE}`;
  return {
    text,
    placeOf({ position }) {
      if (position === undefined) return undefined;
      const unit = pointToUnit(text, position - 1 - EXPLAIN.length);
      const range = ranges.find(({ start, end }) => start <= unit && unit < end);
      return range?.place(unitToPoint(text.slice(range.start, range.end), unit - range.start));
    },
  };
}

/** Columns that may not be null and that nothing fills: each message would stop its partition (SQLSTATE 23502). */
async function findUnfilledColumns(
  connection: Connection,
  { job, sql }: PreparedIngest,
  options: CallOptions,
): Promise<Warnings> {
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

/** Whether the next offsets can be kept: the first run makes the table if it may. */
async function checkOffsetsTable(connection: Connection, options: CallOptions): Promise<Warnings> {
  const [row] = await connection.rows(
    `select c.oid is not null as there,
            coalesce(pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_table_privilege(c.oid, 'insert')
                     and pg_catalog.has_table_privilege(c.oid, 'update'), false) as usable,
            case when n.oid is null
                 then pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
                 else pg_catalog.has_schema_privilege(n.oid, 'create') end as creatable,
            current_user as role
     from (select 1) one
     left join pg_catalog.pg_namespace n on n.nspname = 'pgtally'
     left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'offsets'`,
    [],
    options,
  );
  const role = String(row?.role);
  if (row?.there === true) {
    if (row.usable === true) return [];
    return [
      {
        message: `role \`${role}\` may not read and write \`pgtally.offsets\``,
        hint: `grant usage on schema pgtally to ${role}; grant select, insert, update on pgtally.offsets to ${role}`,
      },
    ];
  }
  if (row?.creatable === true) return [];
  return [
    {
      message: `there is no table \`pgtally.offsets\`, and role \`${role}\` may not create it`,
      hint: `grant create on the database to ${role} for the first run, or run the SQL that its error prints`,
    },
  ];
}
