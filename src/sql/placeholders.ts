// `:slot`, `:window_start` and the others: found among the scanner's tokens, hidden from the parser behind `$1`, and
// written as typed literals that cannot be broken out of.
import { Failure } from '../model/failure.ts';
import { formatInstant, type ServerName, type Slot } from '../model/units.ts';
import type { Token } from './parser.ts';

export const PLACEHOLDERS = ['slot', 'window_start', 'window_end', 'server', 'labels'] as const;
export type PlaceholderName = (typeof PLACEHOLDERS)[number];

/** What a run puts in their place; instants are epoch milliseconds. */
export interface PlaceholderValues {
  readonly slot: Slot;
  readonly windowStart: Slot;
  readonly windowEnd: Slot;
  readonly server: ServerName;
  readonly labels: Readonly<Record<string, string>>;
}

/** A colon with the identifier that follows at once; `name` is undefined when there is no such placeholder. */
export interface Placeholder {
  readonly start: number;
  readonly end: number;
  readonly name: PlaceholderName | undefined;
}

/** All of `:identifier` in a scanned text. Strings, comments, `::type` and `[1:2]` are other tokens, so never among them. */
export function findPlaceholders(tokens: readonly Token[]): Placeholder[] {
  return tokens.flatMap((colon, i) => {
    const identifier = tokens[i + 1];
    if (colon.text !== ':' || identifier?.start !== colon.end || !IDENTIFIER.test(identifier.text)) return [];
    const word = identifier.text.toLowerCase();
    return [{ start: colon.start, end: identifier.end, name: PLACEHOLDERS.find((known) => known === word) }];
  });
}

/**
 * The text with `$n` (n = place in PLACEHOLDERS, from 1) for each known placeholder, padded to its length so that offsets
 * stay: ` $n ` or, in the form of what is rendered, `($n)`. The blank keeps it apart from a name before it: `a$1` would be
 * an identifier.
 */
export function standIn(text: string, placeholders: readonly Placeholder[], form: 'bare' | 'parenthesized'): string {
  let result = '';
  let at = 0;
  for (const { start, end, name } of placeholders) {
    if (name === undefined) continue;
    const parameter = `$${PLACEHOLDERS.indexOf(name) + 1}`;
    result += text.slice(at, start) + (form === 'bare' ? ` ${parameter}` : `(${parameter})`).padEnd(end - start);
    at = end;
  }
  return result + text.slice(at);
}

/** The types of the literals, which are also the names of columns made of them: `select :slot` has a column `timestamptz`. */
export const PLACEHOLDER_TYPES: Readonly<Record<PlaceholderName, string>> = {
  slot: 'timestamptz',
  window_start: 'timestamptz',
  window_end: 'timestamptz',
  server: 'text',
  labels: 'jsonb',
};

/** `('2027-03-28T01:00:00Z'::timestamptz)`: the SQL that takes the place of a placeholder. */
export function renderLiteral(name: PlaceholderName, values: PlaceholderValues): string {
  return `(${quoteString(literalText(name, values))}::${PLACEHOLDER_TYPES[name]})`;
}

/**
 * A string constant that reads the same whether standard_conforming_strings is on or off: one with a backslash takes the
 * `E''` form, in which backslashes are doubled; quotes are doubled in both. Fails for U+0000, which no text can hold.
 */
export function quoteString(text: string): string {
  if (text.includes('\0')) {
    throw new Failure('a server name or label holds the character U+0000, which Postgres cannot take', {
      kind: 'configuration',
    });
  }
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** As the scanner has it: ASCII letters, `_` and anything beyond ASCII, then also digits and `$`. Quoted ones are none. */
const IDENTIFIER = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*$/;

function literalText(name: PlaceholderName, values: PlaceholderValues): string {
  if (name === 'slot') return formatInstant(values.slot);
  if (name === 'window_start') return formatInstant(values.windowStart);
  if (name === 'window_end') return formatInstant(values.windowEnd);
  return name === 'server' ? values.server : JSON.stringify(values.labels);
}
