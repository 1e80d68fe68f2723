// Reads a node as a field's data says: the value with its place, or problems. It goes on after each problem, so that all
// are found in one go. It knows shapes, not what any one field is for.
import type { Located } from '../model/source.ts';
import { type Elsewhere, reportDuplicates, reportUnknown } from './check-names.ts';
import type {
  Complete,
  Draft,
  EitherShape,
  Entry,
  Field,
  Fields,
  ListShape,
  MapShape,
  ObjectShape,
  Shape,
  ValueOf,
} from './field.ts';
import { checkFormat } from './formats.ts';
import { entryOf, type MapNode, type Node, nodeOfJson } from './node.ts';
import { type Place, placeOf, show } from './problems.ts';
import { readScalar } from './read-scalar.ts';
import type { Reading } from './reading.ts';
import { isEmptyNode, type Label, sayMismatch, shapeAccepts } from './words.ts';

/** Reads one value. `label` names it in messages: `` `timeout` ``. Undefined when it is wrong, which has been reported. */
export function readValue<S extends Shape>(
  shape: S,
  node: Node,
  label: Label,
  reading: Reading,
): ValueOf<S> | undefined {
  return readShape(shape, node, label, reading) as ValueOf<S> | undefined;
}

/**
 * Reads a map's fields. A field that is absent is taken from `inherited`, else from its default. Unknown and duplicate
 * fields are problems; `elsewhere` names fields that would be known under another marker (see `EitherShape`).
 */
export function readObject<F extends Fields>(
  shape: { readonly type: 'object'; readonly fields: F; readonly sparse?: true },
  node: MapNode,
  reading: Reading,
  context: ObjectContext = {},
): Draft<F> {
  const { fields } = shape;
  reportUnknown(fields, node, reading.problems, context.label, context.elsewhere);
  reportDuplicates(node, reading.problems);
  const draft: Record<string, unknown> = {};
  for (const [name, field] of Object.entries<Field>(fields)) {
    const entry = entryOf(node, name);
    if (entry) draft[name] = readShape(field, entry.value, () => `\`${name}\``, reading, flowHint(node, entry.value));
    else if (context.inherited?.[name] !== undefined) draft[name] = context.inherited[name];
    else if (field.default !== undefined && !shape.sparse) {
      draft[name] = readShape(field, nodeOfJson(field.default, defaultPlace(node)), () => `\`${name}\``, {
        problems: reading.problems,
      });
    } else if (field.required) {
      const inside = context.label === undefined ? '' : ` in ${context.label()}`;
      reading.problems.error(`missing field \`${name}\`${inside}`, placeOfMap(node), missingHint(name, field));
    }
  }
  return draft as Draft<F>;
}

export interface ObjectContext {
  /** Names the object itself where it is a field of another. */
  readonly label?: Label;
  readonly inherited?: Readonly<Record<string, unknown>>;
  readonly elsewhere?: Elsewhere | undefined;
}

/** The draft, if all that is required or has a default is there. What is missing has been reported. */
export function complete<F extends Fields>(fields: F, draft: Draft<F>): Complete<F> | undefined {
  const whole = Object.entries<Field>(fields).every(
    ([name, field]) => (!field.required && field.default === undefined) || draft[name] !== undefined,
  );
  return whole ? (draft as Complete<F>) : undefined;
}

/** The object of an `either` that a map is: the one whose marker it has, else the one without. */
export function chooseObject(shape: EitherShape, node: MapNode): [string, ObjectShape] | undefined {
  const objects = Object.entries(shape.of).filter(
    (entry): entry is [string, ObjectShape] => entry[1].type === 'object',
  );
  const marked = objects.find(([, { marker }]) => marker !== undefined && entryOf(node, marker) !== undefined);
  return marked ?? objects.find(([, { marker }]) => marker === undefined) ?? objects[0];
}

/** What the other objects of an `either` would allow, for the message on a field that does not belong here. */
export function elsewhereOf(shape: EitherShape, chosen: ObjectShape): Elsewhere | undefined {
  const others = Object.values(shape.of).filter(
    (other) => other.type === 'object' && other !== chosen,
  ) as ObjectShape[];
  if (others.length === 0) return undefined;
  const fields = Object.assign({}, ...others.map((other) => other.fields)) as Fields;
  const because =
    chosen.marker === undefined
      ? `applies only where \`${others[0]?.marker}\` is given`
      : `does not apply where \`${chosen.marker}\` is given`;
  return { fields, because };
}

function readShape(shape: Shape, node: Node, label: Label, reading: Reading, hint?: string): unknown {
  if (shape.type === 'either') return readEither(shape, node, label, reading, hint);
  if (!shapeAccepts(shape, node) || isEmptyNode(node)) {
    sayMismatch(shape, node, label, reading.problems, hint);
    return undefined;
  }
  if (shape.type === 'list') return readList(shape, node, label, reading);
  if (shape.type === 'map') return readMap(shape, node, label, reading);
  if (shape.type === 'object') {
    return locate(node, readObject(shape, node as MapNode, reading, { label }));
  }
  return node.kind === 'scalar' ? readScalar(shape, node, label, reading) : undefined;
}

function readEither(shape: EitherShape, node: Node, label: Label, reading: Reading, hint?: string): unknown {
  const chosen = node.kind === 'map' ? chooseObject(shape, node) : undefined;
  const found = chosen ?? Object.entries(shape.of).find(([, candidate]) => shapeAccepts(candidate, node));
  if (!found || isEmptyNode(node)) {
    sayMismatch(shape, node, label, reading.problems, hint);
    return undefined;
  }
  const [as, candidate] = found;
  const value =
    candidate.type === 'object' && node.kind === 'map'
      ? locate(node, readObject(candidate, node, reading, { label, elsewhere: elsewhereOf(shape, candidate) }))
      : readShape(candidate, node, label, reading);
  return value === undefined ? undefined : { as, value };
}

function readList(shape: ListShape, node: Node, label: Label, reading: Reading): unknown {
  if (node.kind !== 'list') return undefined;
  if (node.items.length === 0 && !shape.mayBeEmpty) {
    reading.problems.error(`${label()} is an empty list`, node, 'give it an item, or remove the field');
    return undefined;
  }
  const values = node.items.map((item) => readShape(shape.items, item, () => `an item of ${label()}`, reading));
  return locate(
    node,
    values.filter((value) => value !== undefined),
  );
}

function readMap(shape: MapShape, node: Node, label: Label, reading: Reading): unknown {
  if (node.kind !== 'map') return undefined;
  if (node.entries.length === 0 && !shape.mayBeEmpty) {
    reading.problems.error(`${label()} is an empty map`, node, 'give it an entry, or remove the field');
    return undefined;
  }
  reportDuplicates(node, reading.problems);
  const entries: Entry<unknown>[] = [];
  for (const { key, value } of node.entries) {
    const complaint = checkFormat(shape.names, key.text, key);
    if (complaint) reading.problems.error(complaint.message, key, complaint.hint);
    const inner = readShape(
      shape.values,
      value,
      () => `${show(key.text, key)} in ${label()}`,
      reading,
      flowHint(node, value),
    );
    if (!complaint && inner !== undefined) entries.push({ name: { value: key.text, ...placeOf(key) }, value: inner });
  }
  return locate(node, entries);
}

function locate<T>(node: Node, value: T): Located<T> {
  return { value, file: node.file, span: node.span };
}

/** Inside `{…}` YAML ends a value at a comma, so the rest of some SQL looks like a field without a value. */
function flowHint(map: MapNode, value: Node): string | undefined {
  return map.flow && isEmptyNode(value)
    ? 'inside `{…}` a comma ends a value: put a value that has commas in quotes'
    : undefined;
}

function missingHint(name: string, field: Field): string | undefined {
  if (field.whenMissing !== undefined) return field.whenMissing;
  const [example] = field.examples ?? [];
  return typeof example === 'string' && !example.includes('\n') ? `for example \`${name}: ${example}\`` : undefined;
}

/** A default stands nowhere: its place is the empty one at the start of the map. */
function defaultPlace({ file, span }: MapNode): Place {
  return { file, span: { start: span.start, end: span.start } };
}

/** The first field's name: a frame of a whole map would show nothing more. */
function placeOfMap(node: MapNode): Node {
  return node.entries[0]?.key ?? node;
}
