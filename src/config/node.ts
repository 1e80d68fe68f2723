// A YAML document as the rest of config sees it: three kinds of node, each with its place, each scalar with its text as
// decoded and its style. Nothing here knows the yaml library.

import type { SourceFile, SourceText, Span } from '../model/source.ts';
import type { Json } from './field.ts';

export type ScalarStyle = 'plain' | 'single' | 'double' | 'literal' | 'folded';

interface NodeBase {
  readonly file: SourceFile;
  readonly span: Span;
}

export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** The characters that were read, whatever YAML took them for: `007` where `value` is 7. */
  readonly text: string;
  readonly style: ScalarStyle;
  /** Offsets in the file, one more than `text` is long. Worked out when asked for. */
  readonly offsets: () => readonly number[];
}

export interface ListNode extends NodeBase {
  readonly kind: 'list';
  /** Written as `[a, b]`. */
  readonly flow: boolean;
  readonly items: readonly Node[];
}

export interface MapEntry {
  readonly key: ScalarNode;
  readonly value: Node;
}

export interface MapNode extends NodeBase {
  readonly kind: 'map';
  /** Written as `{a: b}`. */
  readonly flow: boolean;
  readonly entries: readonly MapEntry[];
}

export type Node = ScalarNode | ListNode | MapNode;

/** A scalar's text with the way back to the file. */
export function sourceTextOf(node: ScalarNode): SourceText {
  let offsets: readonly number[] | undefined;
  return {
    value: node.text,
    file: node.file,
    span: node.span,
    toFileOffset(valueOffset) {
      offsets ??= node.offsets();
      return offsets[Math.min(Math.max(0, valueOffset), offsets.length - 1)] ?? node.span.start;
    },
  };
}

/** A default or an example as if it stood at `place`: every offset is the place's start. */
export function nodeOfJson(json: Json, place: NodeBase): Node {
  const { file, span } = place;
  if (json === null || typeof json !== 'object') return scalarAt(json, place);
  if (isJsonList(json)) return { kind: 'list', file, span, flow: true, items: json.map((i) => nodeOfJson(i, place)) };
  const entries = Object.entries(json).map(([name, value]) => ({
    key: scalarAt(name, place),
    value: nodeOfJson(value, place),
  }));
  return { kind: 'map', file, span, flow: true, entries };
}

/** The value of a field in a map, if it is given. */
export function entryOf(node: MapNode, name: string): MapEntry | undefined {
  return node.entries.find(({ key }) => key.text === name);
}

function scalarAt(value: string | number | boolean | null, { file, span }: NodeBase): ScalarNode {
  const text = value === null ? '' : String(value);
  const style = typeof value === 'string' ? 'double' : 'plain';
  return { kind: 'scalar', file, span, value, text, style, offsets: () => [span.start] };
}

function isJsonList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
