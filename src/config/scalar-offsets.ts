// From each character of a YAML scalar's value back to its place in the file, for all five styles. It decodes as the yaml
// library does (YAML 1.2, sections 7.3 and 8.1), which gives values but no places; a property test holds the two together.

export interface Decoded {
  readonly value: string;
  /** `offsets[i]` is where `value[i]` comes from, counted from the start of the text given; one more for the end. */
  readonly offsets: readonly number[];
}

export interface BlockScalar {
  /** The lines below the header, as they stand in the file. */
  readonly source: string;
  /** `|` keeps line ends, `>` folds them. */
  readonly mode: string;
  readonly chomp: '' | '-' | '+';
  /** The indentation indicator of the header, 0 when there is none. */
  readonly indicator: number;
  /** Indentation of the collection the scalar stands in; what the indicator counts from. */
  readonly parentIndent: number;
}

/** A plain scalar: lines are folded, nothing is escaped. */
export function decodePlain(source: string): Decoded {
  const out = new Output();
  unfoldLines(source, 0, source.length, out);
  return out.end(source.length);
}

/** A single-quoted scalar, quotes included: lines are folded, `''` is one quote. */
export function decodeSingleQuoted(source: string): Decoded {
  const folded = new Output();
  unfoldLines(source, 1, source.length - 1, folded);
  const out = new Output();
  for (let i = 0; i < folded.value.length; i++) {
    out.put(folded.value[i] ?? '', folded.offsets[i] ?? 0);
    if (folded.value.startsWith("''", i)) i++;
  }
  return out.end(source.length - 1);
}

/** A double-quoted scalar, quotes included: lines are folded, an escape's characters all point at its backslash. */
export function decodeDoubleQuoted(source: string): Decoded {
  const out = new Output();
  const end = source.length - 1;
  let i = 1;
  while (i < end) {
    const char = source[i] ?? '';
    if (char === '\\') i = putEscape(source, i, out);
    else if (char === '\n') i = putFoldedLine(source, i, out);
    else if (char === '\r' && source[i + 1] === '\n') i += 1;
    else if (char === ' ' || char === '\t') i = putBlanks(source, i, out);
    else {
      out.put(char, i);
      i += 1;
    }
  }
  return out.end(end);
}

/** A block scalar; offsets count from the start of its first line below the header. */
export function decodeBlock(scalar: BlockScalar): Decoded {
  const lines = splitLines(scalar.source);
  const out = new Output();
  let chompStart = lines.findLastIndex((line) => !isBlank(line)) + 1;
  if (chompStart === 0) {
    if (scalar.chomp === '+' && lines.length > 0) putEmptyLines(lines, out);
    return out.end(scalar.source.length);
  }
  const { indent, contentStart } = findIndent(lines, chompStart, scalar);
  for (let i = lines.length - 1; i >= chompStart; i--) {
    if ((lines[i]?.indent ?? 0) > indent) chompStart = i + 1;
  }
  for (const line of lines.slice(0, contentStart)) {
    out.putAll(' '.repeat(Math.max(0, line.indent - indent)), line.start + indent);
    out.put('\n', line.start + line.indent + line.content.length);
  }
  putBlockLines(lines.slice(contentStart, chompStart), indent, scalar.mode === '>', out);
  const last = lines[chompStart - 1];
  const lineEnd = last ? last.start + last.indent + last.content.length : scalar.source.length;
  if (scalar.chomp === '') out.put('\n', lineEnd);
  if (scalar.chomp === '+') {
    for (let i = chompStart; i < lines.length; i++) {
      const before = lines[i - 1];
      const line = lines[i];
      if (!before || !line) continue;
      out.put('\n', before.start + before.indent + before.content.length);
      out.putAll(' '.repeat(Math.max(0, line.indent - indent)), line.start + indent);
    }
    if (!out.value.endsWith('\n')) out.put('\n', scalar.source.length);
  }
  return out.end(scalar.source.length);
}

class Output {
  value = '';
  readonly offsets: number[] = [];

  /** Every unit of `text` comes from the one place `at`. */
  put(text: string, at: number): void {
    this.value += text;
    for (let i = 0; i < text.length; i++) this.offsets.push(at);
  }

  /** The units of `text` stand in the file one after the other from `at` on. */
  putAll(text: string, at: number): void {
    this.value += text;
    for (let i = 0; i < text.length; i++) this.offsets.push(at + i);
  }

  end(at: number): Decoded {
    return { value: this.value, offsets: [...this.offsets, at] };
  }
}

/** Line folding of flow scalars (7.3.3): one line end is a space, n + 1 are n line ends; blanks around them go. */
function unfoldLines(source: string, from: number, to: number, out: Output): void {
  let lineStart = from;
  let separator = '';
  let separatorAt = from;
  for (let first = true; ; first = false) {
    const newline = source.indexOf('\n', lineStart);
    const last = newline < 0 || newline >= to;
    let end = last ? to : newline;
    if (!last && source[end - 1] === '\r' && end > lineStart) end -= 1;
    let start = lineStart;
    if (!first) while (start < end && isSpace(source[start])) start += 1;
    if (!last) while (end > start && isSpace(source[end - 1])) end -= 1;
    if (first || last || end > start) {
      out.put(separator, separatorAt);
      out.putAll(source.slice(start, end), start);
      separator = ' ';
      separatorAt = newline;
    } else if (separator === '\n') {
      out.put('\n', separatorAt);
      separatorAt = newline;
    } else {
      separator = '\n';
      separatorAt = newline;
    }
    if (last) return;
    lineStart = newline + 1;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  '\t': '\t',
};

/** Returns the offset after the escape that starts at `at`. A wrong one stands as it is written; the parser reports it. */
function putEscape(source: string, at: number, out: Output): number {
  const next = source[at + 1] ?? '';
  const simple = ESCAPES[next];
  if (simple !== undefined) {
    out.put(simple, at);
    return at + 2;
  }
  if (next === '\n' || (next === '\r' && source[at + 2] === '\n')) {
    let after = at + (next === '\n' ? 2 : 3);
    while (isSpace(source[after])) after += 1;
    return after;
  }
  const length = { x: 2, u: 4, U: 8 }[next];
  const digits = length === undefined ? '' : source.slice(at + 2, at + 2 + length);
  const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : -1;
  if (code >= 0 && code <= 0x10ffff) {
    out.put(String.fromCodePoint(code), at);
    return at + 2 + digits.length;
  }
  out.putAll(source.slice(at, at + 2), at);
  return at + 2;
}

function putFoldedLine(source: string, at: number, out: Output): number {
  let i = at + 1;
  let folded = false;
  for (; isSpace(source[i]) || source[i] === '\n' || (source[i] === '\r' && source[i + 1] === '\n'); i++) {
    if (source[i] !== '\n') continue;
    out.put('\n', i);
    folded = true;
  }
  if (!folded) out.put(' ', at);
  return i;
}

function putBlanks(source: string, at: number, out: Output): number {
  let end = at;
  while (isSpace(source[end])) end += 1;
  const lineEnds = source[end] === '\n' || (source[end] === '\r' && source[end + 1] === '\n');
  if (!lineEnds) out.putAll(source.slice(at, end), at);
  return end;
}

interface Line {
  readonly start: number;
  readonly indent: number;
  /** Without the indentation and the line feed; a carriage return stays. */
  readonly content: string;
}

function splitLines(source: string): Line[] {
  if (source === '') return [];
  let start = 0;
  return source.split('\n').map((text) => {
    const indent = text.length - text.replace(/^ +/, '').length;
    const line = { start, indent, content: text.slice(indent) };
    start += text.length + 1;
    return line;
  });
}

function isBlank(line: Line): boolean {
  return line.content === '' || line.content === '\r';
}

/** Without an indicator the first line with content sets the indentation (8.1.1.1). */
function findIndent(
  lines: readonly Line[],
  chompStart: number,
  scalar: BlockScalar,
): { indent: number; contentStart: number } {
  const contentStart = lines.slice(0, chompStart).findIndex((line) => !isBlank(line));
  const indent = scalar.indicator > 0 ? scalar.parentIndent + scalar.indicator : (lines[contentStart]?.indent ?? 0);
  return { indent, contentStart };
}

function putEmptyLines(lines: readonly Line[], out: Output): void {
  for (let i = 0; i < Math.max(1, lines.length - 1); i++) {
    const line = lines[i];
    if (line) out.put('\n', line.start + line.indent + line.content.length);
  }
}

/** Literal lines are joined by line feeds; folded ones by spaces, but for more-indented and empty lines (8.1.3). */
function putBlockLines(lines: readonly Line[], indent: number, folded: boolean, out: Output): void {
  let separator = '';
  let separatorAt = 0;
  let moreIndentedBefore = false;
  for (const line of lines) {
    const content = line.content.endsWith('\r') ? line.content.slice(0, -1) : line.content;
    const contentAt = line.start + Math.min(indent, line.indent);
    const text = ' '.repeat(Math.max(0, line.indent - indent)) + content;
    const lineEnd = line.start + line.indent + line.content.length;
    const moreIndented = line.indent > indent || content.startsWith('\t');
    if (!folded || moreIndented) {
      if (folded && separator === ' ') separator = '\n';
      else if (folded && !moreIndentedBefore && separator === '\n') separator = '\n\n';
      out.put(separator, separatorAt);
      out.putAll(text, contentAt);
      separator = '\n';
      separatorAt = lineEnd;
      moreIndentedBefore = moreIndented;
    } else if (content === '') {
      if (separator === '\n') out.put('\n', separatorAt);
      else separator = '\n';
      separatorAt = lineEnd;
    } else {
      out.put(separator, separatorAt);
      out.putAll(text, contentAt);
      separator = ' ';
      separatorAt = lineEnd;
      moreIndentedBefore = false;
    }
  }
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}
