// A publish job prepared on one of its servers as a run would do it, up to the point where rows would be read.
import { Failure } from '../model/failure.ts';
import type { CallOptions, Column, Connection } from '../postgres/connection.ts';
import { typeNames } from '../postgres/functions.ts';
import { checkInTransaction, type JobCheck, type TypedColumn } from '../project/job-check.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import { placeOfFailure, type SentSql } from './failure-place.ts';
import { manualSlot } from './manual-slot.ts';
import { prepareStatement } from './statement.ts';

/**
 * Prepares the job's statement with the values of a run by hand at `now`, and has it planned, which checks the role's
 * rights. Never rejects for what is wrong with the job there: that is in the result. Leaves no transaction open; when the
 * connection was lost, it is not `usable` any more.
 */
export async function checkPublishJob(
  connection: Connection,
  prepared: PreparedPublish,
  now: number,
  options: CallOptions = {},
): Promise<JobCheck> {
  const sent: { current?: SentSql } = {};
  const { slot, window } = manualSlot(prepared, undefined, now);
  const { name, labels } = connection.server;
  const values = { slot, windowStart: window.start, windowEnd: window.end, server: name, labels };
  const prepare = async (): Promise<JobCheck> => {
    const { wrapped, columns } = await prepareStatement(connection, prepared, values, { ...options, sent });
    await plan(connection, wrapped.select, options);
    return { columns: await typed(connection, columns, options), warnings: [] };
  };
  return checkInTransaction(connection, options, prepare, (failure) => placeOfFailure(failure, sent.current));
}

/** Describing a statement asks for no right to its tables; planning it does (ExecutorStart), and reads nothing. */
async function plan(connection: Connection, select: string, options: CallOptions): Promise<void> {
  try {
    await connection.rows(`explain (costs off) ${select}`, [], options);
  } catch (error) {
    if (!(error instanceof Failure) || error.position === undefined) throw error;
    // A position in the text of `explain` is none in what was sent.
    const { message, kind, retryable, hint, code, cause } = error;
    throw new Failure(message, {
      kind,
      retryable,
      cause,
      ...(hint === undefined ? {} : { hint }),
      ...(code === undefined ? {} : { code }),
    });
  }
}

/** Types below this oid are Postgres's own, with the same name on every server. */
const FIRST_NORMAL_OID = 16_384;
const builtIn = new Map<number, string>();

async function typed(
  connection: Connection,
  columns: readonly Column[],
  options: CallOptions,
): Promise<readonly TypedColumn[]> {
  const unknown = [...new Set(columns.map(({ typeOid }) => typeOid))].filter((oid) => !builtIn.has(oid));
  const names = unknown.length > 0 ? await typeNames(connection, unknown, options) : new Map<number, string>();
  for (const [oid, name] of names) if (oid < FIRST_NORMAL_OID) builtIn.set(oid, name);
  return columns.map(({ name, typeOid }) => ({ name, type: builtIn.get(typeOid) ?? names.get(typeOid) ?? 'unknown' }));
}
