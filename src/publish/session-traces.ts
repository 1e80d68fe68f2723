// Whether a job may leave something behind in its session (a setting, an advisory lock, a temporary sequence's state), so
// that a connection that is kept has to be reset after it (design 5.3).
import type { Connection } from '../postgres/connection.ts';
import { volatileFunctions } from '../postgres/functions.ts';

/** Asked once for a connection: it serves one job, and an edited job's functions are a list of their own. */
const known = new WeakMap<Connection, { readonly functions: readonly string[]; readonly traces: boolean }>();

/** True when one of the functions is volatile on this server. Call it outside a transaction. */
export async function leavesTraces(connection: Connection, functions: readonly string[]): Promise<boolean> {
  if (functions.length === 0) return false;
  const before = known.get(connection);
  if (before?.functions === functions) return before.traces;
  const traces = (await volatileFunctions(connection, functions)).length > 0;
  known.set(connection, { functions, traces });
  return traces;
}
