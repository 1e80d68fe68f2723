// Which parts of a file's text hold a secret, so that no frame shows them. It looks at the bare text and not at the
// document, because a file that is no YAML must keep its passwords too. When in doubt it hides the rest of the line.
import { distance } from 'fastest-levenshtein';
import type { Span } from '../model/source.ts';

/** Credentials in URLs and connection strings; with `keys` also the values of `password:`, `token:` and the like. */
export function findSecrets(text: string, options: { readonly keys: boolean }): Span[] {
  const spans = [...findUrlSecrets(text), ...(options.keys ? findKeySecrets(text) : [])];
  return merge(spans.filter(({ start, end }) => end > start));
}

/** A value that is one variable shows the variable's name only; one with a default shows the default. */
const VARIABLE_ONLY = /^\$\{\w+\}$/;

function* findUrlSecrets(text: string): Generator<Span> {
  for (const match of text.matchAll(/:\/\/[^\s:/@'"]*:([^\n]+)@/g)) {
    const password = match[1] ?? '';
    const start = match.index + match[0].length - 1 - password.length;
    if (!VARIABLE_ONLY.test(password)) yield { start, end: start + password.length };
  }
  // No `@` at all: what stands after the colon is a port, or a password whose host was forgotten.
  for (const match of text.matchAll(/:\/\/[^\s:/@'"]*:(?!\d+(?:[/?\s,'"}\]#]|$)|\$\{)([^\n@]+)$/gm)) {
    const rest = match[1] ?? '';
    yield { start: match.index + match[0].length - rest.length, end: match.index + match[0].length };
  }
  for (const match of text.matchAll(/password\s*=\s*('[^'\n]*'?|[^&\s'"]+)/gi)) {
    const value = match[1] ?? '';
    yield { start: match.index + match[0].length - value.length, end: match.index + match[0].length };
  }
}

function* findKeySecrets(text: string): Generator<Span> {
  for (const match of text.matchAll(/([\w.-]+)(["']?[ \t]*:)(?=\s)[ \t]*/g)) {
    if (!isSecretKey(match[1] ?? '')) continue;
    const start = match.index + match[0].length;
    const span = { start, end: valueEnd(text, match.index, start) };
    if (!VARIABLE_ONLY.test(text.slice(span.start, span.end))) yield span;
  }
}

/** `password` and its kin, also misspelt: the value of an unknown field is shown in no frame either. */
function isSecretKey(key: string): boolean {
  const word = key.toLowerCase();
  if (/file$|path$/.test(word)) return false;
  if (/pass|pwd|^pw$|secret|token|credential|^auth/.test(word)) return true;
  return distance(word, 'password') <= 3 || distance(word, 'token') <= 1;
}

/** Where the value that starts at `start` ends: its closing quote, else the line and all lines indented below its key. */
function valueEnd(text: string, keyAt: number, start: number): number {
  const rest = text.slice(start);
  const variable = /^\$\{\w+\}(?=[ \t]*(?:[,}\]\n]|$))/.exec(rest);
  if (variable) return start + variable[0].length;
  const quoted = /^(?:"(?:[^"\\]|\\[\s\S])*"|'(?:[^']|'')*')(?=[ \t]*(?:[,}\]\n]|$))/.exec(rest);
  if (quoted) return start + quoted[0].length;
  const lineStart = text.lastIndexOf('\n', keyAt) + 1;
  const keyIndent = /^[\s-]*/.exec(text.slice(lineStart, keyAt))?.[0].length ?? 0;
  let end = lineEndAfter(text, start);
  while (end < text.length) {
    const next = text.slice(end + 1, lineEndAfter(text, end + 1));
    const indent = /^ */.exec(next)?.[0].length ?? 0;
    if (next.trim() !== '' && indent <= keyIndent) break;
    end += next.length + 1;
  }
  return start + text.slice(start, end).trimEnd().length;
}

function lineEndAfter(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end;
}

function merge(spans: Span[]): Span[] {
  const merged: { start: number; end: number }[] = [];
  for (const span of spans.sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}
