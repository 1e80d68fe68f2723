// Which messages of a batch cannot be rows: found by writing halves of it, and halves of halves, in a transaction that is rolled
// back. What was found good stays written there while the rest is tried, so that two rows that only together break a
// constraint are told apart as well.
import type { FetchedRecord } from '../kafka/record.ts';
import { Failure } from '../model/failure.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { type Origin, type RowError, unfitText } from './message-texts.ts';
import type { DeadLetter, IngestStatements } from './statements.ts';

export interface Separated {
  readonly good: readonly FetchedRecord[];
  /** In order; looked for no further than one more than was asked for. */
  readonly bad: readonly DeadLetter[];
}

/** Whether an error is a message's own fault (data exceptions, constraints); any other never makes a dead letter. */
export function isPoison(error: unknown): error is Failure {
  return error instanceof Failure && /^2[23]...$/.test(error.code ?? '');
}

/**
 * Separates a batch; stops after `most` bad ones, and what comes after the last of them is in neither list. Nothing is written.
 * Rejects with any other Failure of Postgres.
 */
export async function separate(
  connection: Connection,
  statements: IngestStatements,
  origin: Origin,
  records: readonly FetchedRecord[],
  most: number,
  options: CallOptions,
): Promise<Separated> {
  const good: FetchedRecord[] = [];
  const bad: DeadLetter[] = [];
  const run = (text: string): Promise<unknown> => connection.execute(text, [], options);

  const tryOut = async (some: readonly FetchedRecord[]): Promise<RowError | undefined> => {
    const statement = statements.probe(origin, some);
    await run('savepoint probe');
    try {
      await connection.execute(statement.text, statement.parameters, options);
      await run('release savepoint probe');
      return undefined;
    } catch (error) {
      if (!isPoison(error)) throw error;
      await run('rollback to savepoint probe');
      return { sqlstate: error.code ?? '', message: error.message };
    }
  };
  const search = async (some: readonly FetchedRecord[]): Promise<void> => {
    const [first] = some;
    if (!first || bad.length >= most) return;
    const unfit = some.findIndex((record) => unfitText(record, statements.columns) !== undefined);
    if (unfit > 0) {
      await search(some.slice(0, unfit));
      return search(some.slice(unfit));
    }
    const error = unfit === 0 ? unfitText(first, statements.columns) : await tryOut(some);
    if (!error) {
      good.push(...some);
    } else if (unfit === 0) {
      bad.push({ record: first, error });
      await search(some.slice(1));
    } else if (some.length === 1) {
      bad.push({ record: first, error });
    } else {
      const middle = some.length >>> 1;
      await search(some.slice(0, middle));
      await search(some.slice(middle));
    }
  };

  // After an error the connection is given up by whoever lent it, and its transaction with it.
  await run('begin');
  // What is checked at the end of a transaction otherwise would not be found before it.
  await run('set constraints all immediate');
  await search(records);
  await connection.rollback(options);
  return { good, bad };
}
