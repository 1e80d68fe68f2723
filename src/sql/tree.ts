// Walking the parser's trees: JSON in which a node of any type is `{TypeName: fields}` and one of a fixed type its fields.

export type TreeNode = Readonly<Record<string, unknown>>;

/** The fields of a node when it is of that type: `nodeOf(tree, 'SelectStmt')`. */
export function nodeOf(value: unknown, type: string): TreeNode | undefined {
  return isNode(value) ? field(value, type) : undefined;
}

/** An object-valued field. */
export function field(node: TreeNode, name: string): TreeNode | undefined {
  const value = node[name];
  return isNode(value) ? value : undefined;
}

/** A list-valued field; empty when absent. */
export function listOf(node: TreeNode, name: string): readonly unknown[] {
  const value = node[name];
  return Array.isArray(value) ? value : [];
}

/** The texts of a list of `{String: {sval}}`; other elements (stars, subscripts) are left out. */
export function stringsOf(list: readonly unknown[]): string[] {
  return list.flatMap((item) => {
    const text = nodeOf(item, 'String')?.sval;
    return typeof text === 'string' ? [text] : [];
  });
}

/** The byte at which a node stands, when the parser kept it. */
export function locationOf(node: TreeNode): number | undefined {
  const { location } = node;
  // Byte 0 is left out of the JSON; -1 is "unknown".
  if (location === undefined) return 0;
  return typeof location === 'number' && location >= 0 ? location : undefined;
}

/**
 * Calls `visit` for every object in the tree with the name it stands under (a type or a field; list items have their
 * list's), before those inside it, in no order of the text. What it returns is the state for those inside. Without
 * recursion: an expression of 10,000 terms is as deep.
 */
export function walkTree<State>(
  name: string,
  root: unknown,
  state: State,
  visit: (name: string, node: TreeNode, state: State) => State,
): void {
  const names = [name];
  const values = [root];
  const states = [state];
  for (let key = names.pop(); key !== undefined; key = names.pop()) {
    const value = values.pop();
    const outer = states.pop() as State;
    const inner = isNode(value) ? visit(key, value, outer) : outer;
    for (const child in value as object) {
      const part = (value as TreeNode)[child];
      if (typeof part !== 'object' || part === null) continue;
      names.push(Array.isArray(value) ? key : child);
      values.push(part);
      states.push(inner);
    }
  }
}

/** Whether two trees are the same but for where their nodes stand. Without recursion, too. */
export function sameTree(a: unknown, b: unknown): boolean {
  const left = [a];
  const right = [b];
  while (left.length > 0) {
    const one = left.pop();
    const other = right.pop();
    if (!isObject(one) || !isObject(other)) {
      if (one !== other) return false;
      continue;
    }
    for (const key of Object.keys(one)) {
      if (key === 'location') continue;
      left.push(one[key]);
      right.push(other[key]);
    }
    // A field that only the other has.
    for (const key in other) if (key !== 'location' && !(key in one)) return false;
  }
  return true;
}

/** Whether what stands under that name is a select: the two sides of `union` have a fixed type, so they bear no type's name. */
export function isSelect(name: string, node: TreeNode): boolean {
  return name === 'SelectStmt' || ((name === 'larg' || name === 'rarg') && typeof node.limitOption === 'string');
}

/** `count`, `pg_catalog.extract`: the name of a FuncCall's function, schema and all. */
export function functionName(call: TreeNode): string {
  return stringsOf(listOf(call, 'funcname')).join('.');
}

function isNode(value: unknown): value is TreeNode {
  return isObject(value) && !Array.isArray(value);
}

function isObject(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null;
}
