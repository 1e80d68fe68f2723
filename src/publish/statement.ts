// The statement of a run on one server: rendered, described, judged by what the server knows, wrapped. A run sends it,
// `check --servers` only prepares it; what is wrong is found in the same way by both.
import type { CallOptions, Column, Connection } from '../postgres/connection.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import { areKnownFit, findUnfitCall } from '../project/row-calls.ts';
import type { PlaceholderValues, RenderedSql } from '../sql/job-sql.ts';
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

/**
 * The job's statement with the values of a run, when all that `prepareStatement` would ask was asked on this connection
 * before. Throws as that rejects.
 */
export function knownStatement(
  connection: Connection,
  { job, sql }: PreparedPublish,
  values: PlaceholderValues,
  { sent, limit }: StatementOptions,
): WrappedQuery | undefined {
  const rendered = sql.render(values);
  const columns = connection.described(rendered.query);
  if (!columns || !areKnownFit(connection, sql.rowCalls)) return undefined;
  const wrapped = wrapStatement(job, rendered, checkColumns(job, columns), limit);
  if (!connection.described(wrapped.select)) return undefined;
  sent.current = { rendered, wrapped };
  return wrapped;
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
  const checked = checkColumns(job, columns);
  const refused = await findUnfitCall(connection, sql.rowCalls, call);
  if (refused) {
    sent.current = { rendered, wrapped: undefined, place: refused.place };
    throw refused.failure;
  }
  const wrapped = wrapStatement(job, rendered, checked, limit);
  sent.current = { rendered, wrapped };
  await connection.describe(wrapped.select, call);
  return { wrapped, columns };
}

function wrapStatement(
  job: PreparedPublish['job'],
  rendered: RenderedSql,
  { jsonColumn }: ReturnType<typeof checkColumns>,
  limit: number | undefined,
): WrappedQuery {
  return wrapQuery(rendered, {
    listKey: job.key?.list === true,
    ...(jsonColumn === undefined ? {} : { jsonColumn }),
    ...(limit === undefined ? {} : { limit }),
  });
}
