// How problems are printed: place, message, the line with carets, hint. The one place that turns an offset into a line and
// a column. Columns count characters from 1; a frame never shows a file's secrets.
import type { Problem } from '../model/problem.ts';
import type { SourceFile, Span } from '../model/source.ts';

export interface FrameOptions {
  readonly color: boolean;
}

/** A problem for a program: what `--json` prints. Absent parts are left out. */
export interface ProblemJson {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly severity: Problem['severity'];
  readonly message: string;
  readonly hint?: string;
}

/** One problem as text of several lines, without a line feed at the end. */
export function formatProblem(problem: Problem, options: FrameOptions): string {
  const paint = painter(options.color);
  const severity = problem.severity === 'error' ? paint('31;1', 'error') : paint('33;1', 'warning');
  const lines = [`${placePrefix(problem, paint)}${severity}: ${paint('1', problem.message)}`];
  if (problem.file && problem.span) lines.push(...frameLines(problem.file, problem.span, paint));
  if (problem.hint !== undefined) lines.push(`${paint('36', 'hint')}: ${problem.hint}`);
  return lines.join('\n');
}

/** All problems by file and place with an empty line between, and a last line that counts them; '' for none. */
export function formatProblems(problems: readonly Problem[], options: FrameOptions): string {
  if (problems.length === 0) return '';
  const blocks = sortProblems(problems).map((problem) => formatProblem(problem, options));
  return [...blocks, countProblems(problems)].join('\n\n');
}

/** By file, then place; problems without a file come first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const path = (problem: Problem) => problem.file?.path ?? '';
  return [...problems].sort(
    (a, b) => (path(a) < path(b) ? -1 : path(a) > path(b) ? 1 : 0) || (a.span?.start ?? 0) - (b.span?.start ?? 0),
  );
}

/** `3 errors, 1 warning`. */
function countProblems(problems: readonly Problem[]): string {
  const count = (severity: Problem['severity']) => problems.filter((problem) => problem.severity === severity).length;
  const parts = [plural(count('error'), 'error'), plural(count('warning'), 'warning')];
  return parts.filter((part) => part !== undefined).join(', ') || 'no problems';
}

/** A problem as data for `--json`. */
export function problemToJson(problem: Problem): ProblemJson {
  const { file, span, severity, message, hint } = problem;
  return {
    ...(file === undefined ? {} : { file: file.path }),
    ...(file === undefined || span === undefined ? {} : lineAndColumn(file, span.start)),
    severity,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Line and column, both from 1, of an offset in a file. */
export function lineAndColumn(file: SourceFile, offset: number): { line: number; column: number } {
  const before = file.text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 };
}

/** `jobs/a.yaml:7:12`, for messages that name a second place. */
export function formatPlace(file: SourceFile, offset: number): string {
  const { line, column } = lineAndColumn(file, offset);
  return `${file.path}:${line}:${column}`;
}

const FRAME_COLUMNS = 100;
const TAB_COLUMNS = 4;
const MASK = '****';

type Paint = (code: string, text: string) => string;

function painter(color: boolean): Paint {
  return (code, text) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
}

function placePrefix({ file, span }: Problem, paint: Paint): string {
  if (!file) return '';
  return `${paint('1', span ? formatPlace(file, span.start) : file.path)}: `;
}

function plural(count: number, word: string): string | undefined {
  return count === 0 ? undefined : `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** What is shown of some characters of a line: its columns on a terminal and the offsets it stands for. */
interface Cell {
  readonly text: string;
  readonly columns: number;
  readonly from: number;
  readonly to: number;
}

function frameLines(file: SourceFile, span: Span, paint: Paint): string[] {
  const start = Math.min(span.start, file.text.length);
  const lineStart = file.text.lastIndexOf('\n', start - 1) + 1;
  const newline = file.text.indexOf('\n', start);
  const lineEnd = newline < 0 ? file.text.length : newline;
  const cells = lineCells(file, lineStart, file.text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd);
  if (cells.every(({ text }) => text.trim() === '')) return [];
  const found = cells.findIndex(({ to }) => to > start);
  const first = found < 0 ? cells.length : found;
  const marked = cells.filter(({ from, to }) => to > start && from < span.end).length;
  const window = cut(cells, first);
  const visible = cells.slice(window.from, window.to);
  const columns = (some: readonly Cell[]) => some.reduce((sum, cell) => sum + cell.columns, 0);
  const before = columns(cells.slice(window.from, first)) + (window.from > 0 ? 1 : 0);
  const carets = Math.max(1, columns(cells.slice(first, Math.min(first + marked, window.to))));
  const shown = visible.map(({ text }) => text).join('');
  const line = `${window.from > 0 ? '…' : ''}${shown}${window.to < cells.length ? '…' : ''}`;
  return [`  ${line}`.trimEnd(), `  ${' '.repeat(before)}${paint('31;1', '^'.repeat(carets))}`];
}

/** A long line is cut so that the marked cell stands within the first two thirds of what is left. */
function cut(cells: readonly Cell[], marked: number): { from: number; to: number } {
  const ends: number[] = [];
  for (const cell of cells) ends.push((ends.at(-1) ?? 0) + cell.columns);
  const startOf = (cell: number): number => ends[cell - 1] ?? 0;
  if (startOf(cells.length) <= FRAME_COLUMNS) return { from: 0, to: cells.length };
  let from = 0;
  while (startOf(marked) - startOf(from) > (FRAME_COLUMNS * 2) / 3) from += 1;
  let to = Math.max(marked, from) + 1;
  while (to < cells.length && startOf(to + 1) - startOf(from) <= FRAME_COLUMNS - 2) to += 1;
  return { from, to: Math.min(to, cells.length) };
}

function lineCells(file: SourceFile, lineStart: number, lineEnd: number): Cell[] {
  const cells: Cell[] = [];
  let column = 0;
  let offset = lineStart;
  while (offset < lineEnd) {
    const secret = file.secrets?.find(({ start, end }) => start <= offset && offset < end);
    const char = String.fromCodePoint(file.text.codePointAt(offset) ?? 0);
    const to = secret ? Math.min(secret.end, lineEnd) : offset + char.length;
    const text = secret ? MASK : printable(char, column);
    const columns = secret ? MASK.length : displayColumns(text);
    cells.push({ text, columns, from: offset, to });
    column += columns;
    offset = to;
  }
  return cells;
}

/** Tabs become spaces; control characters a dot, so that a file cannot send escape sequences to the terminal. */
function printable(char: string, column: number): string {
  if (char === '\t') return ' '.repeat(TAB_COLUMNS - (column % TAB_COLUMNS));
  return /\p{Cc}|\p{Bidi_Control}/u.test(char) ? '·' : char;
}

/** Columns a terminal gives to a character: 0 for combining marks, 2 for East Asian wide ones and emoji (UAX 11). */
function displayColumns(text: string): number {
  if (text.length > 1 && text.startsWith(' ')) return text.length;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(text)) return 0;
  const wide =
    /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]$/u;
  return wide.test(text) || /^\p{Emoji_Presentation}$/u.test(text) ? 2 : 1;
}
