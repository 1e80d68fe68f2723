// Jobs for the tests of this folder: SQL in a text that is its own file, so that places read directly.
import type { IngestJob, PublishJob } from '../../src/model/project.ts';
import type { Located, SourceText } from '../../src/model/source.ts';

/** A text whose file starts with `before`, as if it stood there unchanged. */
export function sourceText(value: string, before = ''): SourceText {
  const file = { path: 'jobs/test.yaml', text: `${before}${value}` };
  const span = { start: before.length, end: before.length + value.length };
  return { value, file, span, toFileOffset: (offset) => before.length + offset };
}

function located(value: string): Located<string> {
  const { file, span } = sourceText(value);
  return { value, file, span };
}

const COMMON = {
  name: 'test',
  declared: located('test'),
  timezone: located('UTC'),
  selector: { all: true },
  servers: [],
  timeout: 30_000,
  retries: 5,
} as const;

export interface JobTexts {
  readonly query?: string;
  /** A list is a list key. */
  readonly key?: string | readonly string[];
  readonly value?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A publish job of these texts; the query has columns a, b and c where none is given. */
export function publishJob(texts: JobTexts): PublishJob {
  const { key, value } = texts;
  const list = typeof key === 'object';
  const expressions = list ? key : key === undefined ? [] : [key];
  return {
    ...COMMON,
    kind: 'publish',
    query: sourceText(texts.query ?? 'select a, b, c from t'),
    topic: { name: 'TEST', config: {} },
    ...(key === undefined ? {} : { key: { list, expressions: expressions.map((text) => sourceText(text)) } }),
    ...(value === undefined ? {} : { value: sourceText(value) }),
    headers: Object.entries(texts.headers ?? {}).map(([name, text]) => ({ name, expression: sourceText(text) })),
    nullKey: 'error',
    delay: 0,
    catchupWindow: 3_600_000,
    splay: 0,
    concurrency: 32,
    delivery: 'exactly_once',
  };
}

/** An ingest job that writes these columns into that table. */
export function ingestJob(into: string, columns: Readonly<Record<string, string>>): IngestJob {
  return {
    ...COMMON,
    kind: 'ingest',
    stream: false,
    topic: 'TEST',
    from: 'stored',
    into: located(into),
    columns: Object.entries(columns).map(([name, text]) => ({ name: located(name), expression: sourceText(text) })),
    onError: 'stop',
  };
}

/** Values for a run: one hour's window, a server, a label. */
export const VALUES = {
  slot: Date.UTC(2027, 2, 28, 1),
  windowStart: Date.UTC(2027, 2, 28, 0),
  windowEnd: Date.UTC(2027, 2, 28, 1),
  server: 'shard-1',
  labels: { role: 'shard' },
} as const;
