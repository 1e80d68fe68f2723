// Random SQL text in which every placeholder is known, for property tests.
import fc from 'fast-check';
import { PLACEHOLDERS } from '../../src/sql/placeholders.ts';

export interface SqlPiece {
  readonly text: string;
  /** It is a placeholder, not something that looks like one. */
  readonly placeholder: boolean;
}

const name = fc.constantFrom(...PLACEHOLDERS);
const letters = fc.constantFrom(
  'a',
  'B',
  '_',
  'é',
  '漢',
  '😀',
  '1',
  ' ',
  '\n',
  '\t',
  '\u0001',
  ':',
  '::',
  ';',
  '$',
  '\\',
  '-',
  '*',
);
const noise = fc
  .array(
    fc.oneof(
      letters,
      name.map((word) => `:${word}`),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

const opaque = fc.oneof(
  noise.map((text) => `'${text}'`),
  noise.map((text) => `'it''s ${text}'`),
  noise.map((text) => `e'\\'${text.replaceAll('\\', '\\\\')}'`),
  noise.map((text) => `"x${text}"`),
  noise.map((text) => `U&'${text.replaceAll('\\', '')}'`),
  noise.map((text) => `$$${text.replaceAll('$', '')}$$`),
  noise.map((text) => `$tag$${text.replaceAll('$', '')} $$ $tag$`),
  noise.map((text) => `--${text.replaceAll('\n', ' ')}\n`),
  noise.map((text) => `/*${text.replaceAll('*', '')} /* '" $$ */ */`),
  name.map((word) => `x::${word}`),
  name.map((word) => `: ${word}`),
  fc.constantFrom(
    '[1:2]',
    '[:2]',
    '[1:]',
    'x:=1',
    '=>',
    '漢::text',
    '😀',
    '@>',
    '?',
    ':1',
    "b'01'",
    "x'1f'",
    '1.5e3',
    '$',
    ',',
  ),
);

/** Pieces to be joined by blanks. */
export const sqlPieces: fc.Arbitrary<SqlPiece[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: opaque.map((text) => ({ text, placeholder: false })) },
    { weight: 1, arbitrary: name.map((word) => ({ text: `:${word}`, placeholder: true })) },
    { weight: 1, arbitrary: name.map((word) => ({ text: `:${word.toUpperCase()}`, placeholder: true })) },
  ),
  { maxLength: 12 },
);

/** Texts that try to leave a literal: quotes, backslashes, comments, dollar quotes, anything but U+0000. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
  fc
    .array(
      fc.constantFrom(
        "'",
        "''",
        '\\',
        "\\'",
        '"',
        '$$',
        '--',
        '/*',
        '*/',
        ';',
        '\n',
        ')',
        '(',
        'a',
        '😀',
        ':slot',
        '::',
        'E',
      ),
    )
    .map((parts) => parts.join('')),
);
