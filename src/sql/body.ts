// One piece of SQL of a job as it stands in its file: scanned, cut of what may follow it (`;`, comments), its placeholders
// known, its own offsets tied to the file's. Everything that checks SQL works on this and reports through it.

import { nearestName } from '../model/nearest.ts';
import type { Problem } from '../model/problem.ts';
import type { SourceText } from '../model/source.ts';
import { parseSql, scanSql, type Token } from './parser.ts';
import { findPlaceholders, PLACEHOLDERS, type Placeholder } from './placeholders.ts';

export interface SqlBody {
  readonly source: SourceText;
  /** Where in the source's value the text starts. */
  readonly start: number;
  /** From the first to the last token that counts; offsets below are in it. */
  readonly text: string;
  /** Without comments. */
  readonly tokens: readonly Token[];
  readonly placeholders: readonly Placeholder[];
  /** What the parser needs before the text to take it for a statement: `select ` before an expression. */
  readonly prefix: '' | 'select ';
}

/** Takes a problem at UTF-16 offsets of a body's text. */
export type Report = (
  severity: Problem['severity'],
  message: string,
  place: { readonly start: number; readonly end: number },
  hint?: string,
) => void;

export interface BodyOptions {
  /** As messages name it: `the query`, `the key`, ``header `x` ``. */
  readonly subject: string;
  /** Whether `:slot` and the others may stand in it. */
  readonly placeholders: boolean;
  readonly prefix: SqlBody['prefix'];
}

/** A function that adds problems at the file's own place to the list. */
export function reporter(source: SourceText, bodyStart: number, problems: Problem[]): Report {
  return (severity, message, place, hint) => {
    const start = source.toFileOffset(bodyStart + place.start);
    const end = Math.max(start, source.toFileOffset(bodyStart + place.end));
    problems.push({
      severity,
      message,
      ...(hint === undefined ? {} : { hint }),
      file: source.file,
      span: { start, end },
    });
  };
}

/** The body of a text, or undefined after problems were added: it does not scan, is empty, holds `$1` or unknown names. */
export function readBody(source: SourceText, options: BodyOptions, problems: Problem[]): SqlBody | undefined {
  const { value } = source;
  const report = reporter(source, 0, problems);
  const nul = value.indexOf('\0');
  if (nul >= 0) {
    report('error', `${options.subject} holds the character U+0000`, { start: nul, end: nul + 1 });
    return undefined;
  }
  const scanned = scanSql(value);
  if (!scanned) {
    reportUnscannable(value, options.prefix, report);
    return undefined;
  }
  const last = scanned.findLast(({ kind }) => kind !== 'comment' && kind !== 'semicolon');
  if (!last) {
    report('error', `${options.subject} is empty`, { start: 0, end: value.trimEnd().length });
    return undefined;
  }
  const start = scanned[0]?.start ?? 0;
  const tokens = scanned
    .filter((token) => token.kind !== 'comment' && token.end <= last.end)
    .map((token) => ({ ...token, start: token.start - start, end: token.end - start }));
  const text = value.slice(start, last.end);
  const placeholders = findPlaceholders(tokens);
  const body = { source, start, text, tokens, placeholders, prefix: options.prefix };
  return checkNames(body, options, reporter(source, start, problems)) ? body : undefined;
}

function checkNames(body: SqlBody, options: BodyOptions, report: Report): boolean {
  let fine = true;
  const refuse = (message: string, place: { start: number; end: number }, hint: string): void => {
    report('error', message, place, hint);
    fine = false;
  };
  for (const token of body.tokens) {
    if (token.kind === 'parameter') {
      refuse(`parameters like \`${token.text}\` have no value here`, token, placeholderHint(options));
    }
  }
  for (const place of body.placeholders) {
    const written = body.text.slice(place.start, place.end);
    if (!options.placeholders) {
      refuse(`${options.subject} takes no placeholders such as ${inline(written)}`, place, placeholderHint(options));
    } else if (place.name === undefined) {
      refuse(`unknown placeholder ${inline(written)}`, place, unknownHint(body, place));
    }
  }
  return fine;
}

function placeholderHint(options: BodyOptions): string {
  return options.placeholders ? `the placeholders are ${ALL}` : 'write the value itself';
}

const ALL = PLACEHOLDERS.map((name) => `\`:${name}\``).join(', ');

function unknownHint(body: SqlBody, place: Placeholder): string {
  const word = body.text.slice(place.start + 1, place.end);
  if (isInBrackets(body.tokens, place.start))
    return `in an array slice write a blank after the colon: \`[1: ${word}]\``;
  const near = nearestName(word, PLACEHOLDERS);
  if (near !== undefined) return `did you mean \`:${near}\`?`;
  return `the placeholders are ${ALL}; a cast is \`::${word}\`, any other colon takes a blank: \`: ${word}\``;
}

function isInBrackets(tokens: readonly Token[], offset: number): boolean {
  let open = 0;
  for (const { start, text } of tokens) {
    if (start >= offset) break;
    if (text === '[') open += 1;
    if (text === ']') open -= 1;
  }
  return open > 0;
}

/** Only the parser can say why and where; placeholders it would stumble over first are looked for by form alone. */
function reportUnscannable(value: string, prefix: string, report: Report): void {
  const guessed = value.replace(/(?<![:\w]):([A-Za-z_]\w*)/g, (written) => ' $1'.padEnd(written.length));
  const parsed = parseSql(prefix + guessed);
  const message = parsed.ok ? 'this does not scan as SQL' : parsed.message;
  const offset = parsed.ok ? 0 : Math.max(0, parsed.offset - prefix.length);
  const near = /^(.*) at or near "(.*)"$/s.exec(message);
  report('error', near ? `${near[1]} at or near ${inline(near[2] ?? '')}` : message, {
    start: offset,
    end: Math.min(value.trimEnd().length, offset + 1),
  });
}

/** SQL in a message: in backticks, one line of it, not too long. */
export function inline(sql: string): string {
  const line = sql.split('\n')[0]?.trimEnd() ?? '';
  const chars = Array.from(line);
  const shown = chars.length > 40 ? `${chars.slice(0, 39).join('')}…` : line.length < sql.length ? `${line}…` : line;
  return `\`${shown}\``;
}
