// Messages as the texts that a statement is given: one text for each column that the job's expressions use, the messages'
// values one after the other with a separator between. Postgres splits such a text three times as fast as it reads an array,
// in which every quote of a JSON text has to be escaped. Pure.
import { isUtf8 } from 'node:buffer';
import { formatEnvelope } from '../kafka/envelope.ts';
import type { FetchedRecord } from '../kafka/record.ts';
import { type CompiledIngestSql, MESSAGE_COLUMNS } from '../sql/ingest.ts';
import { createTextBuilder } from './text-builder.ts';

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

/** The texts of messages; undefined when one of them is unfit (`unfitText` says which). */
export function messageTexts(
  records: readonly FetchedRecord[],
  columns: readonly ListedColumn[],
  origin: Origin,
): MessageTexts | undefined {
  return quickTexts(records, columns, origin) ?? carefulTexts(records, columns, origin);
}

/** One builder for all: a text is put together without a pause. */
const builder = createTextBuilder();
const [SEPARATOR, NULL_TEXT] = ['\u0001', '\u0002'];
const SEPARATOR_BYTES = Buffer.from(SEPARATOR);
const NULL_BYTES = Buffer.from(NULL_TEXT);

/** For messages that are fit and hold neither of the usual marks; else undefined. */
function quickTexts(
  records: readonly FetchedRecord[],
  columns: readonly ListedColumn[],
  origin: Origin,
): MessageTexts | undefined {
  const texts: string[] = [];
  for (const column of columns) {
    builder.clear();
    const add = QUICK[column](origin);
    for (const record of records) {
      builder.ascii(SEPARATOR_BYTES);
      if (!add(record)) return undefined;
    }
    texts.push(builder.toString());
  }
  return { separator: SEPARATOR, nullText: NULL_TEXT, texts };
}

type AddText = (record: FetchedRecord) => boolean;

const QUICK: Readonly<Record<ListedColumn, (origin: Origin) => AddText>> = {
  offset: () => (record) => addNumber(record.offset),
  timestamp: () => (record) => (record.timestamp < 0 ? addNull() : addNumber(record.timestamp)),
  key: () => (record) => (record.key === null ? addNull() : builder.text(record.key)),
  value: () => (record) => (record.value === null ? addNull() : builder.text(record.value)),
  headers:
    () =>
    ({ headers }) => {
      if (!headers.every(({ value }) => value === null || isUtf8(value))) return false;
      builder.string(headersJson(headers));
      return true;
    },
  envelope: ({ topic, partition }) => {
    // A name of a topic is ASCII.
    const start = Buffer.from(`{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`);
    return (record) => {
      const begin = builder.length;
      if (record.headers.length === 0 && addPlainEnvelope(start, record)) return true;
      builder.cut(begin);
      builder.string(envelopeOf(record, { topic, partition }));
      return true;
    };
  },
};

/** As `formatEnvelope` writes a record without headers; false, with half of it written, when it has to be in base64. */
function addPlainEnvelope(start: Uint8Array, { offset, timestamp, timestampType, key, value }: FetchedRecord): boolean {
  builder.ascii(start);
  builder.number(offset);
  builder.ascii(timestampType === 'create' ? CREATE_TIME : APPEND_TIME);
  builder.number(timestamp);
  builder.ascii(KEY);
  if (!addJson(key)) return false;
  builder.ascii(PAYLOAD);
  return addJson(value) && addAscii(END);
}

const CREATE_TIME = Buffer.from(',"tstype":"create","ts":');
const APPEND_TIME = Buffer.from(',"tstype":"logappend","ts":');
const KEY = Buffer.from(',"key":');
const PAYLOAD = Buffer.from(',"payload":');
const JSON_NULL = Buffer.from('null');
const END = Buffer.from('}');

function addJson(bytes: Buffer | null): boolean {
  return bytes === null ? addAscii(JSON_NULL) : builder.jsonString(bytes);
}

function addAscii(bytes: Uint8Array): true {
  builder.ascii(bytes);
  return true;
}

function addNumber(value: number): true {
  builder.number(value);
  return true;
}

function addNull(): true {
  return addAscii(NULL_BYTES);
}

/** For any messages, with a string for each value. */
function carefulTexts(
  records: readonly FetchedRecord[],
  columns: readonly ListedColumn[],
  origin: Origin,
): MessageTexts | undefined {
  if (records.some((record) => unfitText(record, columns) !== undefined)) return undefined;
  const lists = columns.map((column) => TEXTS[column](records, origin));
  const [separator, nullText] = chooseMarks(lists);
  // Postgres makes an empty array of an empty text, so each list begins with a value that is cut off again.
  const texts = lists.map((list) =>
    list.length === 0 ? '' : separator + list.map((text) => text ?? nullText).join(separator),
  );
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
  envelope: (records, origin) => records.map((record) => envelopeOf(record, origin)),
};

/** The message as a line of JSON. Field by field: spreading two objects costs more than all the rest. */
export function envelopeOf(record: FetchedRecord, { topic, partition }: Origin): string {
  const { offset, timestamp, timestampType, headers, key, value } = record;
  return formatEnvelope({ topic, partition, offset, timestamp, timestampType, headers, key, value });
}

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
