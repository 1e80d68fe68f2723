// Reads a scalar as a field's data says. Separate from read.ts because this is where YAML's own ideas about a value (a
// number, a comment, a variable) meet what the field means.
import { formatDuration, formatSize, parseDuration, parseSize } from '../model/units.ts';
import type { ChoiceShape, IntegerShape, QuantityShape, Shape, SqlShape, TextShape } from './field.ts';
import { checkFormat } from './formats.ts';
import { type ScalarNode, sourceTextOf } from './node.ts';
import { show } from './problems.ts';
import type { Reading } from './reading.ts';
import { suggest } from './suggest.ts';
import { swallowedSql } from './swallowed-sql.ts';
import { expandVariables } from './variables.ts';
import { expectation, kindOf, type Label } from './words.ts';

/** A located value, a SourceText for SQL, or undefined when a problem has been reported. */
export function readScalar(shape: Shape, written: ScalarNode, label: Label, reading: Reading): unknown {
  const node = expand(written, reading);
  if (!node) return undefined;
  switch (shape.type) {
    case 'text':
      return readText(shape, node, label, reading);
    case 'sql':
      return readSql(shape, node, label, reading);
    case 'duration':
    case 'size':
      return readQuantity(shape, node, label, reading);
    case 'percent':
      return readPercent(node, label, reading);
    case 'integer':
      return readInteger(shape, node, label, reading);
    case 'boolean':
      return readBoolean(node, label, reading);
    case 'choice':
      return readChoice(shape, node, label, reading);
    default:
      return undefined;
  }
}

type Read = { readonly value: unknown } | undefined;

interface Expanded extends ScalarNode {
  /** A variable was replaced, so quotes say nothing about the type that is meant. */
  readonly expanded?: true;
}

function expand(node: ScalarNode, reading: Reading): Expanded | undefined {
  if (!reading.variables || typeof node.value !== 'string' || !node.text.includes('${')) return node;
  const { text, expanded, bad } = expandVariables(node.text, reading.variables);
  for (const { start, end, name } of bad) {
    const source = sourceTextOf(node);
    const span = { start: source.toFileOffset(start), end: source.toFileOffset(end) };
    if (name === undefined) {
      const hint = `a variable is \`\${NAME}\` or \`\${NAME:-default}\`; put text that holds \`\${\` into a variable itself`;
      reading.problems.error('this is not a variable', { file: node.file, span }, hint);
    } else {
      const hint = `set it, or give it a default: \`\${${name}:-…}\``;
      reading.problems.error(`the variable \`${name}\` is not set`, { file: node.file, span }, hint);
    }
  }
  if (bad.length > 0) return undefined;
  return expanded ? { ...node, text, value: text, expanded: true } : node;
}

function at(node: ScalarNode, value: unknown): Read & object {
  const located = { value, file: node.file, span: node.span };
  return located;
}

function readText(shape: TextShape, node: ScalarNode, label: Label, { problems }: Reading): Read {
  if (typeof node.value !== 'string' && !shape.anyScalar) {
    problems.error(`${label()} must be text, but YAML reads this as ${kindOf(node)}`, node, 'put it in quotes');
    return undefined;
  }
  if (node.text === '' && !shape.mayBeEmpty) {
    problems.error(`${label()} is empty`, node, 'give it a value, or remove the field');
    return undefined;
  }
  const complaint = shape.format === undefined ? undefined : checkFormat(shape.format, node.text, node);
  if (complaint) problems.error(complaint.message, node, complaint.hint);
  return complaint ? undefined : at(node, node.text);
}

function readSql(shape: SqlShape, node: ScalarNode, label: Label, { problems }: Reading): Read {
  if (typeof node.value !== 'string') {
    const hint = `quote it: \`"${node.text}"\``;
    problems.error(`${label()} must be ${expectation(shape)}, but YAML reads this as ${kindOf(node)}`, node, hint);
    return undefined;
  }
  if (node.text.trim() === '') {
    problems.error(`${label()} is empty`, node, 'give it a value, or remove the field');
    return undefined;
  }
  const swallowed = swallowedSql(node, shape.language ?? 'sql');
  if (swallowed) {
    problems.error(swallowed.message, { file: node.file, span: swallowed.span }, swallowed.hint);
    return undefined;
  }
  return sourceTextOf(node);
}

function readQuantity(shape: QuantityShape, node: ScalarNode, label: Label, { problems }: Reading): Read {
  const [parse, format] = shape.type === 'duration' ? [parseDuration, formatDuration] : [parseSize, formatSize];
  const value = parse(node.text);
  if (value === undefined) {
    const bare = /^\d+$/.test(node.text);
    const hint = bare ? `add a unit: \`${node.text}${shape.type === 'duration' ? 's' : ' MiB'}\`` : unitsHint(shape);
    const what = bare ? 'a number without a unit' : show(node.text, node);
    problems.error(`${label()} must be ${expectation(shape)}, not ${what}`, node, hint);
    return undefined;
  }
  const minimum = shape.minimum === undefined ? undefined : parse(shape.minimum);
  const maximum = shape.maximum === undefined ? undefined : parse(shape.maximum);
  if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum)) {
    const limit =
      maximum !== undefined && value > maximum ? `at most \`${shape.maximum}\`` : `at least \`${shape.minimum}\``;
    problems.error(`${label()} must be ${limit}, not \`${format(value)}\``, node);
    return undefined;
  }
  return at(node, value);
}

function unitsHint(shape: QuantityShape): string {
  return shape.type === 'duration'
    ? 'the units are `ms`, `s`, `m`, `h` and `d`'
    : 'the units are `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB` and `B`';
}

function readPercent(node: ScalarNode, label: Label, { problems }: Reading): Read {
  const match = /^(\d{1,3}(?:\.\d+)?) ?%$/.exec(node.text);
  const percent = Number(match?.[1]);
  if (match && percent <= 100) return at(node, percent / 100);
  problems.error(`${label()} must be a percentage from \`0%\` to \`100%\`, not ${show(node.text, node)}`, node);
  return undefined;
}

function readInteger(shape: IntegerShape, node: Expanded, label: Label, { problems }: Reading): Read {
  const value = node.expanded && /^[+-]?\d+$/.test(node.text) ? Number(node.text) : node.value;
  if (typeof value !== 'number') {
    const hint = /^\d+$/.test(node.text) ? 'remove the quotes' : undefined;
    problems.error(`${label()} must be a whole number, but this is ${kindOf(node)}`, node, hint);
    return undefined;
  }
  if (!Number.isInteger(value) || value < shape.minimum || value > shape.maximum) {
    problems.error(
      `${label()} must be a whole number from ${shape.minimum} to ${shape.maximum}, not ${show(node.text, node)}`,
      node,
    );
    return undefined;
  }
  return at(node, value);
}

function readBoolean(node: Expanded, label: Label, { problems }: Reading): Read {
  const value = node.expanded && /^(true|false)$/.test(node.text) ? node.text === 'true' : node.value;
  if (typeof value === 'boolean') return at(node, value);
  const hint = /^(yes|no|on|off)$/i.test(node.text) ? 'YAML 1.2 has only `true` and `false`' : undefined;
  problems.error(`${label()} must be \`true\` or \`false\`, not ${show(node.text, node)}`, node, hint);
  return undefined;
}

function readChoice(shape: ChoiceShape, node: ScalarNode, label: Label, { problems }: Reading): Read {
  if (shape.of.includes(node.text) && typeof node.value === 'string') return at(node, node.text);
  const hint = suggest(node.text, shape.of, 'the choices are');
  problems.error(`${label()} must be ${expectation(shape)}, not ${show(node.text, node)}`, node, hint);
  return undefined;
}
