import { describe, expect, it } from 'vitest';
import { formatProblem, formatProblems, lineAndColumn, problemToJson } from '../../src/config/frame.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { SourceFile, Span } from '../../src/model/source.ts';

const plain = { color: false };

/** A problem at the first place of `marked` in `text`. */
function problemAt(text: string, marked: string, more: Partial<SourceFile> = {}): Problem {
  const start = text.indexOf(marked);
  const file = { path: 'a.yaml', text, ...more };
  return { severity: 'error', message: 'wrong', file, span: { start, end: start + marked.length } };
}

describe('a frame', () => {
  it('shows the line and carets below what is meant, then the hint', () => {
    const problem = { ...problemAt('name: x\nschedul: y\n', 'schedul'), hint: 'did you mean `schedule`?' };
    expect(formatProblem(problem, plain)).toBe(
      'a.yaml:2:1: error: wrong\n  schedul: y\n  ^^^^^^^\nhint: did you mean `schedule`?',
    );
  });

  it('turns tabs into spaces, and the carets with them', () => {
    expect(formatProblem(problemAt('a:\n\tb\tc: 1\n', 'c'), plain)).toBe(
      'a.yaml:2:4: error: wrong\n      b   c: 1\n          ^',
    );
  });

  it('gives wide characters two columns, combining ones none, and counts a column a character', () => {
    expect(formatProblem(problemAt('日本😀e\u0301: x', 'x'), plain)).toBe(
      'a.yaml:1:8: error: wrong\n  日本😀e\u0301: x\n           ^',
    );
  });

  it('marks one character where nothing stands, also at the end of the file', () => {
    const file = { path: 'a.yaml', text: 'a: ' };
    expect(formatProblem({ severity: 'error', message: 'm', file, span: { start: 3, end: 3 } }, plain)).toBe(
      'a.yaml:1:4: error: m\n  a:\n     ^',
    );
    expect(formatProblem({ severity: 'error', message: 'm', file, span: { start: 99, end: 99 } }, plain)).toContain(
      '\n     ^',
    );
  });

  it('marks a place of several lines in its first line only', () => {
    expect(formatProblem(problemAt('a: |\r\n  x\r\n  y\r\n', '|\r\n  x'), plain)).toBe(
      'a.yaml:1:4: error: wrong\n  a: |\n     ^',
    );
  });

  it('cuts a long line around the place, at both ends', () => {
    const text = `k: ${'a'.repeat(300)}HERE${'b'.repeat(300)}`;
    const [, line = '', carets = ''] = formatProblem(problemAt(text, 'HERE'), plain).split('\n');
    expect(line.length).toBeLessThanOrEqual(102);
    expect(line).toMatch(/^ {2}…a+HEREb+…$/);
    expect(line.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1)).toBe('HERE');
  });

  it('shows no line where there is nothing in it', () => {
    expect(formatProblem(problemAt('\n\n', '\n'), plain)).toBe('a.yaml:1:1: error: wrong');
  });

  it('hides secrets and keeps the carets right', () => {
    const text = 'password: hunter2, x: y';
    const secret: Span = { start: 10, end: 17 };
    expect(formatProblem(problemAt(text, 'x', { secrets: [secret] }), plain)).toBe(
      'a.yaml:1:20: error: wrong\n  password: ****, x: y\n                  ^',
    );
    expect(formatProblem(problemAt(text, 'hunter2', { secrets: [secret] }), plain)).toContain('\n            ^^^^');
    const lines = 'p: |\n  hunter2\n  hunter3\n';
    const both: Span = { start: 3, end: lines.length };
    expect(formatProblem(problemAt(lines, 'hunter3', { secrets: [both] }), plain)).toBe(
      'a.yaml:3:3: error: wrong\n  ****\n  ^^^^',
    );
  });

  it('sends no control characters of the file to the terminal', () => {
    expect(formatProblem(problemAt('a: \u001b[31mx\u202e\u0000', 'x'), plain)).toBe(
      'a.yaml:1:9: error: wrong\n  a: ·[31mx··\n          ^',
    );
  });

  it('is coloured when asked', () => {
    expect(formatProblem(problemAt('a: b', 'b'), { color: true })).toBe(
      '\u001b[1ma.yaml:1:4\u001b[0m: \u001b[31;1merror\u001b[0m: \u001b[1mwrong\u001b[0m\n  a: b\n     \u001b[31;1m^\u001b[0m',
    );
  });
});

describe('problems together', () => {
  const first = problemAt('a: b', 'a');
  const second: Problem = { ...problemAt('a: b', 'b'), severity: 'warning' };

  it('are printed by file and place, and counted', () => {
    const other: Problem = { severity: 'error', message: 'no file' };
    const text = formatProblems([second, first, other], plain);
    expect(text.split('\n\n').map((block) => block.split('\n')[0])).toEqual([
      'error: no file',
      'a.yaml:1:1: error: wrong',
      'a.yaml:1:4: warning: wrong',
      '2 errors, 1 warning',
    ]);
  });

  it('are nothing when there are none', () => {
    expect(formatProblems([], plain)).toBe('');
  });

  it('are data for a program', () => {
    expect(problemToJson({ ...second, hint: 'h' })).toEqual({
      file: 'a.yaml',
      line: 1,
      column: 4,
      severity: 'warning',
      message: 'wrong',
      hint: 'h',
    });
    expect(problemToJson({ severity: 'error', message: 'm' })).toEqual({ severity: 'error', message: 'm' });
  });

  it('count lines and columns from 1', () => {
    const file = { path: 'a', text: 'a\n😀b' };
    expect(lineAndColumn(file, 0)).toEqual({ line: 1, column: 1 });
    expect(lineAndColumn(file, 4)).toEqual({ line: 2, column: 2 });
  });
});
