// Which functions an expression calls for each row, and which columns it names: aggregates, window functions and functions
// that return sets have no one value for a row, and are refused where their name or form is known.
import { inline, type Report, type SqlBody } from './body.ts';
import { type Place, placeOfItem } from './keywords.ts';
import { AGGREGATES, RETURNING_SETS, WINDOW_FUNCTIONS } from './known-functions.ts';
import { field, functionName, isSelect, listOf, locationOf, stringsOf, type TreeNode, walkTree } from './tree.ts';

/** A function called for each row itself, not inside a sub-select: it must not be an aggregate or return a set. */
export interface ScalarCall extends Place {
  readonly name: string;
}

/** A column named outside of sub-selects: `a` or `q.a` as its parts; a star is left out. */
export interface ColumnUse extends Place {
  readonly names: readonly string[];
}

/**
 * Finds the functions and columns of an expression that is computed for each row (outside of sub-selects), and reports
 * functions that do not have one value there.
 */
export function checkCalls(
  body: SqlBody,
  value: TreeNode,
  toUnit: (location: number) => number,
  subject: string,
  report: Report,
): { calls: readonly ScalarCall[]; columns: readonly ColumnUse[] } {
  const calls: ScalarCall[] = [];
  const columns: ColumnUse[] = [];
  const shadowed = namesRow(value);
  const top: Depth = { inSelect: false, rowless: true };
  walkTree('val', value, top, (name, node, depth) => {
    if (isSelect(name, node)) return { inSelect: true, rowless: depth.rowless && node.fromClause === undefined };
    const start = toUnit(locationOf(node) ?? 0);
    if (name === 'ColumnRef' && !depth.inSelect) {
      columns.push({ ...placeOfName(body, start), names: stringsOf(listOf(node, 'fields')) });
    }
    const sort = sortOfCall(name, node);
    if (sort && (sort === AGGREGATE ? depth.rowless || (!shadowed && isOverRow(node)) : !depth.inSelect)) {
      const place = placeOfName(body, start);
      const written = inline(body.text.slice(place.start, place.end));
      const message = `${written} is ${sort.article}, but ${subject} is computed for each row by itself`;
      report('error', message, place, sort.hint);
    }
    if (name === 'FuncCall' && !depth.inSelect) calls.push({ ...placeOfName(body, start), name: functionName(node) });
    return depth;
  });
  return { calls, columns };
}

/** An aggregate of nothing but the row's own columns belongs to the outer select, wherever it stands (SQL standard 10.9). */
function isOverRow(call: TreeNode): boolean {
  const tables: (string | undefined)[] = [];
  walkTree('args', call.args, undefined, (name, node) => {
    if (name === 'ColumnRef') tables.push(stringsOf(listOf(node, 'fields')).at(-2));
    return undefined;
  });
  return tables.length > 0 && tables.every((table) => table === 'q');
}

/** Whether a sub-select has a `q` of its own. */
function namesRow(value: TreeNode): boolean {
  let found = false;
  walkTree('val', value, undefined, (_, node) => {
    found ||= node.aliasname === 'q' || node.relname === 'q';
    return undefined;
  });
  return found;
}

interface Sort {
  readonly article: string;
  readonly hint: string;
}

const AGGREGATE: Sort = { article: 'an aggregate', hint: 'compute it in the query and use its column here' };
const WINDOW: Sort = { article: 'a window function', hint: 'compute it in the query and use its column here' };
const SET: Sort = { article: 'a function that returns a set', hint: 'call it in the query, where it may make rows' };

/** What makes a call unfit for one row; undefined when nothing is known against it. */
function sortOfCall(name: string, node: TreeNode): Sort | undefined {
  if (name === 'GroupingFunc') return AGGREGATE;
  if (name === 'JsonArrayAgg' || name === 'JsonObjectAgg') {
    return field(field(node, 'constructor') ?? {}, 'over') ? WINDOW : AGGREGATE;
  }
  if (name !== 'FuncCall') return undefined;
  if (node.over !== undefined) return WINDOW;
  const called = functionName(node).replace(/^pg_catalog\./, '');
  if (AGGREGATES.has(called) || AGGREGATE_FORMS.some((form) => node[form] !== undefined)) return AGGREGATE;
  if (WINDOW_FUNCTIONS.has(called)) return WINDOW;
  return RETURNING_SETS.has(called) ? SET : undefined;
}

/** `f(*)`, `f(distinct a)`, `f(a order by b)`, `f(a) filter (…)`, `f() within group (…)`. */
const AGGREGATE_FORMS = ['agg_star', 'agg_distinct', 'agg_order', 'agg_filter', 'agg_within_group'];

/** A dotted name from its start on. */
function placeOfName(body: SqlBody, start: number): Place {
  let end = start;
  for (const token of body.tokens) {
    if (token.start < start) continue;
    if (end > start && token.start !== end) break;
    if (/^[(,)[\]]/.test(token.text)) break;
    end = token.end;
    if (token.text !== '.' && body.text[end] !== '.') break;
  }
  return end > start ? { start, end } : placeOfItem(body, start);
}

interface Depth {
  readonly inSelect: boolean;
  /** Outside of any select with a `from`: what is aggregated here can only be the rows of the query. */
  readonly rowless: boolean;
}
