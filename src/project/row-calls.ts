// Functions that an expression calls for each row or message, judged by the server's own catalogue: offline only the names
// of Postgres's own are known (design 3).
import { Failure } from '../model/failure.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { describeFunctions, type FunctionFacts } from '../postgres/functions.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';

/** A call, where it stands, and in what: ``the key``, ``header `x` ``. */
export interface RowCall extends SourcePlace {
  readonly name: string;
  readonly subject: string;
}

/** Calls found fit: asked once for a connection, which serves one job; an edited job's calls are a list of their own. */
const fit = new WeakMap<Connection, readonly RowCall[]>();

/** Whether `findUnfitCall` has nothing to ask on this connection, and nothing to say. */
export function areKnownFit(connection: Connection, calls: readonly RowCall[]): boolean {
  return calls.length === 0 || fit.get(connection) === calls;
}

/** The first of the calls that is an aggregate, a window function or returns a set on this server, as a Failure. */
export async function findUnfitCall(
  connection: Connection,
  calls: readonly RowCall[],
  options?: CallOptions,
): Promise<{ readonly failure: Failure; readonly place: SourcePlace } | undefined> {
  if (areKnownFit(connection, calls)) return undefined;
  const facts = await describeFunctions(connection, [...new Set(calls.map(({ name }) => name))], options);
  for (const { name, subject, file, span } of calls) {
    const found = facts.find((fact) => fact.name === name);
    const sort = found && unfitSort(found);
    if (!sort) continue;
    const message = `\`${name}\` is ${sort.article} here, but ${subject} is computed for each row by itself`;
    return { failure: new Failure(message, { kind: 'sql', hint: sort.hint }), place: { file, span } };
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
