// An ingest job's SQL, checked without a server: the table it writes, its columns, and their expressions over a message
// (design 8). The statement around them is the ingest layer's.

import { nearestName } from '../model/nearest.ts';
import type { Problem } from '../model/problem.ts';
import type { IngestJob } from '../model/project.ts';
import type { Located } from '../model/source.ts';
import { inline, readBody, reporter, type SqlBody } from './body.ts';
import type { ColumnUse } from './calls.ts';
import { type CompiledPart, compilePart, locateInPart, placeInBody, type SourcePlace } from './compiled-part.ts';
import { readName } from './names.ts';
import { type CheckedScalar, checkScalar } from './scalar.ts';
import { quoteName } from './wrap.ts';

/** What a message is to column expressions; `offset` is a word of SQL and has to be quoted. */
export const MESSAGE_COLUMNS = [
  'topic',
  'partition',
  'offset',
  'timestamp',
  'key',
  'value',
  'headers',
  'envelope',
] as const;

export interface CompiledIngestSql {
  /** The table, quoted: `"public"."main"`. */
  readonly into: string;
  /** In the order of the file; names are quoted, expressions are as written, without trailing comments. */
  readonly columns: readonly { readonly name: string; readonly expression: string }[];
  /** All functions that the expressions call by name, sorted. */
  readonly functions: readonly string[];
  /** Functions called for each message: by `pg_proc` they must not be aggregates or return sets. */
  readonly rowCalls: readonly (SourcePlace & { readonly name: string; readonly subject: string })[];
  /** The file's place of the 0-based character `offset` of a column's expression. */
  locate(column: number, offset: number): SourcePlace;
}

/** Checks `into` and `columns`. `compiled` is undefined when there is an error. Needs `loadParser`. */
export function checkIngestSql(job: IngestJob): { problems: Problem[]; compiled: CompiledIngestSql | undefined } {
  const problems: Problem[] = [];
  const into = readTable(job.into, problems);
  const seen = new Set<string>();
  const columns = job.columns.map(({ name, expression }) => {
    const column = readColumnName(name, seen, problems);
    const subject = `column \`${name.value}\``;
    const body = readBody(expression, { subject, placeholders: false, prefix: 'select ' }, problems);
    const options = { subject, severalHint: 'write a column for each' };
    const report = body && reporter(expression, body.start, problems);
    const checked = body && report && checkScalar(body, options, report);
    if (checked && body) checkMessageColumns(checked.columns, body, problems);
    return column !== undefined && body && checked
      ? { column, subject, body, checked, part: compilePart(body) }
      : undefined;
  });
  const read = columns.filter((column) => column !== undefined);
  if (into === undefined || problems.some(({ severity }) => severity === 'error'))
    return { problems, compiled: undefined };
  return { problems, compiled: compile(into, read) };
}

interface ReadColumn {
  readonly column: string;
  readonly subject: string;
  readonly body: SqlBody;
  readonly checked: CheckedScalar;
  readonly part: CompiledPart;
}

function compile(into: readonly string[], columns: readonly ReadColumn[]): CompiledIngestSql {
  return {
    into: into.map(quoteName).join('.'),
    columns: columns.map(({ column, body }) => ({ name: quoteName(column), expression: body.text })),
    functions: [...new Set(columns.flatMap(({ checked }) => checked.functions))].sort(),
    rowCalls: columns.flatMap(({ checked, body, subject }) =>
      checked.calls.map((call) => ({ name: call.name, subject, ...placeInBody(body, call) })),
    ),
    locate(column, offset) {
      const part = columns[column]?.part;
      if (!part) throw new Error(`the job has no column number ${column}`);
      return locateInPart(part, {}, offset);
    },
  };
}

function readTable(into: Located<string>, problems: Problem[]): readonly string[] | undefined {
  const parts = readName(into.value);
  if (parts && parts.length <= 2) return parts;
  problems.push({
    severity: 'error',
    message: `${inline(into.value)} is not the name of a table`,
    hint: parts
      ? 'write `table` or `schema.table`; the database is the server’s'
      : 'write `table` or `schema.table`, in double quotes what is not a plain name',
    file: into.file,
    span: into.span,
  });
  return undefined;
}

function readColumnName(name: Located<string>, seen: Set<string>, problems: Problem[]): string | undefined {
  const parts = readName(name.value);
  const column = parts?.length === 1 ? parts[0] : undefined;
  const refuse = (message: string, hint: string): undefined => {
    problems.push({ severity: 'error', message, hint, file: name.file, span: name.span });
    return undefined;
  };
  if (column === undefined) {
    return refuse(
      `${inline(name.value)} is not the name of a column`,
      'put double quotes around what is not a plain name',
    );
  }
  if (seen.has(column)) return refuse(`column \`${column}\` is given twice`, 'remove one of the two');
  seen.add(column);
  return column;
}

function checkMessageColumns(uses: readonly ColumnUse[], body: SqlBody, problems: Problem[]): void {
  const known: readonly string[] = MESSAGE_COLUMNS;
  const report = reporter(body.source, body.start, problems);
  for (const { names, ...place } of uses) {
    const [column = ''] = names;
    if (names.length === 1 && known.includes(column)) continue;
    const near = nearestName(column, known);
    const all = `a message has ${known.map((name) => `\`${name === 'offset' ? '"offset"' : name}\``).join(', ')}`;
    const hint = near === undefined ? all : `did you mean \`${near === 'offset' ? '"offset"' : near}\`?`;
    report('error', `a message has no column \`${names.join('.')}\``, place, hint);
  }
}
