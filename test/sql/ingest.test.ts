import { beforeAll, describe, expect, test } from 'vitest';
import { checkIngestSql } from '../../src/sql/ingest.ts';
import { readName } from '../../src/sql/names.ts';
import { loadParser } from '../../src/sql/parser.ts';
import { ingestJob } from './jobs.ts';

beforeAll(loadParser);

test('table and columns come out quoted, expressions without what may follow them', () => {
  const { problems, compiled } = checkIngestSql(
    ingestJob('App."Main"', {
      group_id: "'P' || partition -- the shard",
      '"Payload"': 'envelope;',
      User: "headers ->> 'x'",
    }),
  );
  expect(problems).toEqual([]);
  expect(compiled?.into).toBe('"app"."Main"');
  expect(compiled?.columns).toEqual([
    { name: '"group_id"', expression: "'P' || partition" },
    { name: '"Payload"', expression: 'envelope' },
    { name: '"user"', expression: "headers ->> 'x'" },
  ]);
});

test('every column of a message may be used', () => {
  const columns = {
    a: 'topic || partition || "offset"',
    b: 'timestamp',
    c: 'key || value',
    d: 'headers',
    e: 'envelope',
  };
  expect(checkIngestSql(ingestJob('t', columns)).problems).toEqual([]);
});

test('functions and the calls for each message are listed', () => {
  const { compiled } = checkIngestSql(ingestJob('t', { a: 'upper(key)', b: 'app.f((select max(x) from u))' }));
  expect(compiled?.functions).toEqual(['app.f', 'max', 'upper']);
  expect(compiled?.rowCalls.map(({ name, subject, span }) => [name, subject, span])).toEqual([
    ['upper', 'column `a`', { start: 0, end: 5 }],
    ['app.f', 'column `b`', { start: 0, end: 5 }],
  ]);
});

test('a position in an expression leads to its word in the file', () => {
  const { compiled } = checkIngestSql(ingestJob('t', { a: "'é😀' || key", b: "/* 😀 */ value || 'x'" }));
  expect(compiled?.locate(0, 8).span).toEqual({ start: 9, end: 12 });
  expect(compiled?.locate(1, 8).span).toEqual({ start: 9, end: 14 });
});

describe('refused', () => {
  test.each([
    ['count(*)', '`count` is an aggregate', 0, 5],
    ['a, b', 'column `c` is one expression, not 2', 1, 2],
    ['offset', 'syntax error at end of input', 6, 6],
    ['offset + 1', 'column `c` is one expression, without `offset`', 0, 6],
    ['partition + offset', 'syntax error at or near `offset`', 12, 18],
    [':slot', 'takes no placeholders such as `:slot`', 0, 5],
    ['kye', 'a message has no column `kye`', 0, 3],
    ['message.key', 'a message has no column `message.key`', 0, 11],
    ['$1', 'parameters like `$1`', 0, 2],
    ['', 'column `c` is empty', 0, 0],
  ])('%s', (expression, message, start, end) => {
    const { problems, compiled } = checkIngestSql(ingestJob('t', { c: expression }));
    expect(compiled).toBeUndefined();
    expect(problems.map((problem) => [problem.message, problem.span])).toEqual([
      [expect.stringContaining(message), { start, end }],
    ]);
  });

  test.each([
    ['a.b.c', 'write `table` or `schema.table`'],
    ['a b', 'in double quotes what is not a plain name'],
    ['1a', 'in double quotes'],
    ['', 'in double quotes'],
    ['t; drop table x', 'in double quotes'],
    ['"open', 'in double quotes'],
  ])('the table %s', (into, hint) => {
    const { problems, compiled } = checkIngestSql(ingestJob(into, { a: 'key' }));
    expect(compiled).toBeUndefined();
    expect(problems.map((problem) => [problem.message, problem.hint])).toEqual([
      [expect.stringContaining('is not the name of a table'), expect.stringContaining(hint)],
    ]);
  });

  test('a column given twice, folded as the server folds it', () => {
    const { problems } = checkIngestSql(ingestJob('t', { a: 'key', A: 'value', '"A"': 'topic' }));
    expect(problems.map(({ message }) => message)).toEqual(['column `a` is given twice']);
  });

  test('a name of a column that is more than one', () => {
    const { problems } = checkIngestSql(ingestJob('t', { 'a.b': 'key' }));
    expect(problems.map(({ message }) => message)).toEqual(['`a.b` is not the name of a column']);
  });

  test('what a hint says about "offset" is written as it must be', () => {
    const hints = (expression: string) => checkIngestSql(ingestJob('t', { c: expression })).problems[0]?.hint;
    expect(hints('partition + offset')).toContain('in quotes: `"offset"`');
    expect(hints('offsett')).toBe('did you mean `"offset"`?');
  });
});

test.each([
  ['main', ['main']],
  ['Main', ['main']],
  ['"Main"', ['Main']],
  ['"a""b"', ['a"b']],
  ['app.Main', ['app', 'main']],
  ['user', ['user']],
  ['ÄB', ['Äb']],
  ['a$1', ['a$1']],
  ['""', undefined],
  ["'a'", undefined],
  ['a.', undefined],
  ['a . b', undefined],
  ['a--b', undefined],
  ['U&"a"', undefined],
])('the name %s', (text, parts) => {
  expect(readName(text)).toEqual(parts);
});
