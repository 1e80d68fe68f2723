// The yaml library's errors in the words of somebody who meant SQL, cron or a list of servers. Nothing of its own text is
// passed on: it may quote a password.
import type { Scalar, YAMLParseError } from 'yaml';
import type { SourceFile, Span } from '../model/source.ts';
import { type Complaint, holdsSecret, type Problems } from './problems.ts';

/**
 * Reports a document's syntax errors and says whether its nodes may be read. Faults inside one value, one a line, leave
 * the rest readable. After any other only the first is told: what follows is the parser's guess.
 */
export function explainErrors(
  file: SourceFile,
  errors: readonly YAMLParseError[],
  scalars: () => Iterable<Scalar>,
  problems: Problems,
): boolean {
  const sorted = [...errors].sort((a, b) => a.pos[0] - b.pos[0]);
  const readable = sorted.every(isInsideValue);
  let lastLine = -1;
  for (const error of readable ? sorted : sorted.slice(0, 1)) {
    const line = lineAt(file, error.pos[0]);
    if (line.start === lastLine) continue;
    lastLine = line.start;
    const { message, hint } = explain(error, sorted, file, line);
    problems.error(message, { file, span: placeOfError(error, sorted, scalars, file, line) }, hint);
    problems.mute(file, { start: line.start, end: line.end });
  }
  return readable;
}

/** `schedule: *\/10 * * * *` and every other `*name` that names nothing. */
export function explainAlias(file: SourceFile, span: Span): Complaint {
  const line = lineAt(file, span.start);
  return {
    message: 'YAML takes a value that begins with `*` for an alias, and there is no anchor of this name',
    hint: quoteHint(file, line),
  };
}

/** `value: !x` and every other `!name`. */
export function explainTag(): Complaint {
  return {
    message: 'YAML takes a value that begins with `!` for a tag, and there are none here',
    hint: 'put the whole value in quotes',
  };
}

interface Line {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function isInsideValue({ code, message }: YAMLParseError): boolean {
  if (code === 'UNEXPECTED_TOKEN') return /^Unexpected (alias|scalar) at node end$/.test(message);
  return code === 'BAD_SCALAR_START' || code === 'BAD_DQ_ESCAPE' || code === 'BAD_ALIAS';
}

/** Where the reader of the message should look, which is not always where the parser noticed. */
function placeOfError(
  error: YAMLParseError,
  all: readonly YAMLParseError[],
  scalars: () => Iterable<Scalar>,
  file: SourceFile,
  line: Line,
): Span {
  if (isUnclosedQuote(error)) {
    for (const { range } of scalars()) if (range?.[1] === error.pos[0]) return trimSpan(file, range[0], range[1]);
  }
  const value = valueIn(line);
  if (value?.text.startsWith('*')) {
    const start = line.start + value.at;
    return { start, end: start + value.text.length };
  }
  const multiline = all.find(({ code }) => code === 'MULTILINE_IMPLICIT_KEY');
  if (error.code !== 'BLOCK_AS_IMPLICIT_KEY' || !multiline) return trimSpan(file, error.pos[0], error.pos[1]);
  const indented = lineAt(file, multiline.pos[1] - 1);
  const start = indented.start + indented.text.search(/\S/);
  return trimSpan(file, start, Math.max(start + 1, multiline.pos[1] - 1));
}

/** What follows `name: ` in a line, and where in the line. A comment after it is not part of it. */
function valueIn(line: Line): { at: number; name: string; text: string } | undefined {
  const match = /^(\s*(?:- +)*([\w.-]+):\s+)(\S.*)$/.exec(line.text);
  if (!match) return undefined;
  const [, before = '', name = '', rest = ''] = match;
  return { at: before.length, name, text: rest.replace(/\s+# .*$/, '').trimEnd() };
}

function isUnclosedQuote({ code, message }: YAMLParseError): boolean {
  return code === 'MISSING_CHAR' && /closing ["']quote/.test(message);
}

function explain(error: YAMLParseError, all: readonly YAMLParseError[], file: SourceFile, line: Line): Complaint {
  const value = valueIn(line);
  const first = value?.text.charAt(0);
  const isLater = value !== undefined && error.pos[0] > line.start + value.at;
  if (first === '*') return explainAlias(file, { start: line.start, end: line.end });
  if ((first === '"' || first === "'") && isLater && error.code !== 'BAD_DQ_ESCAPE' && error.code !== 'MISSING_CHAR') {
    return {
      message: 'there is more text after the closing quote',
      hint: 'a value that begins with a quote ends with it: put all of it into the other kind of quotes, or below a `|`',
    };
  }
  switch (error.code) {
    case 'BAD_SCALAR_START':
      return {
        message: `a value cannot begin with \`${file.text[error.pos[0]] ?? ''}\` in YAML`,
        hint: quoteHint(file, line),
      };
    case 'BAD_DQ_ESCAPE':
      return {
        message: 'unknown escape in double quotes',
        hint: 'write a backslash as `\\\\`, or use single quotes, which have no escapes',
      };
    case 'TAB_AS_INDENT':
      return { message: 'a tab indents this line', hint: 'YAML takes only spaces' };
    case 'BAD_ALIAS':
      return explainAlias(file, { start: error.pos[0], end: error.pos[1] });
    case 'BLOCK_AS_IMPLICIT_KEY':
      return all.some(({ code }) => code === 'MULTILINE_IMPLICIT_KEY')
        ? {
            message: 'this line is indented more than the field above it',
            hint: 'fields of one map start in one column',
          }
        : { message: 'a second `: ` in one line', hint: quoteHint(file, line) };
    case 'BAD_INDENT':
      return /Flow (sequence|map)/.test(error.message)
        ? { message: `a \`${/Flow sequence/.test(error.message) ? ']' : '}'}\` is missing before this` }
        : { message: 'wrong indentation', hint: 'fields of one map, and items of one list, start in one column' };
    case 'MISSING_CHAR':
      return isUnclosedQuote(error)
        ? { message: 'this quote is never closed' }
        : { message: 'YAML misses a `:` or `,` here', hint: 'a field is `name: value`, with a space after the colon' };
    case 'NON_STRING_KEY':
      return { message: 'the name of a field must be text' };
    case 'RESOURCE_EXHAUSTION':
      return { message: 'this is nested too deeply' };
    default:
      return {
        message: 'YAML does not expect this here',
        hint: 'is a quote, bracket or indentation missing before it?',
      };
  }
}

/** With the value written out where the line is a plain `name: value` and holds no secret. */
function quoteHint(file: SourceFile, line: Line): string {
  const value = valueIn(line);
  const secret = holdsSecret({ file, span: line });
  if (!value || secret || /["\\]/.test(value.text) || line.text.length > 80) return 'put the whole value in quotes';
  return `quote it: \`${value.name}: "${value.text}"\``;
}

function lineAt(file: SourceFile, offset: number): Line {
  const start = file.text.lastIndexOf('\n', offset - 1) + 1;
  const newline = file.text.indexOf('\n', start);
  const end = newline < 0 ? file.text.length : newline;
  return { start, end, text: file.text.slice(start, end) };
}

/** At least one character, and none of the next line. */
function trimSpan(file: SourceFile, start: number, end: number): Span {
  const length =
    file.text
      .slice(start, Math.max(end, start + 1))
      .split('\n')[0]
      ?.trimEnd().length ?? 0;
  return { start, end: start + Math.max(1, length) };
}
