// What preparing a job on one of its servers found out, for jobs of both kinds. Types only; who prepares is publish/ and ingest/.
import type { Failure } from '../model/failure.ts';
import type { Problem } from '../model/problem.ts';
import type { SourceFile, Span } from '../model/source.ts';

export interface TypedColumn {
  readonly name: string;
  /** As Postgres prints it: `timestamp with time zone`. */
  readonly type: string;
}

export interface JobCheck {
  /** The columns of a publish job's query; none for an ingest job, or when it could not be prepared. */
  readonly columns: readonly TypedColumn[];
  /** What runs would fail with. */
  readonly failure?: Failure;
  /** Where in the job's file the failure belongs, if that is known. */
  readonly place?: { readonly file: SourceFile; readonly span: Span };
  /** What is not right, but fails no run by itself; its message names neither job nor server. */
  readonly warnings: readonly Pick<Problem, 'message' | 'hint'>[];
}
