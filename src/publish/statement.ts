// The statement of a run on one server: rendered, described, judged by what the server knows, wrapped. A run sends it,
// `check --servers` only prepares it; what is wrong is found in the same way by both.
import { Failure } from '../model/failure.ts';
import type { CallOptions, Column, Connection } from '../postgres/connection.ts';
import { describeFunctions, type FunctionFacts } from '../postgres/functions.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import type { PlaceholderValues } from '../sql/job-sql.ts';
import { type WrappedQuery, wrapQuery } from '../sql/wrap.ts';
import { checkColumns } from './columns.ts';
import type { SentSql } from './failure-place.ts';

export interface Statement {
  readonly wrapped: WrappedQuery;
  /** The query's own columns. */
  readonly columns: readonly Column[];
}

export interface StatementOptions extends CallOptions {
  /** At most so many rows. */
  readonly limit?: number;
  /** Kept up to date with what was sent last, so that a failure can be placed by `placeOfFailure`. */
  readonly sent: { current?: SentSql };
}

/** A function that is called for each row, and where. */
interface CallPlace extends NonNullable<SentSql['place']> {
  readonly name: string;
  readonly subject: string;
}

/**
 * Prepares the job's statement with the values of a run, in the open transaction. Rejects with a Failure: Postgres's own,
 * or for columns and functions that no job may have (design 3).
 */
export async function prepareStatement(
  connection: Connection,
  { job, sql }: PreparedPublish,
  values: PlaceholderValues,
  options: StatementOptions,
): Promise<Statement> {
  const { sent, limit, ...call } = options;
  const rendered = sql.render(values);
  sent.current = { rendered, wrapped: undefined };
  const columns = await connection.describe(rendered.query, call);
  const { jsonColumn } = checkColumns(job, columns);
  const refused = await findUnfitCall(connection, sql.rowCalls, call);
  if (refused) {
    sent.current = { rendered, wrapped: undefined, place: refused.place };
    throw refused.failure;
  }
  const wrapped = wrapQuery(rendered, {
    listKey: job.key?.list === true,
    ...(jsonColumn === undefined ? {} : { jsonColumn }),
    ...(limit === undefined ? {} : { limit }),
  });
  sent.current = { rendered, wrapped };
  await connection.describe(wrapped.select, call);
  return { wrapped, columns };
}

/** Calls found fit: asked once for a connection, which serves one job; an edited job's calls are a list of their own. */
const fit = new WeakMap<Connection, readonly CallPlace[]>();

/** The first of the calls that is an aggregate, a window function or returns a set on this server. */
export async function findUnfitCall(
  connection: Connection,
  calls: readonly CallPlace[],
  options?: CallOptions,
): Promise<{ readonly failure: Failure; readonly place: NonNullable<SentSql['place']> } | undefined> {
  if (calls.length === 0 || fit.get(connection) === calls) return undefined;
  const facts = await describeFunctions(connection, [...new Set(calls.map(({ name }) => name))], options);
  for (const { name, subject, file, span } of calls) {
    const found = facts.find((fact) => fact.name === name);
    const sort = found && unfitSort(found);
    if (!sort) continue;
    const failure = new Failure(
      `\`${name}\` is ${sort.article} here, but ${subject} is computed for each row by itself`,
      { kind: 'sql', hint: sort.hint },
    );
    return { failure, place: { file, span } };
  }
  fit.set(connection, calls);
  return undefined;
}

const IN_THE_QUERY = 'compute it in the query and use its column here';

/** Any overload of the name counts: which one is meant only the planner knows, and a doubled row is worse than a refusal. */
function unfitSort(facts: FunctionFacts): { readonly article: string; readonly hint: string } | undefined {
  if (facts.aggregate) return { article: 'an aggregate', hint: IN_THE_QUERY };
  if (facts.window) return { article: 'a window function', hint: IN_THE_QUERY };
  if (!facts.returnsSet) return undefined;
  return { article: 'a function that returns a set', hint: 'call it in the query, where it may make rows' };
}
