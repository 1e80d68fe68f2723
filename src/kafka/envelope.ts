// A record as a line of JSON and back (design 9): the names and their order are those of kcat 1.7 -J. What kcat cannot say is
// said beside it: bytes that are not UTF-8 stand in `key_base64`, `payload_base64` or `headers_base64` (all values of the
// record's headers then, names as they are) in place of `key`, `payload`, `headers`. Pure.
import { isUtf8 } from 'node:buffer';
import { Failure } from '../model/failure.ts';
import type { RecordHeader } from './record.ts';

/** What `formatEnvelope` prints; null where a record has no place or time yet (a dry run). */
export interface Envelope {
  readonly topic: string;
  readonly partition: number | null;
  readonly offset: number | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number | null;
  /** Default `create`. */
  readonly timestampType?: 'create' | 'logappend';
  /** The id of the broker it was read from. */
  readonly broker?: number;
  readonly headers: readonly RecordHeader[];
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** What an envelope says; members it does not have are undefined, but for the key and headers, which a record may lack. */
export interface ParsedEnvelope {
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: number | undefined;
  readonly timestamp: number | undefined;
  readonly headers: readonly RecordHeader[];
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** One line, without its line break. Members that kcat leaves out (no headers, no broker) are left out. */
export function formatEnvelope(envelope: Envelope): string {
  const { topic, partition, offset, timestamp, timestampType = 'create', broker, headers, key, value } = envelope;
  return (
    `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset},` +
    `"tstype":"${timestampType}","ts":${timestamp},${broker === undefined ? '' : `"broker":${broker},`}` +
    `${headers.length === 0 ? '' : `${formatHeaders(headers)},`}${formatBytes('key', key)},${formatBytes('payload', value)}}`
  );
}

/**
 * The record in a line that `formatEnvelope` or kcat wrote. Exact: null, empty, bytes, doubled headers and their order come back
 * as they were. Throws a Failure (`data`) that names the member which is wrong, missing (`payload`) or unknown.
 */
export function parseEnvelope(line: string): ParsedEnvelope {
  const members = parseObject(line);
  const unknown = Object.keys(members).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) throw wrong(`unknown member \`${unknown}\``, `an envelope has ${[...MEMBERS].join(', ')}`);
  const value = readBytes(members, 'payload');
  if (value === undefined) throw wrong('`payload` is missing', 'write null for a record without a value (a tombstone)');
  const topic = members.topic;
  if (topic !== undefined && typeof topic !== 'string') throw wrong('`topic` is not text');
  return {
    topic,
    partition: readNumber(members, 'partition', 0),
    offset: readNumber(members, 'offset', 0),
    timestamp: readNumber(members, 'ts', -1),
    headers: readHeaders(members),
    key: readBytes(members, 'key') ?? null,
    value,
  };
}

const MEMBERS = new Set([
  'topic',
  'partition',
  'offset',
  'tstype',
  'ts',
  'broker',
  'headers',
  'headers_base64',
  'key',
  'key_base64',
  'payload',
  'payload_base64',
]);

type Members = Readonly<Record<string, unknown>>;

function formatBytes(name: 'key' | 'payload', bytes: Buffer | null): string {
  if (bytes === null) return `"${name}":null`;
  if (isUtf8(bytes)) return `"${name}":${JSON.stringify(bytes.toString('utf8'))}`;
  return `"${name}_base64":"${bytes.toString('base64')}"`;
}

function formatHeaders(headers: readonly RecordHeader[]): string {
  const encoding = headers.every(({ value }) => value === null || isUtf8(value)) ? 'utf8' : 'base64';
  const list = headers.flatMap(({ name, value }) => [name, value === null ? null : value.toString(encoding)]);
  return `"headers${encoding === 'utf8' ? '' : '_base64'}":${JSON.stringify(list)}`;
}

function parseObject(line: string): Members {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw wrong('not JSON', `an envelope is one line as \`pgtally tail\` prints it (${(error as Error).message})`);
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Members;
  throw wrong('not a JSON object', 'an envelope is one line as `pgtally tail` prints it');
}

/** Undefined = the member is missing, in both forms. */
function readBytes(members: Members, name: 'key' | 'payload'): Buffer | null | undefined {
  const text = members[name];
  const base64 = members[`${name}_base64`];
  if (text !== undefined && base64 !== undefined) throw wrong(`both \`${name}\` and \`${name}_base64\` are given`);
  if (base64 !== undefined) return fromBase64(base64, `${name}_base64`);
  return text === undefined ? undefined : fromText(text, name);
}

function readHeaders(members: Members): RecordHeader[] {
  const name = members.headers_base64 === undefined ? 'headers' : 'headers_base64';
  const list = members[name];
  if (name === 'headers_base64' && members.headers !== undefined) {
    throw wrong('both `headers` and `headers_base64` are given');
  }
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list) || list.length % 2 !== 0)
    throw wrong(`\`${name}\` is not a list of names and values in turn`);
  const headers: RecordHeader[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const header: unknown = list[at];
    if (typeof header !== 'string' || HALF_CHARACTER.test(header)) throw wrong(`a name in \`${name}\` is not text`);
    const value: unknown = list[at + 1];
    headers.push({ name: header, value: name === 'headers' ? fromText(value, name) : fromBase64(value, name) });
  }
  return headers;
}

function readNumber(members: Members, name: string, least: number): number | undefined {
  const value = members[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw wrong(`\`${name}\` is not a whole number from ${least} up that is exact in JSON`);
}

/** Half of a surrogate pair: JSON can spell it, UTF-8 cannot. */
const HALF_CHARACTER = /\p{Surrogate}/u;

function fromText(value: unknown, name: string): Buffer | null {
  if (value === null) return null;
  if (typeof value === 'string' && !HALF_CHARACTER.test(value)) return Buffer.from(value, 'utf8');
  throw wrong(`\`${name}\` holds something other than text or null`);
}

function fromBase64(value: unknown, name: string): Buffer | null {
  if (value === null) return null;
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    // Buffer.from skips what it does not know.
    if (bytes.toString('base64') === value) return bytes;
  }
  throw wrong(`\`${name}\` holds something other than base64 or null`);
}

function wrong(what: string, hint?: string): Failure {
  return new Failure(`not an envelope: ${what}`, { kind: 'data', ...(hint === undefined ? {} : { hint }) });
}
