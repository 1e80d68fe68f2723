// Reading the fields of a JSON value that somebody else may have written. Pure; knows no record of ours.
import { Failure } from '../model/failure.ts';

/** The fields of one JSON object. Each method throws a Failure that names the field when it is not what is asked for. */
export interface JsonFields {
  readonly value: (name: string) => unknown;
  readonly text: (name: string) => string;
  /** A whole number from 0 up. */
  readonly count: (name: string) => number;
  /** RFC 3339 in UTC, with or without fractions of a second. */
  readonly instant: (name: string) => string;
  readonly oneOf: (name: string, known: readonly string[]) => string;
  /** Undefined when the field is absent or null. */
  readonly optional: <T>(name: string, read: (name: string) => T) => T | undefined;
}

/**
 * The fields of the object that `json` is; those that are not asked for are passed over.
 * Throws a Failure that says what is wrong, without the place: the caller knows topic, partition and offset.
 */
export function fieldsOf(json: string): JsonFields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new Failure('not JSON', { kind: 'internal', cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Failure('not a JSON object', { kind: 'internal' });
  }
  const fields = parsed as Readonly<Record<string, unknown>>;
  const value = (name: string): unknown => fields[name];
  const text = (name: string): string => {
    const found = value(name);
    if (typeof found !== 'string') throw wrongField(name, 'a text');
    return found;
  };
  return {
    value,
    text,
    count: (name) => {
      const found = value(name);
      if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < 0) throw wrongField(name, 'a count');
      return found;
    },
    instant: (name) => {
      const found = text(name);
      if (!INSTANT.test(found) || Number.isNaN(Date.parse(found))) throw wrongField(name, 'an instant in UTC');
      return found;
    },
    oneOf: (name, known) => {
      const found = text(name);
      if (!known.includes(found)) throw wrongField(name, `one of ${known.join(', ')}`);
      return found;
    },
    optional: (name, read) => (value(name) === undefined || value(name) === null ? undefined : read(name)),
  };
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function wrongField(name: string, expected: string): Failure {
  return new Failure(`field \`${name}\` is not ${expected}`, { kind: 'internal' });
}
