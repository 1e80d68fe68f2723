// Which names in a map are no field's, and which are there twice.
import type { Fields } from './field.ts';
import type { MapEntry, MapNode, Node } from './node.ts';
import { type Problems, show } from './problems.ts';
import { isSecretKey } from './secrets.ts';
import { nearest, suggest } from './suggest.ts';
import { isEmptyNode, type Label } from './words.ts';

/** Fields that would be known if a marker were there, or were not. */
export interface Elsewhere {
  readonly fields: Fields;
  /** Completes "`splay` …". */
  readonly because: string;
}

/** Reports names that are no field's; `inside` names the map where it is a field of another. */
export function reportUnknown(
  fields: Fields,
  node: MapNode,
  problems: Problems,
  inside: Label | undefined,
  elsewhere: Elsewhere | undefined,
): void {
  const unknown = node.entries.filter(({ key }) => !Object.hasOwn(fields, key.text));
  for (const entry of firstFew(unknown, problems)) {
    const { key } = entry;
    const other = elsewhere && Object.hasOwn(elsewhere.fields, key.text) ? elsewhere.fields[key.text] : undefined;
    if (elsewhere && other) {
      const hint = other.required ? 'keep one of the two' : 'remove it';
      problems.error(`${show(key.text, key)} ${elsewhere.because}`, key, hint);
    } else if (isRestOfSecret(node, entry)) {
      const hint = 'inside `{…}` put a password that has a comma in quotes';
      problems.error('YAML takes what follows the comma for a field', key, hint);
    } else {
      const where = inside === undefined ? '' : ` in ${inside()}`;
      problems.error(`unknown field ${show(key.text, key)}${where}`, key, unknownHint(key.text, fields, elsewhere));
    }
  }
}

/** Reports each name that a map has already. */
export function reportDuplicates(node: MapNode, problems: Problems): void {
  const firsts = new Map<string, Node>();
  const repeated: MapEntry[] = [];
  for (const entry of node.entries) {
    if (firsts.has(entry.key.text)) repeated.push(entry);
    else firsts.set(entry.key.text, entry.key);
  }
  for (const { key } of firstFew(repeated, problems)) {
    const line = key.file.text.slice(0, firsts.get(key.text)?.span.start).split('\n').length;
    const hint = `the first one is in line ${line}; keep one of the two`;
    problems.error(`duplicate field ${show(key.text, key)}`, key, hint);
  }
}

/** A file that is something else altogether must not fill the screen. */
const MOST_PROBLEMS = 20;

function firstFew(entries: readonly MapEntry[], problems: Problems): readonly MapEntry[] {
  const next = entries[MOST_PROBLEMS];
  if (next) problems.error(`and ${entries.length - MOST_PROBLEMS} more such names`, next.key);
  return entries.slice(0, MOST_PROBLEMS);
}

/** `{password: a,b}`: the unknown field `b` is half a password, so no message may name it. */
function isRestOfSecret(node: MapNode, entry: MapEntry): boolean {
  const before = node.entries[node.entries.indexOf(entry) - 1];
  return node.flow && before !== undefined && isEmptyNode(entry.value) && isSecretKey(before.key.text);
}

function unknownHint(name: string, fields: Fields, elsewhere: Elsewhere | undefined): string | undefined {
  if (name === '<<') return 'YAML 1.2 has no merge keys: write the fields out';
  const home = Object.entries(fields).find(([, field]) => field.type === 'object' && Object.hasOwn(field.fields, name));
  if (home) return `\`${name}\` belongs under \`${home[0]}\``;
  const best = nearest(name, [...Object.keys(fields), ...Object.keys(elsewhere?.fields ?? {})]);
  return best === undefined ? suggest(name, Object.keys(fields), 'the fields here are') : `did you mean \`${best}\`?`;
}
