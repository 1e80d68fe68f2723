// What preparing a job on one of its servers finds out, and how: one form for jobs of both kinds, which are prepared in
// publish/ and ingest/.
import { Failure } from '../model/failure.ts';
import type { Problem } from '../model/problem.ts';
import type { Milliseconds } from '../model/units.ts';
import type { CallOptions, Connection, TransactionLimits } from '../postgres/connection.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';

export interface TypedColumn {
  readonly name: string;
  /** As Postgres prints it: `timestamp with time zone`. */
  readonly type: string;
}

export interface JobCheck {
  /** The columns of a publish job's query; none for an ingest job, or when it could not be prepared. */
  readonly columns: readonly TypedColumn[];
  /** What runs would fail with. */
  readonly failure?: Failure;
  /** Where in the job's file the failure belongs, if that is known. */
  readonly place?: SourcePlace;
  /** What is not right, but fails no run by itself; its message names neither job nor server. */
  readonly warnings: readonly Pick<Problem, 'message' | 'hint'>[];
}

/** Preparing takes locks, but runs nothing: what is not done within this is stuck. */
const PREPARE_TIMEOUT: Milliseconds = 10_000;
const LOCK_TIMEOUT: Milliseconds = 5_000;

const PREPARE_LIMITS: TransactionLimits = {
  statementTimeout: PREPARE_TIMEOUT,
  lockTimeout: LOCK_TIMEOUT,
  idleTimeout: 3 * PREPARE_TIMEOUT,
};

/**
 * Does `work` in a read-only transaction that is rolled back. A Failure is a result, at the place that `placeOf` knows for
 * it; when the connection was lost, it is not `usable` any more.
 */
export async function checkInTransaction(
  connection: Connection,
  options: CallOptions,
  work: () => Promise<JobCheck>,
  placeOf: (failure: Failure) => SourcePlace | undefined,
): Promise<JobCheck> {
  try {
    await connection.begin(PREPARE_LIMITS, options);
    return await work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const place = placeOf(error);
    return { columns: [], failure: error, ...(place ? { place } : {}), warnings: [] };
  } finally {
    if (connection.usable) await connection.rollback(options).catch(() => connection.close());
  }
}
