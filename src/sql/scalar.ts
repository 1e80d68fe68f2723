// What key, value, headers and ingest columns may be: one expression that has one value for one row (design 3).
import { inline, type Report, type SqlBody } from './body.ts';
import { outermost, type Place, placeOfItem, placeOfWords } from './keywords.ts';
import { AGGREGATES, RETURNING_SETS, WINDOW_FUNCTIONS } from './known-functions.ts';
import { parseBody, reportSyntaxError } from './parse-body.ts';
import { functionsOf, refuseWrites } from './query.ts';
import {
  field,
  functionName,
  isSelect,
  listOf,
  locationOf,
  nodeOf,
  stringsOf,
  type TreeNode,
  walkTree,
} from './tree.ts';

/** A function called for each row itself, not inside a sub-select: it must not be an aggregate or return a set. */
export interface ScalarCall extends Place {
  readonly name: string;
}

/** A column named outside of sub-selects: `a` or `q.a` as its parts; a star is left out. */
export interface ColumnUse extends Place {
  readonly names: readonly string[];
}

export interface CheckedScalar {
  readonly functions: readonly string[];
  readonly calls: readonly ScalarCall[];
  readonly columns: readonly ColumnUse[];
}

export interface ScalarOptions {
  /** `the key`, ``header `x` ``. */
  readonly subject: string;
  /** What to write in place of `a, b`. */
  readonly severalHint: string;
  /** What to do about a syntax error that no other hint fits. */
  readonly syntaxHint?: string;
}

/** Parses and judges a scalar expression; undefined after at least one error was reported. */
export function checkScalar(body: SqlBody, options: ScalarOptions, report: Report): CheckedScalar | undefined {
  const parsed = parseBody(body);
  if (!parsed.ok) {
    reportSyntaxError(body, parsed, report, hintForSyntax(body, parsed.offset) ?? options.syntaxHint);
    return undefined;
  }
  const { toUnit } = parsed;
  let fine = true;
  const refuse: Report = (severity, message, place, hint) => {
    fine = false;
    report(severity, message, place, hint);
  };
  const select = nodeOf(parsed.statements[0], 'SelectStmt');
  if (!select || !checkShape(body, select, options, refuse)) return undefined;
  const target = nodeOf(listOf(select, 'targetList')[0], 'ResTarget');
  const value = target && field(target, 'val');
  if (!value) return undefined;
  refuseWrites(body, value, toUnit, refuse);
  const { calls, columns } = checkCalls(body, value, toUnit, options, refuse);
  return fine ? { functions: functionsOf(value), calls, columns } : undefined;
}

/** One target without a name, and no clause after it. */
function checkShape(body: SqlBody, select: TreeNode, options: ScalarOptions, report: Report): boolean {
  const { subject } = options;
  const refuse = (message: string, place: Place, hint: string): false => {
    report('error', message, place, hint);
    return false;
  };
  const separator = body.tokens.find(({ kind }) => kind === 'semicolon');
  if (separator)
    return refuse(`${subject} is one expression, not statements`, separator, 'remove the `;` and what follows');
  const first = body.tokens[0];
  if (first && /^(all|distinct)$/i.test(first.text)) {
    return refuse(`${subject} is an expression: ${inline(first.text)} belongs to a \`select\``, first, 'remove it');
  }
  for (const [clause, words] of Object.entries(CLAUSES)) {
    if (!hasClause(select, clause)) continue;
    const place = placeOfWords(body, words, { depth: 0 });
    const written = inline(body.text.slice(place.start, place.end).toLowerCase());
    const hint = clause === 'limitOffset' ? OFFSET_HINT : SUBSELECT_HINT;
    return refuse(`${subject} is one expression, without ${written}`, place, hint);
  }
  const targets = listOf(select, 'targetList');
  if (targets.length > 1) {
    const comma = outermost(body.tokens).find(({ text }) => text === ',');
    return refuse(`${subject} is one expression, not ${targets.length}`, comma ?? whole(body), options.severalHint);
  }
  const target = nodeOf(targets[0], 'ResTarget') ?? {};
  const value = field(target, 'val') ?? {};
  if (target.name !== undefined) {
    const { start, end } = placeOfAlias(body);
    return refuse(
      `${subject} is an expression without a name of its own`,
      { start, end },
      `remove ${inline(body.text.slice(start, end))}`,
    );
  }
  const reference = nodeOf(value, 'ColumnRef');
  if (reference && listOf(reference, 'fields').some((part) => nodeOf(part, 'A_Star'))) {
    return refuse(
      `${subject} is one value, not all columns`,
      whole(body),
      'the whole row as JSON is `row_to_json(q.*)`',
    );
  }
  if (nodeOf(value, 'SetToDefault'))
    return refuse('`default` is no expression here', whole(body), 'write the value itself');
  return true;
}

const OFFSET_HINT = 'the name of a column that is a word of SQL is written in quotes: `"offset"`';
const SUBSELECT_HINT = 'a sub-select stands in parentheses: `(select … from …)`';

/** Fields of a select that an expression does not have, and the words that bring them. */
const CLAUSES: Readonly<Record<string, readonly string[]>> = {
  op: ['union|intersect|except'],
  intoClause: ['into'],
  fromClause: ['from'],
  whereClause: ['where'],
  groupClause: ['group', 'by'],
  havingClause: ['having'],
  windowClause: ['window'],
  sortClause: ['order', 'by'],
  limitOffset: ['offset'],
  limitCount: ['limit|fetch'],
  lockingClause: ['for'],
};

function hasClause(select: TreeNode, clause: string): boolean {
  return clause === 'op' ? select.op !== 'SETOP_NONE' : select[clause] !== undefined;
}

/** The name at the end, with its `as`. */
function placeOfAlias(body: SqlBody): Place {
  const last = body.tokens.at(-1) ?? whole(body);
  const before = body.tokens.at(-2);
  return { start: before && /^as$/i.test(before.text) ? before.start : last.start, end: last.end };
}

function whole(body: SqlBody): Place {
  return { start: 0, end: body.text.length };
}

interface Depth {
  readonly inSelect: boolean;
  /** Inside a select without `from`: what it aggregates can only be the rows of the query. */
  readonly rowless: boolean;
}

function checkCalls(
  body: SqlBody,
  value: TreeNode,
  toUnit: (location: number) => number,
  options: ScalarOptions,
  report: Report,
): Pick<CheckedScalar, 'calls' | 'columns'> {
  const calls: ScalarCall[] = [];
  const columns: ColumnUse[] = [];
  const top: Depth = { inSelect: false, rowless: true };
  walkTree('val', value, top, (name, node, depth) => {
    if (isSelect(name, node)) return { inSelect: true, rowless: depth.rowless && node.fromClause === undefined };
    const start = toUnit(locationOf(node) ?? 0);
    if (name === 'ColumnRef' && !depth.inSelect) {
      const names = stringsOf(listOf(node, 'fields'));
      columns.push({ ...placeOfName(body, start), names });
    }
    const sort = sortOfCall(name, node);
    if (sort && (sort.set ? !depth.inSelect : depth.rowless)) {
      const place = placeOfName(body, start);
      const written = inline(body.text.slice(place.start, place.end));
      report(
        'error',
        `${written} is ${sort.article}, but ${options.subject} is computed for each row by itself`,
        place,
        sort.hint,
      );
    }
    if (name === 'FuncCall' && !depth.inSelect) calls.push({ ...placeOfName(body, start), name: functionName(node) });
    return depth;
  });
  return { calls, columns };
}

interface Sort {
  readonly article: string;
  readonly hint: string;
  readonly set?: true;
}

const AGGREGATE: Sort = { article: 'an aggregate', hint: 'compute it in the query and use its column here' };
const WINDOW: Sort = { article: 'a window function', hint: 'compute it in the query and use its column here' };
const SET: Sort = {
  article: 'a function that returns a set',
  hint: 'call it in the query, where it may make rows',
  set: true,
};

/** What makes a call unfit for one row; undefined when nothing is known against it. */
function sortOfCall(name: string, node: TreeNode): Sort | undefined {
  if (name === 'GroupingFunc') return AGGREGATE;
  if (name === 'JsonArrayAgg' || name === 'JsonObjectAgg') {
    return field(field(node, 'constructor') ?? {}, 'over') ? WINDOW : AGGREGATE;
  }
  if (name !== 'FuncCall') return undefined;
  if (node.over !== undefined) return WINDOW;
  const aggregates = ['agg_star', 'agg_distinct', 'agg_order', 'agg_filter', 'agg_within_group'];
  if (aggregates.some((flag) => node[flag] !== undefined)) return AGGREGATE;
  const called = functionName(node).replace(/^pg_catalog\./, '');
  if (AGGREGATES.has(called)) return AGGREGATE;
  if (WINDOW_FUNCTIONS.has(called)) return WINDOW;
  return RETURNING_SETS.has(called) ? SET : undefined;
}

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

function hintForSyntax(body: SqlBody, offset: number): string | undefined {
  const word = body.tokens.find(({ start }) => start === offset)?.text.toLowerCase();
  if (word === 'select' && offset === body.tokens[0]?.start) return SUBSELECT_HINT;
  const last = body.tokens.at(-1)?.text.toLowerCase();
  if (word === 'offset' || (word === undefined && last === 'offset')) return OFFSET_HINT;
  return undefined;
}
