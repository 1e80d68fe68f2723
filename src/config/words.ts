// What a shape expects and what a node is, in words: the message for a value of the wrong type.
import type { Shape } from './field.ts';
import type { Node, ScalarNode } from './node.ts';
import type { Problems } from './problems.ts';

/** Names a value in messages; worked out only when there is one. */
export type Label = () => string;

/** Whether the node is written as the shape wants: a scalar, a list or a map. Not yet whether its value is right. */
export function shapeAccepts(shape: Shape, node: Node): boolean {
  if (shape.type === 'either') return Object.values(shape.of).some((candidate) => shapeAccepts(candidate, node));
  if (shape.type === 'list') return node.kind === 'list';
  if (shape.type === 'map' || shape.type === 'object') return node.kind === 'map';
  return node.kind === 'scalar';
}

/** A field without a value, `~` or `null`. */
export function isEmptyNode(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** What a shape expects: "a list", "a duration such as `30s`". */
export function expectation(shape: Shape): string {
  switch (shape.type) {
    case 'text':
      return 'text';
    case 'sql':
      return shape.language === 'cron' ? 'a cron expression' : 'SQL';
    case 'duration':
      return 'a duration such as `30s`';
    case 'size':
      return 'a size such as `8 MiB`';
    case 'percent':
      return 'a percentage such as `10%`';
    case 'integer':
      return 'a whole number';
    case 'boolean':
      return '`true` or `false`';
    case 'choice':
      return orList(shape.of.map((choice) => `\`${choice}\``));
    case 'list':
      return 'a list';
    case 'map':
    case 'object':
      return 'a map';
    case 'either':
      return orList([...new Set(Object.values(shape.of).map(expectation))]);
  }
}

/** `a, b or c`. */
function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Reports a node that is not what the shape expects. A value is never quoted: it may be a password. */
export function sayMismatch(shape: Shape, node: Node, label: Label, problems: Problems, hint?: string): void {
  if (node.kind === 'scalar' && node.value === null) {
    sayEmpty(shape, node, label, problems, hint);
    return;
  }
  problems.error(
    `${label()} must be ${expectation(shape)}, but this is ${kindOf(node)}`,
    node,
    hint ?? mismatchHint(shape, node),
  );
}

/** What a node is: "a list", "a number". */
export function kindOf(node: Node): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a map';
  if (typeof node.value === 'number') return 'a number';
  if (typeof node.value === 'boolean') return `\`${node.value}\``;
  return node.value === null ? 'empty' : 'text';
}

function sayEmpty(shape: Shape, node: ScalarNode, label: Label, problems: Problems, hint?: string): void {
  if (node.text === '') {
    problems.error(`${label()} has no value`, node, hint ?? 'give it one, or remove the field');
    return;
  }
  const written = node.text;
  const quoted = isSql(shape)
    ? `, or quote it where SQL is meant: \`"${written}"\``
    : ', or quote it where text is meant';
  problems.error(`${label()} has no value: YAML reads \`${written}\` as nothing`, node, `remove the field${quoted}`);
}

function mismatchHint(shape: Shape, node: Node): string | undefined {
  if (isSql(shape) && node.kind === 'map') return 'put SQL that begins with `{` in quotes';
  if (shape.type === 'sql' && node.kind === 'list') return 'put SQL that begins with `[` in quotes';
  if (shape.type === 'list' && node.kind === 'scalar') return 'write it as `[a, b]`, or one `- item` a line';
  return undefined;
}

function isSql(shape: Shape): boolean {
  return shape.type === 'sql' || (shape.type === 'either' && Object.values(shape.of).some(isSql));
}
