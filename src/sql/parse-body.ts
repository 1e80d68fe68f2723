// A body parsed with something in place of its placeholders, and syntax errors told in the words of the file.
import { inline, type Report, type SqlBody } from './body.ts';
import { type ParsedSql, parseSql } from './parser.ts';
import { type Placeholder, standIn } from './placeholders.ts';
import { sameTree } from './tree.ts';

/**
 * Parses a body; locations and offsets come out in `body.text`. A placeholder is rendered as an expression in parentheses,
 * so it may stand where both a parameter and `(…)` may, with the same meaning. Neither alone would do: `a :slot` is a
 * constant of type `a` to this library (its grammar takes parameters where Postgres' takes none), and a call in parentheses.
 */
export function parseBody(body: SqlBody): ParsedSql {
  const bare = parseAs(body, body.placeholders, 'bare');
  if (!bare.ok || body.placeholders.length === 0) return bare;
  const rendered = parseAs(body, body.placeholders, 'parenthesized');
  if (!rendered.ok) return rendered;
  // Parentheses leave no trace in a tree but for places.
  if (sameTree(bare.statements, rendered.statements)) return bare;
  const misplaced = body.placeholders.find((placeholder) => {
    // The others stay what they are, so only this one's parentheses can make a difference.
    const others = body.placeholders.filter((other) => other !== placeholder);
    const text = standIn(standIn(body.text, others, 'bare'), [placeholder], 'parenthesized');
    const parsed = parseText(body, text);
    return !parsed.ok || !sameTree(bare.statements, parsed.statements);
  });
  const { start, end } = misplaced ?? { start: 0, end: body.text.length };
  return { ok: false, message: `syntax error at or near "${body.text.slice(start, end)}"`, offset: start };
}

/** Reports what the parser says about a body, in our form and with the text as it was written. */
export function reportSyntaxError(
  body: SqlBody,
  error: ParsedSql & { readonly ok: false },
  report: Report,
  hint?: string,
): void {
  const { message, offset } = error;
  const placeholder = body.placeholders.find(({ start, end }) => start <= offset && offset < end);
  const token = placeholder ?? body.tokens.find(({ start, end }) => start <= offset && offset < end);
  const place = token ?? { start: offset, end: offset };
  const near = /^(.*) at or near ".*"$/s.exec(message)?.[1];
  const written = body.text.slice(place.start, Math.max(place.end, place.start + 1));
  const help = placeholder && followsSliceStart(body, placeholder) ? SLICE_HINT : hint;
  report('error', near === undefined ? message : `${near} at or near ${inline(written)}`, place, help);
}

const SLICE_HINT =
  'in an array slice write a blank after the colon, and a colon of its own for a placeholder: `[1: :slot]`';

function parseAs(body: SqlBody, placeholders: readonly Placeholder[], form: 'bare' | 'parenthesized'): ParsedSql {
  return parseText(body, standIn(body.text, placeholders, form));
}

function parseText(body: SqlBody, text: string): ParsedSql {
  const { length } = body.prefix;
  const parsed = parseSql(body.prefix + text);
  if (!parsed.ok) return { ...parsed, offset: Math.max(0, parsed.offset - length) };
  return { ...parsed, toUnit: (location) => Math.max(0, parsed.toUnit(location) - length) };
}

function followsSliceStart(body: SqlBody, placeholder: Placeholder): boolean {
  const before = body.tokens.findLast(({ end }) => end <= placeholder.start);
  return before !== undefined && /^(\[|\d+)$/.test(before.text);
}
