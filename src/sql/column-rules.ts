// What is known about a query's columns without a server: names twice, the reserved name `q`, none at all; and whether
// key, value and headers name columns that there are (design 3).

import { nearestName } from '../model/nearest.ts';
import { inline, type Report, type SqlBody } from './body.ts';
import type { ColumnUse } from './calls.ts';
import { columnsOf, type NamedColumn, UNNAMED } from './columns.ts';
import { type Place, placeOfItem } from './keywords.ts';
import type { CheckedQuery } from './query.ts';

/** The query's column names, or undefined when a star hides some. */
export function checkQueryColumns(body: SqlBody, query: CheckedQuery, report: Report): readonly string[] | undefined {
  const { columns, complete } = columnsOf(query.select);
  if (columns.length === 0 && complete) {
    report('error', 'the query returns no columns', { start: 0, end: body.text.length }, 'select at least one');
  }
  const seen = new Set<string>();
  for (const column of columns) {
    const place = placeOfColumn(body, query, column);
    const written = inline(body.text.slice(place.start, place.end));
    if (seen.has(column.name)) {
      report(
        'error',
        `two columns of the query are named \`${column.name}\``,
        place,
        'give one of them another name: `… as name`',
      );
    } else if (column.name === 'q') {
      report('error', 'a column named `q` would hide the row itself', place, 'give the column another name');
    } else if (column.name === UNNAMED) {
      report(
        'warning',
        `this column has no name: ${written}`,
        place,
        `without one it is \`${UNNAMED}\`: write \`… as name\``,
      );
    } else if (column.placeholder) {
      const name = body.text.slice(place.start + 1, place.end);
      report('warning', `the column ${written} is named \`${column.name}\``, place, `name it: \`:${name} as ${name}\``);
    }
    seen.add(column.name);
  }
  return complete ? columns.map(({ name }) => name) : undefined;
}

/** Reports columns that the query does not have, as far as its columns are known. */
export function checkColumnUses(
  uses: readonly ColumnUse[],
  columns: readonly string[] | undefined,
  report: Report,
): void {
  for (const { names, ...place } of uses) {
    const [first = '', second] = names;
    if (names.length > 2 || (second !== undefined && first !== 'q')) {
      report(
        'error',
        `there is no table \`${first}\` here`,
        place,
        'columns of the query are named `column` or `q.column`',
      );
      continue;
    }
    const column = second ?? first;
    if (!columns || columns.includes(column) || (second === undefined && first === 'q')) continue;
    const near = nearestName(column, columns);
    const hint =
      near === undefined
        ? `its columns are ${columns.map((name) => `\`${name}\``).join(', ')}`
        : `did you mean \`${near}\`?`;
    report('error', `the query has no column \`${column}\``, place, hint);
  }
}

function placeOfColumn(body: SqlBody, query: CheckedQuery, column: NamedColumn): Place {
  if (column.location === undefined) return { start: 0, end: body.text.length };
  // A placeholder's parameter stands one behind its colon.
  const start = query.toUnit(column.location) - (column.placeholder ? 1 : 0);
  const placeholder = body.placeholders.find((candidate) => candidate.start === start);
  return column.placeholder && placeholder ? placeholder : placeOfItem(body, start);
}
