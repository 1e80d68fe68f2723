// Messages as the texts that a statement is given: one text for each column that the job's expressions use, the messages'
// values one after the other with a separator between. Postgres splits such a text three times as fast as it reads an array,
// in which every quote of a JSON text has to be escaped. Pure.
import { isUtf8 } from 'node:buffer';
import { formatEnvelope } from '../kafka/envelope.ts';
import type { FetchedRecord } from '../kafka/record.ts';
import { type CompiledIngestSql, MESSAGE_COLUMNS } from '../sql/ingest.ts';

/** The columns of a message that differ from message to message. */
export const LISTED_COLUMNS = ['offset', 'timestamp', 'key', 'value', 'headers', 'envelope'] as const;
export type ListedColumn = (typeof LISTED_COLUMNS)[number];

/** Where messages came from. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
}

/** Why a message cannot be a row; as Postgres says it where it did. */
export interface RowError {
  readonly sqlstate: string;
  readonly message: string;
}

export interface MessageTexts {
  /** Between two values; in none of them. */
  readonly separator: string;
  /** A value that is NULL; no value is the same. */
  readonly nullText: string;
  /** In the order of the columns asked for. */
  readonly texts: readonly string[];
}

/** The columns that the expressions name; one that only looks named costs a little time. `offset` if there is none. */
export function listedColumns(sql: CompiledIngestSql): readonly ListedColumn[] {
  const text = sql.columns.map(({ expression }) => expression).join('\n');
  // Names can be spelled with escapes (`U&"\0076alue"`): then any may be meant.
  const named = /u&"/i.test(text)
    ? new Set<string>(MESSAGE_COLUMNS)
    : new Set(MESSAGE_COLUMNS.filter((name) => new RegExp(`\\b${name}\\b`, 'i').test(text)));
  const listed = LISTED_COLUMNS.filter((name) => named.has(name));
  return listed.length > 0 ? listed : ['offset'];
}

/** Whether a message can be text at all in the columns that are used: SQLSTATE 22021 for what Postgres would refuse. */
export function unfitText(record: FetchedRecord, columns: readonly ListedColumn[]): RowError | undefined {
  for (const column of columns) {
    if (column === 'key' || column === 'value') {
      const reason = unfitBytes(record[column]);
      if (reason) return { sqlstate: NOT_IN_REPERTOIRE, message: `the ${column} is no text: ${reason}` };
    }
    if (column !== 'headers') continue;
    for (const { name, value } of record.headers) {
      // In JSON the character with the code 0 has a spelling, and jsonb refuses it by itself.
      if (value !== null && !isUtf8(value))
        return { sqlstate: NOT_IN_REPERTOIRE, message: `header \`${name}\` is no text: ${NOT_UTF8}` };
    }
  }
  return undefined;
}

/** The texts of messages, all of them fit (`unfitText`). */
export function messageTexts(
  records: readonly FetchedRecord[],
  columns: readonly ListedColumn[],
  origin: Origin,
): MessageTexts {
  const lists = columns.map((column) => TEXTS[column](records, origin));
  const [separator, nullText] = chooseMarks(lists);
  // Postgres makes an empty array of an empty text, so each list begins with a value that is cut off again.
  const texts = lists.map((list) => {
    let joined = '';
    for (const text of list) joined += separator + (text ?? nullText);
    return joined;
  });
  return { separator, nullText, texts };
}

const NOT_IN_REPERTOIRE = '22021';
const NOT_UTF8 = 'it is not UTF-8';

function unfitBytes(bytes: Buffer | null): string | undefined {
  if (bytes === null) return undefined;
  if (!isUtf8(bytes)) return NOT_UTF8;
  return bytes.includes(0) ? 'it has a character with the code 0, which Postgres does not store' : undefined;
}

const TEXTS: Readonly<
  Record<ListedColumn, (records: readonly FetchedRecord[], origin: Origin) => readonly (string | null)[]>
> = {
  offset: (records) => records.map(({ offset }) => String(offset)),
  timestamp: (records) => records.map(({ timestamp }) => (timestamp < 0 ? null : String(timestamp))),
  key: (records) => records.map(({ key }) => key?.toString() ?? null),
  value: (records) => records.map(({ value }) => value?.toString() ?? null),
  headers: (records) => records.map(({ headers }) => headersJson(headers)),
  envelope: (records, origin) => records.map((record) => formatEnvelope({ ...origin, ...record })),
};

/** Of headers with one name the last counts, as for Kafka's own `lastHeader`. */
function headersJson(headers: FetchedRecord['headers']): string {
  if (headers.length === 0) return '{}';
  return JSON.stringify(Object.fromEntries(headers.map(({ name, value }) => [name, value?.toString() ?? null])));
}

/** Characters that hardly a text holds; in JSON none of them stands as it is. */
const RARE = ['\u0001', '\u0002', '\u001e', '\u001f'] as const;

/** Two marks that occur in none of the texts. */
function chooseMarks(lists: readonly (readonly (string | null)[])[]): readonly [string, string] {
  const free = RARE.filter((mark) => !lists.some((list) => list.some((text) => text?.includes(mark))));
  const [separator, nullText] = free;
  if (separator !== undefined && nullText !== undefined) return [separator, nullText];
  for (let number = 0; ; number++) {
    // No part of it is both its beginning and its end, so that it cannot be found half within a value.
    const [one, other] = [`\u0001${number}s\u0002`, `\u0001${number}n\u0002`];
    if (!lists.some((list) => list.some((text) => text?.includes(one) || text?.includes(other)))) return [one, other];
  }
}
