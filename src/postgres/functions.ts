// What the server's catalogue says about functions that a job calls. Which names a job's SQL holds is found in src/sql.
import type { CallOptions, Connection } from './connection.ts';

export interface FunctionFacts {
  /** As it was asked for: `now`, `app.next_id`. */
  readonly name: string;
  /** Any overload of that name is. */
  readonly volatile: boolean;
  readonly aggregate: boolean;
  readonly window: boolean;
  readonly returnsSet: boolean;
}

/**
 * Facts about functions by name, `name` or `schema.name` as the scanner gives them (case folded, unquoted). An
 * unqualified one is looked for along the search path. Names that the server does not know are absent from the result.
 */
export async function describeFunctions(
  connection: Connection,
  names: readonly string[],
  options?: CallOptions,
): Promise<FunctionFacts[]> {
  if (names.length === 0) return [];
  const schemas = names.map((name) => (name.includes('.') ? name.slice(0, name.indexOf('.')) : null));
  const bare = names.map((name) => name.slice(name.indexOf('.') + 1));
  const rows = await connection.rows(
    `select w.ordinal, bool_or(p.provolatile = 'v') as volatile, bool_or(p.prokind = 'a') as aggregate,
            bool_or(p.prokind = 'w') as "window", bool_or(p.proretset) as returns_set
     from unnest($1::text[], $2::text[]) with ordinality as w(schema, name, ordinal)
     join pg_catalog.pg_proc p on p.proname = w.name
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where case when w.schema is null then pg_catalog.pg_function_is_visible(p.oid) else n.nspname = w.schema end
     group by w.ordinal order by w.ordinal`,
    [schemas, bare],
    options,
  );
  return rows.map((row) => ({
    name: names[Number(row.ordinal) - 1] ?? '',
    volatile: row.volatile === true,
    aggregate: row.aggregate === true,
    window: row.window === true,
    returnsSet: row.returns_set === true,
  }));
}

/**
 * Those of the names that are volatile functions: what they leave in the session (settings, advisory locks, `lastval`)
 * has to be discarded before a connection is kept.
 */
export async function volatileFunctions(
  connection: Connection,
  names: readonly string[],
  options?: CallOptions,
): Promise<string[]> {
  const facts = await describeFunctions(connection, names, options);
  return facts.filter((fact) => fact.volatile).map((fact) => fact.name);
}

/** Names of types by their oid, as Postgres prints them: 1184 → `timestamp with time zone`. */
export async function typeNames(
  connection: Connection,
  oids: readonly number[],
  options?: CallOptions,
): Promise<ReadonlyMap<number, string>> {
  const rows = await connection.rows(
    'select oid::int8::text as oid, pg_catalog.format_type(oid, null) as name from unnest($1::oid[]) as oid',
    [oids],
    options,
  );
  return new Map(rows.map((row) => [Number(row.oid), String(row.name)]));
}
