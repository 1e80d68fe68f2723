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
 * list's), before those inside it. What it returns is the state for those inside. Without recursion: an expression of
 * 10,000 terms is as deep.
 */
export function walkTree<State>(
  name: string,
  root: unknown,
  state: State,
  visit: (name: string, node: TreeNode, state: State) => State,
): void {
  const stack: [string, unknown, State][] = [[name, root, state]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [key, value, outer] = next;
    if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i--) stack.push([key, value[i], outer]);
    } else if (isNode(value)) {
      const inner = visit(key, value, outer);
      for (const child of Object.keys(value).reverse()) stack.push([child, value[child], inner]);
    }
  }
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
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
