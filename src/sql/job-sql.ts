// A publish job's SQL, checked without a server and compiled: what is wrong with it at the file's own places, and a
// function that renders it for a run. How the rendered parts become one statement is in wrap.ts.
import type { Problem } from '../model/problem.ts';
import type { PublishJob } from '../model/project.ts';
import type { SourceText } from '../model/source.ts';
import { readBody, reporter, type SqlBody } from './body.ts';
import { checkColumnUses, checkQueryColumns } from './column-rules.ts';
import {
  type CompiledPart,
  compilePart,
  type Literals,
  locateInPart,
  placeInBody,
  renderLiterals,
  renderPart,
  type SourcePlace,
} from './compiled-part.ts';
import type { PlaceholderName, PlaceholderValues } from './placeholders.ts';
import { type CheckedQuery, checkQuery } from './query.ts';
import { type CheckedScalar, checkScalar, type ScalarOptions } from './scalar.ts';

export type { SourcePlace } from './compiled-part.ts';
export type { PlaceholderValues } from './placeholders.ts';

/** Which text of a job: `key` and `header` count from 0 in the order of the file. */
export type SqlPart = 'query' | 'value' | { readonly key: number } | { readonly header: number };

export interface RenderedSql {
  readonly query: string;
  /** One text for each expression of the key; absent without a key. */
  readonly key?: readonly string[];
  readonly value?: string;
  /** In the order of the job's headers. */
  readonly headers: readonly string[];
  /** The file's place of the 0-based character `offset` of a rendered part. */
  locate(part: SqlPart, offset: number): SourcePlace;
}

/** A function that key, value or a header calls for each row: by `pg_proc` it must not be an aggregate or return a set. */
export interface RowCall extends SourcePlace {
  /** `name` or `schema.name`, as Postgres folds it. */
  readonly name: string;
  /** `the key`, ``header `x` ``. */
  readonly subject: string;
}

export interface CompiledSql {
  /** Any part uses `:window_start` or `:window_end`: an interval job (design 1). */
  readonly usesWindow: boolean;
  /** The query's column names; absent when it has a star. */
  readonly columns?: readonly string[];
  /** All functions that any part calls by name, sorted, for a look-up of volatile ones. */
  readonly functions: readonly string[];
  readonly rowCalls: readonly RowCall[];
  /** The SQL of one run. Fails for a label or server name with U+0000. */
  render(values: PlaceholderValues): RenderedSql;
}

/** Checks a job's query, key, value and headers. `compiled` is undefined when there is an error. Needs `loadParser`. */
export function checkJobSql(job: PublishJob): { problems: Problem[]; compiled: CompiledSql | undefined } {
  const problems: Problem[] = [];
  const query = readQuery(job.query, problems);
  const key = job.key?.expressions.map((expression, i) => {
    const { list, expressions } = job.key ?? { list: false, expressions: [] };
    return readScalar(expression, keyOptions(list, expressions.length, i), problems);
  });
  const value = job.value && readScalar(job.value, VALUE, problems);
  const headers = job.headers.map(({ name, expression }) => readScalar(expression, headerOptions(name), problems));
  const scalars = [...(key ?? []), value, ...headers].filter((scalar) => scalar !== undefined);
  if (query) {
    for (const scalar of scalars) {
      checkColumnUses(scalar.checked.columns, query.columns, reporter(scalar.body.source, scalar.body.start, problems));
    }
  }
  if (!query || problems.some(({ severity }) => severity === 'error')) return { problems, compiled: undefined };
  const parts: JobParts = {
    query: compilePart(query.body),
    key: key?.flatMap((scalar) => (scalar ? [compilePart(scalar.body)] : [])),
    value: value && compilePart(value.body),
    headers: headers.flatMap((scalar) => (scalar ? [compilePart(scalar.body)] : [])),
  };
  const names = new Set(allParts(parts).flatMap((part) => part.names));
  const functions = [query.checked.functions, ...scalars.map(({ checked }) => checked.functions)].flat();
  const compiled: CompiledSql = {
    usesWindow: names.has('window_start') || names.has('window_end'),
    ...(query.columns === undefined ? {} : { columns: query.columns }),
    functions: [...new Set(functions)].sort(),
    rowCalls: scalars.flatMap(({ checked, body, subject }) =>
      checked.calls.map((call) => ({ name: call.name, subject, ...placeInBody(body, call) })),
    ),
    render: renderer(parts, names),
  };
  return { problems, compiled };
}

interface JobParts {
  readonly query: CompiledPart;
  readonly key: readonly CompiledPart[] | undefined;
  readonly value: CompiledPart | undefined;
  readonly headers: readonly CompiledPart[];
}

interface ReadQuery {
  readonly body: SqlBody;
  readonly checked: CheckedQuery;
  readonly columns: readonly string[] | undefined;
}

interface ReadScalar {
  readonly body: SqlBody;
  readonly checked: CheckedScalar;
  readonly subject: string;
}

function readQuery(source: SourceText, problems: Problem[]): ReadQuery | undefined {
  const body = readBody(source, { subject: 'the query', placeholders: true, prefix: '' }, problems);
  if (!body) return undefined;
  const report = reporter(source, body.start, problems);
  const checked = checkQuery(body, report);
  return checked && { body, checked, columns: checkQueryColumns(body, checked, report) };
}

function readScalar(source: SourceText, options: ScalarOptions, problems: Problem[]): ReadScalar | undefined {
  const { subject } = options;
  const body = readBody(source, { subject, placeholders: true, prefix: 'select ' }, problems);
  const checked = body && checkScalar(body, options, reporter(source, body.start, problems));
  return body && checked && { body, checked, subject };
}

function keyOptions(list: boolean, count: number, index: number): ScalarOptions {
  if (!list) return { subject: 'the key', severalHint: 'a key of several parts is a list: `key: [a, b]`' };
  return {
    subject: count === 1 ? 'the key' : `part ${index + 1} of the key`,
    severalHint: 'write each expression as an item of its own',
  };
}

const VALUE: ScalarOptions = {
  subject: 'the value',
  severalHint: 'several columns as one value: `json_build_array(a, b)`, or leave `value` out for the whole row',
};

function headerOptions(name: string): ScalarOptions {
  return { subject: `header \`${name}\``, severalHint: 'write a header for each' };
}

function allParts({ query, key, value, headers }: JobParts): CompiledPart[] {
  return [query, ...(key ?? []), ...(value ? [value] : []), ...headers];
}

/** Without placeholders every run has the same SQL, so it is rendered once. */
function renderer(parts: JobParts, names: ReadonlySet<PlaceholderName>): (values: PlaceholderValues) => RenderedSql {
  if (names.size > 0) return (values) => render(parts, renderLiterals(names, values));
  const rendered = render(parts, {});
  return () => rendered;
}

function render(parts: JobParts, literals: Literals): RenderedSql {
  const { query, key, value, headers } = parts;
  return {
    query: renderPart(query, literals),
    ...(key ? { key: key.map((part) => renderPart(part, literals)) } : {}),
    ...(value ? { value: renderPart(value, literals) } : {}),
    headers: headers.map((part) => renderPart(part, literals)),
    locate: (part, offset) => locateInPart(choosePart(parts, part), literals, offset),
  };
}

function choosePart(parts: JobParts, part: SqlPart): CompiledPart {
  const chosen =
    part === 'query'
      ? parts.query
      : part === 'value'
        ? parts.value
        : 'key' in part
          ? parts.key?.[part.key]
          : parts.headers[part.header];
  if (!chosen) throw new Error(`the job has no SQL at ${JSON.stringify(part)}`);
  return chosen;
}
