import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { pointToUnit, unitsOfBytes, unitToPoint } from '../../src/sql/offsets.ts';
import { loadParser, parseSql, scanSql } from '../../src/sql/parser.ts';
import { hostileText } from './arbitrary-sql.ts';

beforeAll(loadParser);

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string());

test('bytes and characters are counted as Node encodes and iterates', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const toUnit = unitsOfBytes(text);
      for (const [point, unit] of boundaries(text).entries()) {
        expect(toUnit(Buffer.byteLength(text.slice(0, unit)))).toBe(unit);
        expect(pointToUnit(text, point)).toBe(unit);
        expect(unitToPoint(text, unit)).toBe(point);
      }
    }),
  );
});

test('positions beyond the end are the end', () => {
  expect([pointToUnit('aé😀', 9), unitsOfBytes('aé😀')(99), unitsOfBytes('é')(2)]).toEqual([4, 4, 1]);
});

test('a lone surrogate is as long as what is sent for it', () => {
  const parsed = parseSql("select '\ud800' as a, b as b");
  const places = parsed.ok ? JSON.stringify(parsed.statements).match(/"location":\d+/g) : [];
  expect(places?.map((place) => (parsed.ok ? parsed.toUnit(Number(place.slice(11))) : -1))).toEqual([7, 7, 17, 17]);
});

test('tokens are where they stand, whatever bytes and control characters come before', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const quoted = `'${text.replaceAll("'", "''")}\u0001\u001f\v'`;
      const sql = `select ${quoted} /* ${text.replace(/[*/]/g, '')} \u0007 */ , last`;
      const tokens = scanSql(sql);
      expect(tokens?.map((token) => token.text)).toEqual([
        'select',
        quoted,
        expect.stringMatching(/^\/\*/),
        ',',
        'last',
      ]);
      expect(tokens?.at(-1)?.end).toBe(sql.length);
    }),
  );
});

test('a syntax error after multi-byte text is placed by characters, a tree by bytes', () => {
  const failed = parseSql('select \'é漢😀\' as "ü", = 1');
  expect(failed.ok ? -1 : failed.offset).toBe('select \'é漢😀\' as "ü", '.length);
  const parsed = parseSql("select 'é漢😀', last");
  const places = parsed.ok ? JSON.stringify(parsed.statements).match(/"location":\d+/g) : [];
  expect(parsed.ok && parsed.toUnit(Number(places?.at(-1)?.slice(11)))).toBe("select 'é漢😀', ".length);
});

/** The UTF-16 offsets between the characters of a text, its start and its end. */
function boundaries(text: string): number[] {
  const units = [0];
  for (const char of text) units.push((units.at(-1) ?? 0) + char.length);
  return units;
}
