// Texts put together as bytes: a JavaScript string for each message, and one more for each part of it, would cost more than
// everything else that is done with a message.
import { isUtf8 } from 'node:buffer';
import type { Bytes } from '../model/units.ts';

export interface TextBuilder {
  /** Begins a new text. */
  clear(): void;
  /** Adds ASCII characters. */
  ascii(bytes: Uint8Array): void;
  /** Adds a whole number from -1 up. */
  number(value: number): void;
  /**
   * Adds bytes as they are. False when they are not text that Postgres stores, or hold one of the characters with the codes 1
   * and 2, which separate texts; then what was added is of no use.
   */
  text(bytes: Uint8Array): boolean;
  /** Adds bytes as a JSON string, as `JSON.stringify` writes it. False when they are not UTF-8. */
  jsonString(bytes: Uint8Array): boolean;
  /** Adds a string. */
  string(text: string): void;
  /** How many bytes were added. */
  readonly length: number;
  /** Takes back what was added after `length`. */
  cut(length: number): void;
  /** What was added since `clear`. */
  toString(): string;
}

const FIRST_SIZE: Bytes = 64 * 1024;
const LARGEST_MARK = 2;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LONGEST_ESCAPE = 6;
const NUMBER_DIGITS = 20;
const NOT_ASCII = 0x80;

/** How JSON writes the characters that it does not write as they are; by code. */
const ESCAPES: readonly (Uint8Array | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  if (code >= 0x20 && code !== QUOTE && code !== BACKSLASH) return undefined;
  return Buffer.from(JSON.stringify(String.fromCharCode(code)).slice(1, -1));
});

/** A builder whose buffer is used for one text after the other. */
export function createTextBuilder(): TextBuilder {
  let buffer = Buffer.allocUnsafe(FIRST_SIZE);
  let at = 0;
  /** All bytes added, or-ed: ASCII if below 128. */
  let seen = 0;

  const reserve = (size: Bytes): void => {
    if (at + size <= buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, at + size));
    buffer.copy(larger, 0, 0, at);
    buffer = larger;
  };

  return {
    clear() {
      at = 0;
      seen = 0;
    },
    ascii(bytes) {
      reserve(bytes.length);
      for (let index = 0; index < bytes.length; index++) buffer[at++] = bytes[index]!;
    },
    number(value) {
      reserve(NUMBER_DIGITS);
      if (value < 10) {
        if (value < 0) buffer[at++] = 0x2d;
        buffer[at++] = 0x30 + Math.abs(value);
        return;
      }
      let digits = 1;
      for (let power = 10; power <= value; power *= 10) digits++;
      let left = value;
      for (let index = at + digits - 1; index >= at; index--) {
        const rest = Math.floor(left / 10);
        buffer[index] = 0x30 + (left - 10 * rest);
        left = rest;
      }
      at += digits;
    },
    text(bytes) {
      reserve(bytes.length);
      const target = buffer;
      const start = at;
      let or = 0;
      for (let index = 0; index < bytes.length; index++) {
        const code = bytes[index]!;
        if (code <= LARGEST_MARK) return false;
        or |= code;
        target[start + index] = code;
      }
      at = start + bytes.length;
      seen |= or;
      return or < NOT_ASCII || isUtf8(bytes);
    },
    jsonString(bytes) {
      reserve(2 + bytes.length);
      let target = buffer;
      let to = at;
      let or = 0;
      target[to++] = QUOTE;
      for (let index = 0; index < bytes.length; index++) {
        const code = bytes[index]!;
        or |= code;
        const escaped = ESCAPES[code];
        if (escaped === undefined) {
          target[to++] = code;
          continue;
        }
        at = to;
        // For the rest as well: as if each of its bytes were as long.
        reserve(LONGEST_ESCAPE * (bytes.length - index) + 1);
        target = buffer;
        for (let byte = 0; byte < escaped.length; byte++) target[to++] = escaped[byte]!;
      }
      target[to++] = QUOTE;
      at = to;
      seen |= or;
      return or < NOT_ASCII || isUtf8(bytes);
    },
    string(text) {
      const length = Buffer.byteLength(text);
      reserve(length);
      buffer.write(text, at);
      at += length;
      if (length !== text.length) seen |= NOT_ASCII;
    },
    get length() {
      return at;
    },
    cut(length) {
      at = length;
    },
    toString: () => buffer.toString(seen < NOT_ASCII ? 'latin1' : 'utf8', 0, at),
  };
}
