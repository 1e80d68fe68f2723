// The names that a select's columns will have, without a server: Postgres' rules (FigureColname in parse_target.c).
import { PLACEHOLDER_TYPES, PLACEHOLDERS } from './placeholders.ts';
import { field, functionName, listOf, locationOf, nodeOf, stringsOf, type TreeNode } from './tree.ts';

export interface NamedColumn {
  /** `?column?` when nothing names it. */
  readonly name: string;
  /** Where the parser places it; undefined for those of `values`. */
  readonly location: number | undefined;
  /** It is a placeholder and bears the name of its type. */
  readonly placeholder: boolean;
}

export interface SelectColumns {
  readonly columns: readonly NamedColumn[];
  /** False when a star stands among them, whose columns only the server knows. */
  readonly complete: boolean;
}

/** The columns of a select; those of a `union` are its first part's. */
export function columnsOf(select: TreeNode): SelectColumns {
  let first = select;
  for (let left = field(first, 'larg'); left; left = field(first, 'larg')) first = left;
  const rows = listOf(first, 'valuesLists');
  if (rows.length > 0) {
    const count = listOf(nodeOf(rows[0], 'List') ?? {}, 'items').length;
    const columns = Array.from({ length: count }, (_, i) => unplaced(`column${i + 1}`));
    return { columns, complete: true };
  }
  const targets = listOf(first, 'targetList').map((item) => nodeOf(item, 'ResTarget') ?? {});
  const named = targets.filter((target) => !isStar(field(target, 'val')));
  return { columns: named.map(nameTarget), complete: named.length === targets.length };
}

export const UNNAMED = '?column?';

function unplaced(name: string): NamedColumn {
  return { name, location: undefined, placeholder: false };
}

function nameTarget(target: TreeNode): NamedColumn {
  const location = locationOf(target);
  const { name } = target;
  if (typeof name === 'string') return { name, location, placeholder: false };
  const value = field(target, 'val');
  return { name: figure(value).name, location, placeholder: nodeOf(value, 'ParamRef') !== undefined };
}

/** `*`, `t.*`, `(expression).*`. */
function isStar(value: TreeNode | undefined): boolean {
  const parts = [
    ...listOf(nodeOf(value, 'ColumnRef') ?? {}, 'fields'),
    ...listOf(nodeOf(value, 'A_Indirection') ?? {}, 'indirection'),
  ];
  return parts.some((part) => nodeOf(part, 'A_Star') !== undefined);
}

/** A name and how good it is: 2 stands, 1 gives way to a better one, 0 is none. */
interface Figured {
  readonly name: string;
  readonly strength: 0 | 1 | 2;
}

const NOTHING: Figured = { name: UNNAMED, strength: 0 };

function figure(value: unknown): Figured {
  if (typeof value !== 'object' || value === null) return NOTHING;
  const type = Object.keys(value)[0] ?? '';
  const node = nodeOf(value, type) ?? {};
  const fixed = FIXED_NAMES[type];
  if (fixed !== undefined) return strong(fixed);
  switch (type) {
    case 'ColumnRef':
      return strong(stringsOf(listOf(node, 'fields')).at(-1));
    case 'A_Indirection': {
      const last = stringsOf(listOf(node, 'indirection')).at(-1);
      return last === undefined ? figure(node.arg) : strong(last);
    }
    case 'FuncCall':
      return strong(functionName(node).split('.').at(-1));
    case 'A_Expr':
      return node.kind === 'AEXPR_NULLIF' ? strong('nullif') : NOTHING;
    case 'CollateClause':
      return figure(node.arg);
    case 'TypeCast':
      return stronger(figure(node.arg), stringsOf(listOf(field(node, 'typeName') ?? {}, 'names')).at(-1));
    case 'CaseExpr':
      return stronger(figure(node.defresult), 'case');
    case 'ParamRef':
      return { name: PLACEHOLDER_TYPES[PLACEHOLDERS[Number(node.number) - 1] ?? 'slot'], strength: 1 };
    case 'SubLink':
      return figureSublink(node);
    case 'MinMaxExpr':
      return strong(node.op === 'IS_LEAST' ? 'least' : 'greatest');
    case 'SQLValueFunction':
      // `SVFOP_CURRENT_TIME_N` is `current_time(3)`.
      return strong(String(node.op).replace('SVFOP_', '').replace(/_N$/, '').toLowerCase());
    case 'XmlExpr':
      return node.op === 'IS_DOCUMENT' ? NOTHING : strong(String(node.op).replace('IS_', '').toLowerCase());
    case 'JsonFuncExpr':
      return strong(String(node.op).replace('_OP', '').toLowerCase());
    default:
      return NOTHING;
  }
}

const FIXED_NAMES: Readonly<Record<string, string>> = {
  GroupingFunc: 'grouping',
  A_ArrayExpr: 'array',
  RowExpr: 'row',
  CoalesceExpr: 'coalesce',
  XmlSerialize: 'xmlserialize',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
};

function strong(name: string | undefined): Figured {
  return name === undefined ? NOTHING : { name, strength: 2 };
}

function stronger(inner: Figured, fallback: string | undefined): Figured {
  return inner.strength === 2 || fallback === undefined ? inner : { name: fallback, strength: 1 };
}

function figureSublink(node: TreeNode): Figured {
  if (node.subLinkType === 'EXISTS_SUBLINK') return strong('exists');
  if (node.subLinkType === 'ARRAY_SUBLINK') return strong('array');
  const select = nodeOf(node.subselect, 'SelectStmt');
  if (node.subLinkType !== 'EXPR_SUBLINK' || !select) return NOTHING;
  return strong(columnsOf(select).columns[0]?.name);
}
