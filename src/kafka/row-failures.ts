// What a row's own data can do wrong on its way to Kafka, said for the person who wrote the query. Who publishes adds job and
// server.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';

const KEY_SHOWN = 60;

/** `row` counts from 1, here and below. */
export function keyMissing(row: number): Failure {
  return new Failure(`row ${row} has a NULL key`, {
    kind: 'data',
    hint: 'give every row a key, as with `coalesce`, or set `null_key: allow`',
  });
}

export function valueMissing(row: number): Failure {
  return new Failure(`row ${row} has a NULL value`, {
    kind: 'data',
    hint: 'leave such rows out with `where`; for a tombstone write the value as `value:`',
  });
}

export function tombstoneWithoutKey(row: number): Failure {
  return new Failure(`row ${row} has a NULL value and no key, but a tombstone needs one`, {
    kind: 'data',
    hint: 'leave such rows out with `where`, or give them a key',
  });
}

/** `size` and `limit` count the batch's overhead, as the topic's setting does. */
export function recordTooLarge(row: number, key: Uint8Array | null, size: Bytes, limit: Bytes): Failure {
  return tooLarge(`row ${row}${withKey(key)} makes a record of`, size, limit, 'publish less in one row');
}

/** The same for a record that came as one; `number` counts from 1. */
export function givenRecordTooLarge(number: number, key: Uint8Array | null, size: Bytes, limit: Bytes): Failure {
  return tooLarge(`record ${number}${withKey(key)} takes`, size, limit, 'make it smaller');
}

function tooLarge(what: string, size: Bytes, limit: Bytes, advice: string): Failure {
  return new Failure(`${what} ${size} bytes, but its topic takes at most ${limit}`, {
    kind: 'record',
    code: 'MESSAGE_TOO_LARGE',
    hint: `${advice}, or raise \`max.message.bytes\` of the topic`,
  });
}

function withKey(key: Uint8Array | null): string {
  return key === null ? '' : ` with key \`${shorten(key)}\``;
}

function shorten(key: Uint8Array): string {
  const text = Buffer.from(key.buffer, key.byteOffset, Math.min(key.length, 4 * KEY_SHOWN)).toString();
  return text.length > KEY_SHOWN ? `${text.slice(0, KEY_SHOWN)}…` : text;
}
