// What a query's columns must be like before it is wrapped (design 3): known for sure only after the server described it.
import { Failure } from '../model/failure.ts';
import type { PublishJob } from '../model/project.ts';
import type { Column } from '../postgres/connection.ts';

const JSON_OID = 114;
const JSONB_OID = 3802;

/**
 * Refuses two columns of one name and a column named `q` (the row's own name in key, value and headers).
 * @returns the name of the query's one and only column when it is json or jsonb: its text then is the value as it is.
 */
export function checkColumns(job: PublishJob, columns: readonly Column[]): { readonly jsonColumn: string | undefined } {
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (name === 'q') {
      throw new Failure('the query has a column named `q`, which is the name of the row itself', {
        kind: 'sql',
        hint: 'give the column another name: `… as name`',
      });
    }
    if (seen.has(name)) {
      throw new Failure(`the query has two columns named \`${name}\``, {
        kind: 'sql',
        hint: 'name one of them: `… as name`',
      });
    }
    seen.add(name);
  }
  if (columns.length === 0) {
    throw new Failure('the query returns no columns', { kind: 'sql', hint: 'select at least one column' });
  }
  const only = columns.length === 1 ? columns[0] : undefined;
  const isJson = only?.typeOid === JSON_OID || only?.typeOid === JSONB_OID;
  return { jsonColumn: job.value === undefined && isJson ? only?.name : undefined };
}
