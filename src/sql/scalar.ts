// What key, value, headers and ingest columns may be: one expression that has one value for one row (design 3).
import type { SourceText } from '../model/source.ts';
import { inline, type Report, type SqlBody } from './body.ts';
import { type ColumnUse, checkCalls, type ScalarCall } from './calls.ts';
import { outermost, type Place, placeOfWords } from './keywords.ts';
import { parseBody, reportSyntaxError } from './parse-body.ts';
import { functionsOf, refuseWrites } from './query.ts';
import { field, listOf, nodeOf, type TreeNode } from './tree.ts';

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
}

/** Parses and judges a scalar expression; undefined after at least one error was reported. */
export function checkScalar(body: SqlBody, options: ScalarOptions, report: Report): CheckedScalar | undefined {
  const separator = body.tokens.find(({ kind }) => kind === 'semicolon');
  if (separator) {
    report('error', `${options.subject} is one expression, not statements`, separator, 'remove the `;`');
    return undefined;
  }
  const parsed = parseBody(body);
  if (!parsed.ok) {
    reportSyntaxError(body, parsed, report, hintForSyntax(body, parsed.offset));
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
  const { calls, columns } = checkCalls(body, value, toUnit, options.subject, refuse);
  return fine ? { functions: functionsOf(value), calls, columns } : undefined;
}

/** One target without a name, and no clause after it. */
function checkShape(body: SqlBody, select: TreeNode, options: ScalarOptions, report: Report): boolean {
  const { subject } = options;
  const refuse = (message: string, place: Place, hint: string): false => {
    report('error', message, place, hint);
    return false;
  };
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

function hintForSyntax(body: SqlBody, offset: number): string | undefined {
  const word = body.tokens.find(({ start }) => start === offset)?.text.toLowerCase();
  if (word === 'select' && offset === body.tokens[0]?.start) return SUBSELECT_HINT;
  const last = body.tokens.at(-1)?.text.toLowerCase();
  if (word === 'offset' || (word === undefined && last === 'offset')) return OFFSET_HINT;
  return isCutAtComma(body.source) ? COMMA_HINT : undefined;
}

const COMMA_HINT =
  'YAML ends a value in `[…]` or `{…}` at each comma: quote an expression that has one, `"coalesce(a, b)"`';

/** Whether a comma stands right before or behind a plain scalar: `[coalesce(a, b), c]` is three items. */
function isCutAtComma({ file, span }: SourceText): boolean {
  if (/["']/.test(file.text.charAt(span.start))) return false;
  const before = file.text.slice(Math.max(0, span.start - 200), span.start);
  return /,\s*$/.test(before) || /^\s*,/.test(file.text.slice(span.end, span.end + 200));
}
