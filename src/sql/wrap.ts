// The statement that a run sends: the query as `q`, with key, value and headers as text columns over it (design 5.3).

import type { RenderedSql, SqlPart } from './job-sql.ts';
import { pointToUnit, unitToPoint } from './offsets.ts';

export interface WrapOptions {
  /** The key is a list: one JSON array of its expressions' texts, NULL when all are NULL. */
  readonly listKey: boolean;
  /** The query's one column of type json or jsonb, whose text is the value when the job has none. */
  readonly jsonColumn?: string;
  /** At most so many rows. */
  readonly limit?: number;
}

export interface WrappedQuery {
  /** What reads the rows. */
  readonly copy: string;
  /** What can be described: key, value and one column a header, all of type text. */
  readonly select: string;
  /** Which part the 0-based character `position` of `select` belongs to, and where in it; undefined for text of ours. */
  readonly partAt: (position: number) => { part: SqlPart; offset: number } | undefined;
}

/** Wraps the rendered SQL of a run. */
export function wrapQuery(rendered: RenderedSql, options: WrapOptions): WrappedQuery {
  const text = new Text();
  text.add('select ');
  addKey(text, rendered.key, options.listKey);
  text.add(', ');
  if (rendered.value !== undefined) addText(text, rendered.value, 'value');
  else
    text.add(
      options.jsonColumn === undefined ? 'row_to_json(q.*)::text' : `(q.${quoteName(options.jsonColumn)})::text`,
    );
  for (const [header, expression] of rendered.headers.entries()) {
    text.add(', ');
    addText(text, expression, { header });
  }
  text.add(' from (');
  text.addPart(rendered.query, 'query');
  text.add(`\n) q${options.limit === undefined ? '' : ` limit ${Math.trunc(options.limit)}`}`);
  const select = text.sql;
  return { select, copy: `copy (${select}) to stdout (format binary)`, partAt: (position) => partAt(text, position) };
}

/** An identifier in quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text that knows which ranges of it are the user's. */
class Text {
  sql = '';
  readonly ranges: { readonly start: number; readonly end: number; readonly part: SqlPart }[] = [];

  add(sql: string): void {
    this.sql += sql;
  }

  addPart(sql: string, part: SqlPart): void {
    this.ranges.push({ start: this.sql.length, end: this.sql.length + sql.length, part });
    this.sql += sql;
  }
}

/**
 * `array_to_json` prints the compact form, each text escaped as JSON and NULL as null; a text `null` is in quotes, so only
 * a row whose expressions are all NULL looks like the second argument of `nullif`. Each expression is evaluated once.
 */
function addKey(text: Text, expressions: readonly string[] | undefined, list: boolean): void {
  if (expressions === undefined || expressions.length === 0) {
    text.add('null::text');
    return;
  }
  if (list) text.add('nullif(array_to_json(array[');
  for (const [key, expression] of expressions.entries()) {
    if (key > 0) text.add(', ');
    addText(text, expression, { key });
  }
  if (list) text.add(`])::text, '[${expressions.map(() => 'null').join(',')}]')`);
}

function addText(text: Text, expression: string, part: SqlPart): void {
  text.add('(');
  text.addPart(expression, part);
  text.add(')::text');
}

function partAt(text: Text, position: number): { part: SqlPart; offset: number } | undefined {
  const unit = pointToUnit(text.sql, position);
  const range = text.ranges.find(({ start, end }) => start <= unit && unit < end);
  if (!range) return undefined;
  return { part: range.part, offset: unitToPoint(text.sql.slice(range.start, range.end), unit - range.start) };
}
