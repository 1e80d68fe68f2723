import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Document, Scalar } from 'yaml';
import { type Node, type ScalarNode, sourceTextOf } from '../../src/config/node.ts';
import { gatherProblems } from '../../src/config/problems.ts';
import { parseYaml } from '../../src/config/yaml-document.ts';
import type { SourceFile, SourceText } from '../../src/model/source.ts';

const STYLES = ['PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'] as const;

/** Texts like SQL: words, quotes, backslashes, blanks at odd places, wide characters, many line ends. */
const sqlText = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom('a', 'bc', 'x1', "'", "''", '"', '\\', '#', ':', '- ', '::text', '{', '}'),
      },
      { weight: 4, arbitrary: fc.constantFrom(' ', '  ', '\t', '\n', '\n\n', '\n  ', '\n\n\n ', ' \n') },
      { weight: 1, arbitrary: fc.constantFrom('é', '日本', '😀', '\u00a0', '\u2028', '\u0007', 'select *') },
    ),
    { maxLength: 25 },
  )
  .map((parts) => parts.join(''));

describe('a scalar in a file', () => {
  it.each(STYLES)('written by the yaml library as %s maps each character back to where it stands', (style) => {
    let readable = 0;
    fc.assert(
      fc.property(sqlText, fc.constantFrom(0, 2), fc.boolean(), (value, deeper, carriageReturns) => {
        const written = writeYaml(value, style, deeper);
        // Carriage returns inside quotes would be escaped by the library, so it never writes what this makes of it.
        const text = carriageReturns ? written.replace(/\n/g, '\r\n') : written;
        if (expectMapped(text)) readable += 1;
      }),
      { numRuns: 500 },
    );
    expect(readable).toBeGreaterThan(475);
  });

  it('written by hand in any style maps each character back to where it stands', () => {
    const line = fc
      .array(fc.constantFrom('a', 'b c', "''", '\\\\', '\\n', '\\x41', '\\"', ' ', '  ', '\t', '日', '😀'), {
        maxLength: 6,
      })
      .map((parts) => parts.join(''));
    const style = fc.constantFrom(
      'plain',
      'single',
      'double',
      '|',
      '>',
      '|-',
      '>-',
      '|+',
      '>+',
      '|2',
      '>1-',
      '|+3',
      '>+1',
    );
    let readable = 0;
    fc.assert(
      fc.property(
        style,
        fc.array(line, { minLength: 1, maxLength: 8 }),
        fc.nat(3),
        fc.constantFrom('\n', '\r\n'),
        (kind, lines, more, end) => {
          if (expectMapped(writeByHand(kind, lines, more, end))) readable += 1;
        },
      ),
      { numRuns: 3000 },
    );
    expect(readable).toBeGreaterThan(2100);
  });

  it('in double quotes maps every unit of an escape to its backslash', () => {
    const { source, text } = read('k: "a\\n\\u0041\\U0001F600\\\n   b"\n');
    expect(source.value).toBe('a\nA😀b');
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => text[source.toFileOffset(i)])).toEqual([
      'a',
      '\\',
      '\\',
      '\\',
      '\\',
      'b',
      '"',
    ]);
  });

  it('in a block with an indentation indicator counts from the collection around it', () => {
    const { source, text } = read('a:\n  - k: |2\n         x\n       y\n');
    expect(source.value).toBe('   x\n y\n');
    expect(text.slice(source.toFileOffset(3), source.toFileOffset(4))).toBe('x');
    expect(text[source.toFileOffset(6)]).toBe('y');
  });

  it('keeps the place of its end for an error at the end of the text', () => {
    const { source, text } = read('k: select\n');
    expect(source.toFileOffset(source.value.length)).toBe(text.indexOf('\n'));
    expect(source.toFileOffset(1000)).toBe(text.indexOf('\n'));
  });

  it('that an alias refers to keeps the place where it is written', () => {
    const { source, text } = read('x: &a "one"\nk: *a\n');
    expect(source.value).toBe('one');
    expect(source.toFileOffset(0)).toBe(text.indexOf('one'));
  });
});

function writeYaml(value: string, style: (typeof STYLES)[number], deeper: number): string {
  const scalar = new Scalar(value);
  scalar.type = style;
  const inner = deeper === 0 ? { k: scalar } : { outer: [{ k: scalar }] };
  return new Document(inner).toString({ lineWidth: 30, indent: 2 });
}

function writeByHand(style: string, lines: string[], more: number, end: string): string {
  const indent = ' '.repeat(2 + more);
  if (/^[|>]/.test(style)) {
    // The first line with content must not be more indented than a later one, unless an indicator says so.
    return `k: ${style}${end}${lines.map((line) => (line.trim() === '' ? line : indent + line)).join(end)}${end}`;
  }
  const quote = style === 'plain' ? '' : style === 'single' ? "'" : '"';
  const safe = lines.map((line) =>
    style === 'plain' ? line.replace(/['"\\]/g, '-') : style === 'single' ? line : line.replace(/'/g, '-'),
  );
  return `k: ${quote}${safe.join(end + indent)}${quote}${end}`;
}

/** Checks the scalar named `k`; false where YAML cannot read the text. */
function expectMapped(text: string): boolean {
  const problems = gatherProblems();
  const file: SourceFile = { path: 'x.yaml', text };
  const [root] = parseYaml(file, { variables: false }, problems);
  if (!root || problems.all.length > 0) return false;
  const node = findScalar(root);
  if (!node) return false;
  const source = sourceTextOf(node);
  expect(node.offsets(), JSON.stringify(text)).toHaveLength(node.text.length + 1);
  let before = -1;
  for (let i = 0; i < source.value.length; i++) {
    const at = source.toFileOffset(i);
    const context = `${JSON.stringify(text)} value ${JSON.stringify(source.value)} at ${i} -> ${at}`;
    expect(at, context).toBeGreaterThanOrEqual(source.span.start);
    expect(at, context).toBeGreaterThanOrEqual(before);
    const written = text[at] ?? '';
    if (written !== source.value[i] || written === "'") expectEncoded(text, at, source.value[i] ?? '', context);
    before = at;
  }
  expect(source.toFileOffset(source.value.length), text).toBeGreaterThanOrEqual(before);
  return true;
}

/** A character that does not stand in the file as itself is an escape, a doubled quote, or a line end that was folded. */
function expectEncoded(text: string, at: number, char: string, context: string): void {
  const written = text[at];
  if (written === '\\' || written === "'") return;
  const atEnd = written === undefined;
  expect(/^[ \n]$/.test(char) && (atEnd || written === '\n' || written === '\r'), context).toBe(true);
}

function findScalar(node: Node): ScalarNode | undefined {
  if (node.kind === 'list') return node.items.map(findScalar).find((found) => found !== undefined);
  if (node.kind === 'scalar') return undefined;
  for (const { key, value } of node.entries) {
    const found = key.text === 'k' && value.kind === 'scalar' ? value : findScalar(value);
    if (found) return found;
  }
  return undefined;
}

function read(text: string): { source: SourceText; text: string } {
  const problems = gatherProblems();
  const [root] = parseYaml({ path: 'x.yaml', text }, { variables: false }, problems);
  const node = root && findScalar(root);
  const source = node && sourceTextOf(node);
  expect(problems.all).toEqual([]);
  if (!source) throw new Error('no scalar `k`');
  return { source, text };
}
