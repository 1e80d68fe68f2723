// How long the transaction of a run that streams may be open.
import type { Milliseconds } from '../model/units.ts';

/** Brokers refuse more (`transaction.max.timeout.ms`). */
const LONGEST_TRANSACTION: Milliseconds = 15 * 60_000;

/** For the rows of a query with this limit: its time, and some to commit in. */
export function streamTimeout(timeout: Milliseconds): Milliseconds {
  return Math.min(timeout + 10_000, LONGEST_TRANSACTION);
}
