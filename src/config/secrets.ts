// Which parts of a file's text hold a secret, so that no frame shows them. It looks at the bare text and not at the
// document, because a file that is no YAML must keep its passwords too: only what stands under the name of a harmless field
// is shown, and the user and password of a URL never are. A test slips characters into a file to see that none gets out.
import { editDistance } from '../model/nearest.ts';
import type { Span } from '../model/source.ts';
import type { Field, Fields, Shape } from './field.ts';
import { projectFields } from './fields/project.ts';
import { nearest } from './suggest.ts';

/** Secrets of pgtally.yaml or of a server file. */
export function findSecretValues(text: string): Span[] {
  const spans: Span[] = [];
  for (const { name, start, end, mixed } of valuesIn(text)) {
    if (name === 'url' && !mixed) spans.push(...findCredentials(text, start, end));
    else if (HARMLESS.has(name) && !mixed)
      spans.push(...findNamelessUrl(text, start, end), ...findNamelessSecret(text, start, end));
    else spans.push(...hideValue(text, start, end, !isSecretKey(name)));
  }
  return spans;
}

/** Credentials of URLs, wherever they stand: what is hidden of a job file. */
export function findUrlSecrets(text: string): Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(/:\/\/([^\n\s@]+)@/g)) {
    const start = match.index + 3;
    spans.push({ start, end: start + (match[1] ?? '').length });
  }
  return spans;
}

/** Whether a field of this name holds a secret: `password` and its kin, also misspelt. */
export function isSecretKey(key: string): boolean {
  const word = key.toLowerCase();
  if (/file$|path$/.test(word)) return false;
  if (/pass|pwd|^pw$|secret|token|credential|^auth/.test(word)) return true;
  return editDistance(word, 'password') <= 3 || editDistance(word, 'token') <= 1;
}

const ALL_FIELDS = [...namedFields(projectFields)];
const ALL_NAMES = ALL_FIELDS.map(([name]) => name);
/** Every name of a field whose value may be shown, but for `url`, parts of which may. */
const HARMLESS: ReadonlySet<string> = new Set(ALL_FIELDS.flatMap(([name, field]) => (field.secret ? [] : [name])));

function* namedFields(fields: Fields): Generator<[string, Field]> {
  for (const entry of Object.entries<Field>(fields)) {
    yield entry;
    for (const inner of objectsIn(entry[1])) yield* namedFields(inner);
  }
}

function objectsIn(shape: Shape): Fields[] {
  if (shape.type === 'object') return [shape.fields];
  if (shape.type === 'list') return objectsIn(shape.items);
  return shape.type === 'either' ? Object.values(shape.of).flatMap(objectsIn) : [];
}

interface WrittenValue {
  readonly name: string;
  readonly column: number;
  readonly start: number;
  end: number;
  /** Something in it looks like a further name, but may be part of a password that has a colon. */
  mixed: boolean;
}

/** Each `name: ` with what follows it up to the next one. */
function valuesIn(text: string): WrittenValue[] {
  const values: WrittenValue[] = [];
  for (const match of text.matchAll(/([^\s,{}[\]:"']*)["']?\s*:+(?=\s|$)[ \t]*/g)) {
    const [whole, name = ''] = match;
    const before = text.slice(text.lastIndexOf('\n', match.index - 1) + 1, match.index);
    const last = values.at(-1);
    if (last && mayBePartOf(last, before, text.slice(match.index)) && !isField(name)) last.mixed = true;
    else {
      if (last) last.end = match.index;
      const column = before.length;
      values.push({ name, column, start: match.index + whole.length, end: text.length, mixed: false });
    }
  }
  return values;
}

/** A field's name, or one that is like it: a slip of the keyboard is told by its name. */
function isField(name: string): boolean {
  return ALL_NAMES.includes(name) || (name.length >= 4 && nearest(name, ALL_NAMES) !== undefined);
}

/** Whether `before` in its line and `after` leave it open that a name is part of the password or URL before it. */
function mayBePartOf(value: WrittenValue, before: string, after: string): boolean {
  if (value.name === 'url') return /[^\s,{"']$/.test(before) || /^[^\n]*@/.test(after);
  const startsLine = /^[\s-]*["']?$/.test(before) && before.length <= value.column;
  return isSecretKey(value.name) && !startsLine;
}

/**
 * The whole value, but for a variable (its name is all that is seen), and the brackets and dashes after it; where `numbers`
 * may be shown, also but for them: `for: {n: 1..200}`.
 */
function hideValue(text: string, from: number, to: number, numbers = false): Span[] {
  const value = text.slice(from, to);
  const variable = /^["']?\$\{\w+\}["']?(?=[\s,}\]]|$)/.exec(value)?.[0].length;
  const number = numbers ? /^[\d.-]{1,20}(?=[\s,}\]]|$)/.exec(value)?.[0].length : undefined;
  const shown = variable ?? number ?? 0;
  const rest = value.slice(shown);
  const before = /^[\s,{}[\]-]*/.exec(rest)?.[0].length ?? 0;
  const start = from + shown + before;
  let end = to;
  while (end > start && /[\s,{}[\]-]/.test(text.charAt(end - 1)) && !closesVariable(text, end)) end -= 1;
  return end <= start ? [] : [{ start, end }];
}

/** Whether the text before `end` ends with a `${NAME:-default}`. */
function closesVariable(text: string, end: number): boolean {
  return /\$\{[^}]*\}$/.test(text.slice(Math.max(0, end - 200), end));
}

/** In a URL all up to the last `@`; all of it where there is none and it is more than a host and a database. */
function findCredentials(text: string, from: number, to: number): Span[] {
  const value = text.slice(from, to);
  const start = /^[\s"']*(?:postgres(?:ql)?:\/\/)?/.exec(value)?.[0].length ?? 0;
  const at = value.lastIndexOf('@');
  const rest = value.slice(start);
  if (at < 0 && /^[\w.{}-]*(?::\d{1,5})?(?:\/[\w.{}-]*)?["'\s,}-]*$/.test(rest)) return [];
  const passwords = [...value.slice(Math.max(at, 0)).matchAll(/password=([^&\s"']+)/gi)].map((match) => {
    const end = Math.max(at, 0) + match.index + match[0].length;
    return { start: from + end - (match[1] ?? '').length, end: from + end };
  });
  if (at < 0) return hideValue(text, from, to);
  const loose = findNamelessSecret(text, from, to);
  return [...(at > start ? [{ start: from + start, end: from + at }] : []), ...passwords, ...loose];
}

/** In the value of a harmless field: a URL that lost its name. */
function findNamelessUrl(text: string, from: number, to: number): Span[] {
  const value = text.slice(from, to);
  const at = value.lastIndexOf('@');
  if (at < 0) return [];
  const lineStart = value.lastIndexOf('\n', at) + 1;
  return [{ start: from + lineStart + value.slice(lineStart).search(/\S/), end: from + at }];
}

/** In any other value: what follows a `password` that lost its colon. */
function findNamelessSecret(text: string, from: number, to: number): Span[] {
  const match = /(?<=^|[\s,{])(?:pass|tok|pwd)(?!file|\w*_file)/i.exec(text.slice(from, to));
  return match ? hideValue(text, from + match.index + match[0].length, to) : [];
}
