// The SQL of an ingest job's batches: rows and next offset in one statement, so that they are written together or not at all
// whatever happens to process, connection or server (design 8). Each text is prepared once a connection.
import type { FetchedRecord } from '../kafka/record.ts';
import { Failure } from '../model/failure.ts';
import type { Parameter } from '../postgres/connection.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';
import { pointToUnit, unitToPoint } from '../sql/offsets.ts';
import {
  envelopeOf,
  type ListedColumn,
  listedColumns,
  messageTexts,
  type Origin,
  type RowError,
} from './message-texts.ts';

/** Moves the next offset of one partition, unless somebody else has moved it. */
export interface Move {
  readonly job: string;
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Who moves it, so that a lost answer can be told from another owner's move. */
  readonly owner: string;
}

/** A message that becomes a dead letter. */
export interface DeadLetter {
  readonly record: FetchedRecord;
  readonly error: RowError;
}

export interface Statement {
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

export interface IngestStatements {
  readonly columns: readonly ListedColumn[];
  /**
   * Rows and next offset together; its count is 0 when the offset had moved. Undefined when a message cannot be text
   * (`unfitText`).
   */
  write(move: Move, records: readonly FetchedRecord[]): Statement | undefined;
  /** The same with dead letters; `records` are fit, and may be none. */
  writeWithDeadLetters(move: Move, records: readonly FetchedRecord[], dead: readonly DeadLetter[]): Statement;
  /** The rows alone, of fit messages, for a transaction that is rolled back. */
  probe(origin: Origin, records: readonly FetchedRecord[]): Statement;
  /** Where in the job's file the position of a failed statement is. */
  placeOf(statement: Pick<Statement, 'text'>, failure: Failure): SourcePlace | undefined;
}

/** The next offset alone, over what no row comes of: aborted and compacted records. */
export function moveStatement(move: Move): Statement {
  return { text: MOVE, parameters: moveParameters(move) };
}

export function createStatements(prepared: PreparedIngest): IngestStatements {
  const columns = listedColumns(prepared.sql);
  const insert = insertText(prepared);
  const write = `with moved as (${MOVE} returning 1)\n${insert.text} from ${messages(columns, MOVE_PARAMETERS + 1)}${IF_MOVED}`;
  const writeWithDeadLetters =
    `with moved as (${MOVE} returning 1),\ndead as (${deadLetters(MOVE_PARAMETERS + columns.length + 3)})\n` +
    `${insert.text} from ${messages(columns, MOVE_PARAMETERS + 1)}${IF_MOVED}`;
  // Topic and partition are the second and third parameter in all of them.
  const probe = `${insert.text} from ${messages(columns, 4)} where $1::text is not null`;

  const statement = (
    text: string,
    before: readonly Parameter[],
    records: readonly FetchedRecord[],
    origin: Origin,
    after: readonly Parameter[] = [],
  ): Statement | undefined => {
    const lists = messageTexts(records, columns, origin);
    if (!lists) return undefined;
    return { text, parameters: [...before, lists.separator, lists.nullText, ...lists.texts, ...after] };
  };
  return {
    columns,
    write: (move, records) => statement(write, moveParameters(move), records, move),
    writeWithDeadLetters: (move, records, dead) =>
      requireStatement(
        statement(writeWithDeadLetters, moveParameters(move), records, move, deadLetterParameters(dead, move)),
      ),
    probe: (origin, records) =>
      requireStatement(statement(probe, ['', origin.topic, origin.partition], records, origin)),
    placeOf({ text }, { position }) {
      if (position === undefined) return undefined;
      return insert.placeAt(pointToUnit(text, position - 1) - text.indexOf(insert.text));
    },
  };
}

/** The statement of messages that were found fit. Throws a Failure (`internal`) when they are not. */
export function requireStatement(statement: Statement | undefined): Statement {
  if (statement) return statement;
  throw new Failure('a message that was found fit is no text', { kind: 'internal' });
}

/** $1 job, $2 topic, $3 partition, $4 from, $5 to, $6 owner. */
const MOVE =
  'update pgtally.offsets set next = $5::bigint, owner = $6::text, moved_at = now() ' +
  'where job = $1::text and topic = $2::text and partition = $3::int and next = $4::bigint';
const MOVE_PARAMETERS = 6;
const IF_MOVED = ' where exists (select from moved)';

function moveParameters({ job, topic, partition, from, to, owner }: Move): Parameter[] {
  return [job, topic, partition, from, to, owner];
}

/**
 * The messages as a relation whose columns the expressions name. Parameters from `first` on: separator, text of NULL, then a
 * text for each of the columns. Sets in a select list go on in step and are not stored, unlike those in `from`.
 */
function messages(columns: readonly ListedColumn[], first: number): string {
  const split = (index: number): string =>
    `unnest((string_to_array($${first + 2 + index}::text, $${first}::text, $${first + 1}::text))[2:])`;
  const listed = columns.map((column, index) => `${CASTS[column](split(index))} as "${column}"`);
  return `(select $2::text as topic, $3::int as partition, ${listed.join(', ')}) message`;
}

const CASTS: Readonly<Record<ListedColumn, (text: string) => string>> = {
  offset: (text) => `${text}::bigint`,
  timestamp: (text) => `timestamptz 'epoch' + ${text}::bigint * interval '1 millisecond'`,
  key: (text) => text,
  value: (text) => text,
  headers: (text) => `${text}::jsonb`,
  envelope: (text) => `${text}::json`,
};

/** Parameters from `first` on: arrays of offsets, timestamps (epoch ms), SQLSTATEs, errors and envelopes. */
function deadLetters(first: number): string {
  const types = ['bigint', 'bigint', 'text', 'text', 'json'];
  const arrays = types.map((type, index) => `$${first + index}::${type}[]`);
  return (
    'insert into pgtally.dead_letters (job, topic, partition, "offset", "timestamp", sqlstate, error, envelope) ' +
    `select $1::text, $2::text, $3::int, d.o, timestamptz 'epoch' + d.t * interval '1 millisecond', d.s, d.e, d.j ` +
    `from unnest(${arrays.join(', ')}) d(o, t, s, e, j)${IF_MOVED}`
  );
}

function deadLetterParameters(dead: readonly DeadLetter[], origin: Origin): Parameter[] {
  return [
    dead.map(({ record }) => record.offset),
    dead.map(({ record }) => (record.timestamp < 0 ? null : record.timestamp)),
    dead.map(({ error }) => error.sqlstate),
    dead.map(({ error }) => error.message),
    dead.map(({ record }) => envelopeOf(record, origin)),
  ];
}

/** `insert into t (a, b) select (…), (…)`, and what stands where in it. */
function insertText({ job, sql }: PreparedIngest): { text: string; placeAt(unit: number): SourcePlace | undefined } {
  let text = '';
  const ranges: { start: number; end: number; place: (offset: number) => SourcePlace }[] = [];
  const add = (part: string, place: (offset: number) => SourcePlace): void => {
    ranges.push({ start: text.length, end: text.length + part.length, place });
    text += part;
  };
  text += 'insert into ';
  add(sql.into, () => job.into);
  text += ' (';
  for (const [index, { name }] of sql.columns.entries()) {
    if (index > 0) text += ', ';
    add(name, () => job.columns[index]?.name ?? job.into);
  }
  text += ')\nselect ';
  for (const [index, { expression }] of sql.columns.entries()) {
    text += index > 0 ? ', (' : '(';
    add(expression, (offset) => sql.locate(index, offset));
    text += '\n)';
  }
  return {
    text,
    placeAt(unit) {
      const range = ranges.find(({ start, end }) => start <= unit && unit < end);
      return range?.place(unitToPoint(text.slice(range.start, range.end), unit - range.start));
    },
  };
}
