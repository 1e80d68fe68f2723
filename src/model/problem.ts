// A problem in what the user wrote, as data. One function (config/frame.ts) prints it; nobody else formats places.
import type { SourceFile, Span } from './source.ts';

export interface Problem {
  readonly severity: 'error' | 'warning';
  /** Lower case, no full stop, names in backticks: "unknown field `schedul`". */
  readonly message: string;
  /** One sentence that can be followed: "did you mean `schedule`?" */
  readonly hint?: string;
  /** Absent only when no file could be read at all. */
  readonly file?: SourceFile;
  readonly span?: Span;
}
