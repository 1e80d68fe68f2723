// YAML text to nodes with places, and every syntax problem of the file. The one file that calls the yaml library.
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  parseAllDocuments,
  type Range,
  type Scalar,
  type Node as YamlNode,
} from 'yaml';
import type { SourceFile, Span } from '../model/source.ts';
import type { ListNode, MapEntry, MapNode, Node, ScalarNode, ScalarStyle } from './node.ts';
import type { Problems } from './problems.ts';
import { type Decoded, decodeBlock, decodeDoubleQuoted, decodePlain, decodeSingleQuoted } from './scalar-offsets.ts';
import { protectVariables, restoreVariables } from './variables.ts';
import { explainAlias, explainErrors, explainTag } from './yaml-errors.ts';

export interface YamlOptions {
  /** `${NAME}` may stand anywhere a scalar may, also in `{…}` and `[…]`, where its braces would be YAML's own. */
  readonly variables: boolean;
}

/** What more than this many aliases in a document are good for is a document that explodes when read. */
const MAX_ALIASES = 100;

/**
 * The documents of a file, empty ones left out. Syntax problems go to `problems`; a document whose structure the parser
 * had to guess is left out too, one with a fault inside a single value is kept and the place of the fault muted.
 */
export function parseYaml(file: SourceFile, options: YamlOptions, problems: Problems): Node[] {
  const text = options.variables ? protectVariables(file.text) : file.text;
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    // Duplicate keys are found when a map is converted, where both places are known.
    uniqueKeys: false,
    stringKeys: true,
    keepSourceTokens: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const roots: Node[] = [];
  for (const document of documents) {
    const readable = explainErrors(file, document.errors, documentNodes(document), problems);
    if (!readable || document.contents === null) continue;
    const root = convertDocument(document, { file, restore: text !== file.text, problems });
    if (root && !isEmpty(root)) roots.push(root);
  }
  return roots;
}

interface Conversion {
  readonly file: SourceFile;
  readonly restore: boolean;
  readonly problems: Problems;
}

function documentNodes(document: Document.Parsed): () => Generator<Scalar> {
  return function* scalars(node: unknown = document.contents): Generator<Scalar> {
    if (isScalar(node)) yield node;
    if (!isCollection(node)) return;
    for (const item of node.items) {
      if (isMap(node)) {
        const { key, value } = item as { key: unknown; value: unknown };
        yield* scalars(key);
        yield* scalars(value);
      } else yield* scalars(item);
    }
  };
}

function convertDocument(document: Document.Parsed, context: Conversion): Node | undefined {
  const { file, problems } = context;
  const converted = new Map<YamlNode, Node | 'open'>();
  let aliases = 0;

  const convert = (node: YamlNode): Node | undefined => {
    if (isAlias(node)) return convertAlias(node.range ?? undefined, node.resolve(document));
    const known = converted.get(node);
    if (known !== undefined) return known === 'open' ? undefined : known;
    converted.set(node, 'open');
    const result = isMap(node)
      ? convertMap(node)
      : isCollection(node)
        ? convertList(node)
        : convertScalar(node as Scalar);
    converted.set(node, result);
    return result;
  };

  const convertAlias = (range: Range | undefined, target: YamlNode | undefined): Node | undefined => {
    aliases += 1;
    const span = { start: range?.[0] ?? 0, end: range?.[1] ?? 0 };
    const result = target && aliases <= MAX_ALIASES ? convert(target) : undefined;
    if (result === undefined) {
      const { message, hint } =
        aliases > MAX_ALIASES
          ? { message: `more than ${MAX_ALIASES} aliases in one document`, hint: 'write the values out' }
          : target
            ? { message: 'this alias stands inside the value it refers to', hint: 'write the value out' }
            : explainAlias(file, span);
      problems.error(message, { file, span }, hint);
      problems.mute(file, span);
      return emptyScalar(file, span);
    }
    return result;
  };

  const convertScalar = (node: Scalar): ScalarNode => {
    const span = spanOf(node, file);
    if (node.tag !== undefined && node.tag !== '!' && !node.tag.startsWith('tag:yaml.org,2002:')) {
      const { message, hint } = explainTag();
      problems.error(message, { file, span: { start: tagStart(file, span), end: span.end } }, hint);
      problems.mute(file, { start: tagStart(file, span), end: span.end });
    }
    const raw = node.source ?? '';
    const text = context.restore ? restoreVariables(raw) : raw;
    const value = typeof node.value === 'string' ? text : scalarValue(node.value);
    return scalarOf(file, text, value, STYLES[node.type ?? 'PLAIN'] ?? 'plain', span, offsetsOf(node, file));
  };

  const convertList = (node: { items: unknown[]; flow?: boolean }): ListNode => {
    const span = spanOf(node as YamlNode, file);
    const items = node.items.map((item) => convert(item as YamlNode)).filter((item) => item !== undefined);
    return { kind: 'list', file, span, flow: node.flow === true, items };
  };

  const convertMap = (node: { items: { key: unknown; value: unknown }[]; flow?: boolean }): MapNode => {
    const span = spanOf(node as unknown as YamlNode, file);
    const entries: MapEntry[] = [];
    for (const pair of node.items) {
      const key = convert(pair.key as YamlNode);
      if (key?.kind !== 'scalar') continue;
      const after = { start: key.span.end, end: key.span.end };
      const value = pair.value === null ? undefined : convert(pair.value as YamlNode);
      entries.push({ key, value: value ?? emptyScalar(file, after) });
    }
    return { kind: 'map', file, span, flow: node.flow === true, entries };
  };

  return convert(document.contents as YamlNode);
}

const STYLES: Readonly<Record<string, ScalarStyle>> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
};

function scalarValue(value: unknown): number | boolean | null {
  return typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

function isEmpty(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null && node.text === '';
}

/** The library's range of a block scalar ends after its last line feed: a frame wants the end of its last word. */
function spanOf(node: YamlNode, file: SourceFile): Span {
  const [start, end] = node.range ?? [0, 0];
  const trimmed = file.text.slice(start, end).trimEnd().length;
  return { start, end: Math.max(start, start + trimmed) };
}

function tagStart(file: SourceFile, span: Span): number {
  const lineStart = file.text.lastIndexOf('\n', span.start - 1) + 1;
  const tag = file.text.slice(lineStart, span.start).lastIndexOf('!');
  return tag < 0 ? span.start : lineStart + tag;
}

/** How to find the offsets when they are asked for. It holds on to the file only: not to the library's document. */
function offsetsOf(node: Scalar, file: SourceFile): () => readonly number[] {
  const [start, end] = node.range ?? [0, 0];
  const token = node.srcToken;
  if (token?.type === 'block-scalar') {
    const header = token.props.reduce((length, prop) => length + ('source' in prop ? prop.source.length : 0), 0);
    return blockOffsets(file, token.offset, token.offset + header, token.source.length, token.indent);
  }
  const quotes = { QUOTE_SINGLE: decodeSingleQuoted, QUOTE_DOUBLE: decodeDoubleQuoted };
  const decode = node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE' ? quotes[node.type] : decodePlain;
  return flowOffsets(file, start, end, decode);
}

function flowOffsets(file: SourceFile, start: number, end: number, decode: (source: string) => Decoded) {
  return () => decode(file.text.slice(start, end)).offsets.map((offset) => start + offset);
}

function blockOffsets(file: SourceFile, headerStart: number, start: number, length: number, parentIndent: number) {
  return () => {
    const sign = /^([|>])(?:(\d)([-+]?)|([-+])(\d?))?/.exec(file.text.slice(headerStart, headerStart + 3));
    const { offsets } = decodeBlock({
      source: file.text.slice(start, start + length),
      mode: sign?.[1] ?? '|',
      chomp: (sign?.[3] || sign?.[4] || '') as '' | '-' | '+',
      indicator: Number(sign?.[2] || sign?.[5] || 0),
      parentIndent,
    });
    return offsets.map((offset) => start + offset);
  };
}

function scalarOf(
  file: SourceFile,
  text: string,
  value: ScalarNode['value'],
  style: ScalarStyle,
  span: Span,
  offsets: () => readonly number[],
): ScalarNode {
  return { kind: 'scalar', file, span, value, text, style, offsets };
}

/** A scalar that is not there, or stands for one that cannot be read. */
function emptyScalar(file: SourceFile, span: Span): ScalarNode {
  return scalarOf(file, '', null, 'plain', span, () => [span.start]);
}
