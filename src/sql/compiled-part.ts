// A checked piece of SQL as it is rendered for each run, cut at its placeholders once and for all; and the way back from a
// place in the rendered text to the file.
import type { SourceFile, Span } from '../model/source.ts';
import type { SqlBody } from './body.ts';
import { pointToUnit } from './offsets.ts';
import { PLACEHOLDERS, type PlaceholderName, type PlaceholderValues, renderLiteral } from './placeholders.ts';

export interface CompiledPart {
  readonly body: SqlBody;
  /** One more than there are names: what stands before, between and after the placeholders. */
  readonly fixed: readonly string[];
  readonly names: readonly PlaceholderName[];
}

/** Where in the user's file something is. */
export interface SourcePlace {
  readonly file: SourceFile;
  readonly span: Span;
}

/** The literals of one run, for the placeholders that the job uses. */
export type Literals = Readonly<Partial<Record<PlaceholderName, string>>>;

/** Cuts a body whose placeholders are all known. */
export function compilePart(body: SqlBody): CompiledPart {
  const fixed: string[] = [];
  const names: PlaceholderName[] = [];
  let at = 0;
  for (const { start, end, name } of body.placeholders) {
    if (name === undefined) continue;
    fixed.push(body.text.slice(at, start));
    names.push(name);
    at = end;
  }
  fixed.push(body.text.slice(at));
  return { body, fixed, names };
}

/** The literals for these placeholders, each made once. */
export function renderLiterals(names: ReadonlySet<PlaceholderName>, values: PlaceholderValues): Literals {
  const literals: Partial<Record<PlaceholderName, string>> = {};
  for (const name of PLACEHOLDERS) if (names.has(name)) literals[name] = renderLiteral(name, values);
  return literals;
}

/** The part's SQL with the literals in it. */
export function renderPart(part: CompiledPart, literals: Literals): string {
  let text = part.fixed[0] ?? '';
  for (let i = 0; i < part.names.length; i++) text += literalOf(part, i, literals) + (part.fixed[i + 1] ?? '');
  return text;
}

/** The file's place of the 0-based character `point` of the rendered part: the word there, or the whole placeholder. */
export function locateInPart(part: CompiledPart, literals: Literals, point: number): SourcePlace {
  const { body } = part;
  const unit = pointToUnit(renderPart(part, literals), point);
  let rendered = 0;
  let written = 0;
  for (let i = 0; i < part.fixed.length; i++) {
    const fixed = part.fixed[i]?.length ?? 0;
    if (unit < rendered + fixed) return placeInBody(body, wordAt(body.text, written + unit - rendered));
    rendered += fixed;
    written += fixed;
    const placeholder = body.placeholders[i];
    const literal = literalOf(part, i, literals).length;
    if (placeholder && unit < rendered + literal) return placeInBody(body, placeholder);
    rendered += literal;
    written = placeholder?.end ?? written;
  }
  return placeInBody(body, { start: body.text.length, end: body.text.length });
}

/** A range of the body's text in the file. */
export function placeInBody(body: SqlBody, place: { readonly start: number; readonly end: number }): SourcePlace {
  const start = body.source.toFileOffset(body.start + place.start);
  const end = Math.max(start, body.source.toFileOffset(body.start + place.end));
  return { file: body.source.file, span: { start, end } };
}

function literalOf(part: CompiledPart, index: number, literals: Literals): string {
  const name = part.names[index];
  return (name === undefined ? undefined : literals[name]) ?? '';
}

/** Postgres places an error at the start of a name, a string or an operator. */
function wordAt(text: string, start: number): { start: number; end: number } {
  WORD.lastIndex = start;
  return { start, end: start + (WORD.exec(text)?.[0].length ?? 0) };
}

const WORD =
  /(?:"(?:[^"]|"")*"|[\w$\u0080-\uffff]+)(?:\.(?:"(?:[^"]|"")*"|[\w$\u0080-\uffff]+))*|'(?:[^'\n]|'')*'|[^\w\s"'(),;]+|./suy;
