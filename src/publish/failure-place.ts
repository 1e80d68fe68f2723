// Where in the user's file a failure belongs: Postgres names a position in the text it was sent, people edit YAML.
import type { Failure } from '../model/failure.ts';
import type { SourceFile, Span } from '../model/source.ts';
import type { RenderedSql, SqlPart } from '../sql/job-sql.ts';
import type { WrappedQuery } from '../sql/wrap.ts';

export interface FailurePlace {
  readonly file: SourceFile;
  readonly span: Span;
}

/** The SQL of an attempt as far as it had come: which text the last position can only be in. */
export interface SentSql {
  readonly rendered: RenderedSql;
  /** Set once the wrapped statement is what is sent. */
  readonly wrapped: WrappedQuery | undefined;
  /** Where what we refuse ourselves stands; Postgres gives no position for it. */
  readonly place?: FailurePlace;
}

/** Undefined when the failure has no place, or one in text that is ours. */
export function placeOfFailure(failure: Failure, sent: SentSql | undefined): FailurePlace | undefined {
  if (failure.position === undefined || !sent) return sent?.place;
  const offset = failure.position - 1;
  const at: { part: SqlPart; offset: number } | undefined = sent.wrapped
    ? sent.wrapped.partAt(offset)
    : { part: 'query', offset };
  return at && sent.rendered.locate(at.part, at.offset);
}
