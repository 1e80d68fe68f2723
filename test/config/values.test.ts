import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/config/suggest.ts';
import { couldContinueSql } from '../../src/config/swallowed-sql.ts';
import { expandVariables, protectVariables, restoreVariables } from '../../src/config/variables.ts';
import type { PublishJob } from '../../src/model/project.ts';
import { formatDuration, formatSize } from '../../src/model/units.ts';
import { JOB, jobMessages, loadRight } from './folder.ts';

describe('a duration', () => {
  const delayOf = (written: string) =>
    (loadRight({ 'jobs/a.yaml': `${JOB}delay: ${written}\n` }).jobs[0] as PublishJob).delay;

  it('is read as it is printed', () => {
    fc.assert(
      fc.property(fc.nat(86_400_000), (duration) => {
        expect(delayOf(formatDuration(duration))).toBe(duration);
      }),
      { numRuns: 50 },
    );
  });

  it('may have several parts and fractions, which add up', () => {
    const part = fc.tuple(
      fc.nat(90),
      fc.constantFrom(['ms', 1], ['s', 1000], ['m', 60_000]) as fc.Arbitrary<[string, number]>,
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const written = parts.map(([amount, [unit]]) => `${amount}${unit}`).join('');
        expect(delayOf(written)).toBe(parts.reduce((sum, [amount, [, size]]) => sum + amount * size, 0));
      }),
      { numRuns: 50 },
    );
    expect(delayOf('1.5h')).toBe(5_400_000);
  });

  it.each(['5', '5 s', 's', '1h 30m', '-5s', '5S', '1e3s', '٥s'])('is not %j', (written) => {
    expect(jobMessages(`${JOB}delay: "${written}"\n`)).toContain('`delay` must be a duration such as `30s`');
  });
});

describe('a size', () => {
  it('is read as it is printed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), fc.constantFrom(1024 ** 2, 1024 ** 3), (count, unit) => {
        const config = `kafka: {brokers: [a:1]}\nlimits: {memory: ${formatSize(count * unit)}, buffer: 64 KiB}\n`;
        expect(loadRight({ 'pgtally.yaml': config }).limits.memory).toBe(count * unit);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a comment after SQL', () => {
  it.each([
    "#>> '{id}'",
    "#> '{a,b}'",
    '#- x',
    '# b',
    '# 3',
    '#b',
    '# (b + 1)',
    '## p',
    "# 'x'::bit(3)",
    '# b and c is not null',
    '# t.flags',
  ])('could continue it: %s', (comment) => {
    expect(couldContinueSql(comment)).toBe(true);
  });

  it.each([
    "# the tenant's id",
    '# an SQL expression over q (the row); see below',
    '# see RFC 3339',
    '#',
    '#----',
    '# 5 or 6 fields, @hourly …',
    '# was: the old key',
  ])('is prose: %s', (comment) => {
    expect(couldContinueSql(comment)).toBe(false);
  });

  it('is no trouble where the value is quoted or a block', () => {
    expect(jobMessages(`${JOB}key: "id" # tenant\nvalue: 'q.a' #> x\n`)).toBe('');
    expect(jobMessages(`query: | # every row\n  select 1\ntopic: T\n`)).toBe('');
  });
});

describe('variables', () => {
  const env = { A: 'a', EMPTY: '', PW: 'p@s:s/w' };

  it.each([
    [`\${A}`, 'a'],
    [`x\${A}y\${A}`, 'xaya'],
    [`\${EMPTY}`, ''],
    [`\${EMPTY:-d}`, 'd'],
    [`\${UNSET:-d e: {f`.concat('}'), 'd e: {f'],
    [`\${UNSET:-}`, ''],
    ['$A {A} $', '$A {A} $'],
    [`postgres://u:\${PW}@h/d`, 'postgres://u:p%40s%3As%2Fw@h/d'],
    [`postgres://\${A}:\${PW}@h/d`, 'postgres://a:p%40s%3As%2Fw@h/d'],
    [`postgres://u@h/\${PW}`, 'postgres://u@h/p@s:s/w'],
  ])('in %s', (text, expected) => {
    expect(expandVariables(text, env)).toMatchObject({ text: expected, bad: [] });
  });

  it('that cannot be replaced are told with their place', () => {
    expect(expandVariables(`a \${NOPE} \${A`, env).bad).toEqual([
      { start: 2, end: 9, name: 'NOPE' },
      { start: 10, end: 13, name: undefined },
    ]);
    expect(expandVariables(`\${A:?no}`, env).bad).toEqual([{ start: 0, end: 8, name: undefined }]);
  });

  it('are protected from the parser without moving anything, and restored', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(`\${A}`, `\${A:-x, y}`, '{', '}', `\${`, ' ', ':', 'x', '\n', '\ufdd0', '#')),
        (parts) => {
          const text = parts.join('');
          const guarded = protectVariables(text);
          expect(guarded).toHaveLength(text.length);
          if (guarded !== text) expect(restoreVariables(guarded)).toBe(text);
        },
      ),
    );
  });
});

describe('the nearest word', () => {
  it.each([
    ['schedul', 'schedule'],
    ['Schedule', 'schedule'],
    ['shedule', 'schedule'],
    ['tiemout', 'timeout'],
    ['splay', undefined],
    ['ab', undefined],
  ])('to %s is %s', (word, expected) => {
    expect(nearest(word, ['schedule', 'timeout', 'topic'])).toBe(expected);
  });
});
