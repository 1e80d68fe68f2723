// Where problems are gathered while files are read, and how a value is shown in one. Printing them is frame.ts's.
import type { Problem } from '../model/problem.ts';
import type { Located, SourceFile, Span } from '../model/source.ts';

export interface Place {
  readonly file: SourceFile;
  readonly span: Span;
}

/** What went wrong and what to do, before it is known where. */
export interface Complaint {
  readonly message: string;
  readonly hint?: string;
}

export interface Problems {
  readonly all: readonly Problem[];
  error(message: string, place?: Place, hint?: string): void;
  warning(message: string, place?: Place, hint?: string): void;
  add(problem: Problem): void;
  /** What is said about these places from now on is dropped: a syntax error there has been told already. */
  mute(file: SourceFile, span: Span): void;
  /** How many errors there are by now: compare two counts to know whether a step went well. */
  errors(): number;
  /** Whether there is an error within this place. */
  hasErrorIn(place: Place): boolean;
}

/** An empty collection of problems; each is kept once, however often it is found. */
export function gatherProblems(): Problems {
  const all: Problem[] = [];
  const seen = new Set<string>();
  const muted = new Map<SourceFile, Span[]>();
  const add = (problem: Problem): void => {
    const { file, span } = problem;
    if (file && span && muted.get(file)?.some(({ start, end }) => span.start >= start && span.start <= end)) return;
    const key = `${file?.path}:${span?.start}:${problem.message}`;
    if (seen.has(key)) return;
    seen.add(key);
    all.push(problem);
  };
  const at = (severity: Problem['severity']) => (message: string, place?: Place, hint?: string) => {
    const where = place === undefined ? {} : { file: place.file, span: place.span };
    add({ severity, message, ...(hint === undefined ? {} : { hint }), ...where });
  };
  return {
    all,
    add,
    error: at('error'),
    warning: at('warning'),
    mute: (file, span) => {
      muted.set(file, [...(muted.get(file) ?? []), span]);
    },
    errors: () => all.filter(({ severity }) => severity === 'error').length,
    hasErrorIn: (place) => all.some((problem) => problem.severity === 'error' && isWithin(problem, place)),
  };
}

/** What stands for a value that may not be shown. */
export const HIDDEN = '`****`';

/** Whether any part of a place may not be shown. */
export function holdsSecret({ file, span }: Place): boolean {
  return file.secrets?.some(({ start, end }) => start < span.end && end > span.start) ?? false;
}

function isWithin({ file, span }: Problem, place: Place): boolean {
  return file === place.file && span !== undefined && span.start >= place.span.start && span.start <= place.span.end;
}

/**
 * A value as messages show it: in backticks, on one line, cut at 60 characters, without a URL's credentials; not at all
 * where its place in the file holds a secret.
 */
export function show(text: string, place?: Place): string {
  if (place && holdsSecret(place)) return HIDDEN;
  const plain = text
    .replace(/:\/\/[^\n]*@/g, '://****@')
    // A value must not send escape sequences to the terminal.
    .replace(/\p{Cc}/gu, (char) => (char === '\n' ? '\\n' : '·'));
  const chars = Array.from(plain);
  return `\`${chars.length > 60 ? `${chars.slice(0, 59).join('')}…` : plain}\``;
}

/** `` `a`, `b` and 3 more ``. */
export function showList(texts: readonly string[], most = 8): string {
  const shown = texts
    .slice(0, most)
    .map((text) => show(text))
    .join(', ');
  return texts.length > most ? `${shown} and ${texts.length - most} more` : shown;
}

/** The place of a located value. */
export function placeOf(located: Located<unknown>): Place {
  return { file: located.file, span: located.span };
}
