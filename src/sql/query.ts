// What a job's query may be: one statement that only reads (design 3). Everything else that the parser takes is refused
// here, at any depth.
import { inline, type Report, type SqlBody } from './body.ts';
import { findWords, type Place, placeOfWords } from './keywords.ts';
import { parseBody, reportSyntaxError } from './parse-body.ts';
import { field, functionName, isSelect, locationOf, nodeOf, type TreeNode, walkTree } from './tree.ts';

export interface CheckedQuery {
  readonly select: TreeNode;
  readonly toUnit: (location: number) => number;
  /** Every function that is called by name, at any depth. */
  readonly functions: readonly string[];
}

/** Parses and judges a query; undefined after at least one error was reported. */
export function checkQuery(body: SqlBody, report: Report): CheckedQuery | undefined {
  const parsed = parseBody(body);
  if (!parsed.ok) {
    reportSyntaxError(body, parsed, report);
    return undefined;
  }
  const separator = body.tokens.find(({ kind }) => kind === 'semicolon');
  if (separator) {
    const several = parsed.statements.length > 1;
    const message = several ? 'the query is more than one statement' : 'the query starts with a `;`';
    report('error', message, separator, several ? 'a job has one query; write a job for each' : 'remove it');
    return undefined;
  }
  const statement = parsed.statements[0];
  const select = nodeOf(statement, 'SelectStmt');
  if (!select) {
    const place = placeOfStatement(body, statement);
    const word = body.text.slice(place.start, place.end).toLowerCase();
    report(
      'error',
      `${inline(word)} is not a query that only reads`,
      place,
      'a query is one `select`, `values`, `table` or `with … select`',
    );
    return undefined;
  }
  let fine = true;
  refuseWrites(body, select, parsed.toUnit, (severity, message, place, hint) => {
    fine = false;
    report(severity, message, place, hint);
  });
  return fine ? { select, toUnit: parsed.toUnit, functions: functionsOf(select) } : undefined;
}

/** Reports what a select (or an expression with selects in it) does beyond reading: writes, `into`, row locks. */
export function refuseWrites(
  body: SqlBody,
  tree: TreeNode,
  toUnit: (location: number) => number,
  report: Report,
): void {
  walkTree('SelectStmt', tree, undefined, (name, node) => {
    const verb = WRITES.get(name);
    if (verb !== undefined) {
      const place = placeBefore(body, verb, field(node, 'relation'), toUnit);
      report('error', `\`${verb}\` changes data: a job only reads`, place, 'take this part out');
    }
    if (!isSelect(name, node)) return undefined;
    if (field(node, 'intoClause')) {
      const place = placeBefore(body, 'into', field(field(node, 'intoClause') ?? {}, 'rel'), toUnit);
      report('error', '`select … into` creates a table: a job only reads', place, 'remove the `into`');
    }
    if (node.lockingClause !== undefined) {
      const place = placeOfLock(body);
      const words = inline(body.text.slice(place.start, place.end).toLowerCase());
      report('error', `${words} locks rows: a job only reads`, place, `remove the ${words}`);
    }
    return undefined;
  });
}

/** The names of all functions called in a tree, sorted, each once. */
export function functionsOf(tree: TreeNode): string[] {
  const names = new Set<string>();
  walkTree('', tree, undefined, (name, node) => {
    if (name === 'FuncCall') names.add(functionName(node));
    return undefined;
  });
  return [...names].sort();
}

const WRITES: ReadonlyMap<string, string> = new Map([
  ['InsertStmt', 'insert'],
  ['UpdateStmt', 'update'],
  ['DeleteStmt', 'delete'],
  ['MergeStmt', 'merge'],
]);

/** The word before the relation it acts on. */
function placeBefore(
  body: SqlBody,
  word: string,
  relation: TreeNode | undefined,
  toUnit: (location: number) => number,
): Place {
  const location = relation && locationOf(relation);
  return placeOfWords(body, [word], location === undefined ? {} : { before: toUnit(location) });
}

/** The clause of a row lock; the first, should there be several. */
function placeOfLock(body: SqlBody): Place {
  for (const words of [
    ['for', 'no', 'key', 'update'],
    ['for', 'key', 'share'],
    ['for', 'update'],
    ['for', 'share'],
  ]) {
    const place = findWords(body, words);
    if (place) return place;
  }
  return { start: 0, end: body.text.length };
}

/** A statement's first word; that of the write, where a `with` stands before it. */
function placeOfStatement(body: SqlBody, statement: TreeNode | undefined): Place {
  const verb = WRITES.get(Object.keys(statement ?? {})[0] ?? '');
  if (verb !== undefined) return placeOfWords(body, [verb], { depth: 0 });
  const first = body.tokens[0];
  return first ? { start: first.start, end: first.end } : { start: 0, end: body.text.length };
}
