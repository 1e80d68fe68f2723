// One batch into the target database on one connection: written, found to be somebody else's, or held up by a message that
// cannot be a row. Trying again after a lost connection is partition-writer.ts.
import { Failure } from '../model/failure.ts';
import type { IngestJob } from '../model/project.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import type { Batch } from './batches.ts';
import { readOffset } from './offsets-table.ts';
import { PlacedFailure } from './placed-failure.ts';
import { isPoison, separate } from './separate.ts';
import { type DeadLetter, type IngestStatements, type Move, requireStatement, type Statement } from './statements.ts';

/**
 * - `written`: the next offset is `next`, `rows` messages are rows and `dead` are dead letters; `poison` is the failure that
 *   stops the partition there.
 * - `moved`: the statement wrote nothing, because the next offset is `next` already; `own` when this owner's own earlier
 *   statement, whose answer was lost, has moved it.
 */
export type Written =
  | {
      readonly status: 'written';
      readonly next: number;
      readonly rows: number;
      readonly dead: number;
      readonly poison?: Failure;
    }
  | { readonly status: 'moved'; readonly next: number; readonly own: boolean };

/** More dead letters in a batch than this are no bad messages but a wrong job. */
const MOST_DEAD_LETTERS = 100;
/** The good ones of a batch may fail after all, when others write the same keys meanwhile. */
const SEPARATIONS = 3;

/** Rejects with a Failure of Postgres; then the batch may have been written or not, and the offset tells. */
export async function writeBatch(
  connection: Connection,
  statements: IngestStatements,
  job: IngestJob,
  move: Move,
  batch: Batch,
  options: CallOptions,
): Promise<Written> {
  const execute = async (statement: Statement, to: number, rows: number, dead: number): Promise<Written> => {
    const { count } = await connection
      .execute(statement.text, statement.parameters, options)
      .catch((error: unknown) => {
        const place = error instanceof Failure ? statements.placeOf(statement, error) : undefined;
        throw error instanceof Failure && place ? new PlacedFailure(error, place) : error;
      });
    const written: Written = { status: 'written', next: to, rows, dead };
    if (count > 0) return written;
    // The offset had moved; or it was moved now, and there were no rows, or a trigger put them elsewhere.
    const row = await readOffset(connection, move, options);
    if (!row) throw rowIsGone(move);
    const own = row.owner === move.owner;
    return own && row.next === to ? written : { status: 'moved', next: row.next, own };
  };

  const whole = { ...move, to: batch.to };
  const statement = statements.write(whole, batch.records);
  if (statement) {
    try {
      return await execute(statement, batch.to, batch.records.length, 0);
    } catch (error) {
      if (!isPoison(error)) throw error;
    }
  }
  const most = job.onError === 'stop' ? 1 : MOST_DEAD_LETTERS + 1;
  for (let attempt = 1; ; attempt++) {
    const { good, bad } = await separate(connection, statements, move, batch.records, most, options);
    const [first] = bad;
    try {
      if (first && bad.length === most) {
        const poison = job.onError === 'stop' ? stopped(job, move, first) : tooMany(job, move, batch, first);
        // What came before it is written when one message stops the partition, nothing when the whole batch is in doubt.
        const before = job.onError === 'stop' ? good : [];
        if (before.length === 0) return { status: 'written', next: batch.from, rows: 0, dead: 0, poison };
        const to = first.record.offset;
        const written = await execute(
          statements.writeWithDeadLetters({ ...move, to }, before, []),
          to,
          before.length,
          0,
        );
        return written.status === 'written' ? { ...written, poison } : written;
      }
      // The table of dead letters is there only where the job has need of it.
      const rest =
        bad.length > 0
          ? statements.writeWithDeadLetters(whole, good, bad)
          : requireStatement(statements.write(whole, good));
      return await execute(rest, batch.to, good.length, bad.length);
    } catch (error) {
      if (!isPoison(error) || attempt === SEPARATIONS) throw error;
    }
  }
}

/** The offset of a partition has no row any more. */
export function rowIsGone({ job, topic, partition }: Move): Failure {
  return new Failure(`the row of partition ${partition} of \`${topic}\` is gone from pgtally.offsets`, {
    kind: 'contention',
    retryable: true,
    hint: `somebody deleted it: job \`${job}\` begins that partition anew`,
  });
}

function stopped(job: IngestJob, { partition }: Move, { record, error }: DeadLetter): Failure {
  const { offset } = record;
  const reset = `pgtally ingest reset ${job.name} --partition ${partition} --to ${offset + 1}`;
  return new Failure(`partition ${partition} of \`${job.topic}\` stops at offset ${offset}: ${error.message}`, {
    kind: 'data',
    code: error.sqlstate,
    hint: `mend \`columns\` or the table, or set \`on_error: dead_letter\`; to leave the message out: \`${reset}\``,
  });
}

function tooMany(job: IngestJob, { partition }: Move, { from, to }: Batch, { record, error }: DeadLetter): Failure {
  return new Failure(
    `partition ${partition} of \`${job.topic}\` stops at offset ${from}: more than ${MOST_DEAD_LETTERS} messages ` +
      `before offset ${to} cannot be rows; the first is ${record.offset}: ${error.message}`,
    {
      kind: 'data',
      code: error.sqlstate,
      hint: 'so many are rather a fault of `columns` or of the table than of the messages: mend it',
    },
  );
}
