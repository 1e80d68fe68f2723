import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LISTED_COLUMNS, messageTexts, unfitText } from '../../src/ingest/message-texts.ts';
import { formatEnvelope } from '../../src/kafka/envelope.ts';
import type { FetchedRecord } from '../../src/kafka/record.ts';

const origin = { topic: 'T.a_b-c', partition: 7 };

const bytes = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text)),
  fc
    .string({
      unit: fc.constantFrom(...Array.from('"\\/\n\r\t\b\f\0\u0001\u0002\u001e\u001f\u007faé€😀')),
      maxLength: 10,
    })
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 6 }).map((array) => Buffer.from(array)),
);
const record = fc.record({
  offset: fc.oneof(fc.nat(), fc.maxSafeNat()),
  timestamp: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
  timestampType: fc.constantFrom('create' as const, 'logappend' as const),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ name: fc.string({ maxLength: 3 }), value: fc.option(bytes) }), { maxLength: 2 }),
});

/** As Postgres splits a text, without the value that each one begins with. */
function split(text: string, separator: string, nullText: string): (string | null)[] {
  const parts = text === '' ? [] : text.split(separator);
  return parts.slice(1).map((part) => (part === nullText ? null : part));
}

describe('texts of messages', () => {
  test('an envelope is, byte for byte, what `pgtally tail` prints', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), (records) => {
        const found = messageTexts(records, ['envelope'], origin);
        if (!found) throw new Error('an envelope can hold any message');
        const [text = ''] = found.texts;
        expect(split(text, found.separator, found.nullText)).toEqual(
          records.map((one) => formatEnvelope({ ...origin, ...one })),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('come apart again whatever the messages hold, or there are none for those that are no text', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), (records) => {
        const found = messageTexts(records, LISTED_COLUMNS, origin);
        const unfit = records.some((one) => unfitText(one, LISTED_COLUMNS) !== undefined);
        expect(found === undefined).toBe(unfit);
        if (!found) return;
        const [offsets, timestamps, keys, values] = found.texts.map((text) =>
          split(text, found.separator, found.nullText),
        );
        expect(offsets).toEqual(records.map(({ offset }) => String(offset)));
        expect(timestamps).toEqual(records.map(({ timestamp }) => (timestamp < 0 ? null : String(timestamp))));
        expect(keys).toEqual(records.map(({ key }) => key?.toString() ?? null));
        expect(values).toEqual(records.map(({ value }) => value?.toString() ?? null));
      }),
      { numRuns: 500 },
    );
  });

  test('what is no text is so only for a column that is used', () => {
    const message: FetchedRecord = {
      offset: 1,
      timestamp: 0,
      timestampType: 'create',
      key: Buffer.from([255]),
      value: Buffer.from('a\0b'),
      headers: [{ name: 'h', value: Buffer.from([254]) }],
    };
    expect(unfitText(message, ['envelope', 'offset'])).toBeUndefined();
    expect(unfitText(message, ['key'])).toEqual({ sqlstate: '22021', message: 'the key is no text: it is not UTF-8' });
    expect(unfitText(message, ['value'])?.message).toContain('the code 0');
    expect(unfitText(message, ['headers'])?.message).toBe('header `h` is no text: it is not UTF-8');
  });
});
