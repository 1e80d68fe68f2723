// Errors a program can act on: callers branch on `kind` and `retryable`, people read `message` and `hint`.

/**
 * What went wrong with a run, from the point of view of who must act.
 * `retryable` failures leave a slot pending; all others end it (design 5).
 */
export type FailureKind =
  | 'connection' // refused, reset, DNS, server starting or stopping
  | 'timeout' // our own limit on connecting or on the attempt
  | 'contention' // serialization, deadlock, lock timeout, recovery conflict
  | 'resources' // too many connections, out of memory or disk
  | 'authentication'
  | 'tls'
  | 'sql' // syntax, missing table or column, permission, statement timeout
  | 'data' // division by zero, conversion, NULL key
  | 'record' // a record Kafka will not take (too large)
  | 'topic' // missing, forbidden or leaderless topic
  | 'kafka' // Kafka unavailable: downtime, not an outcome
  | 'fenced' // another owner took over
  | 'cancelled' // by stop, Ctrl-C or --fail-fast
  | 'configuration'
  | 'internal';

export interface FailureOptions {
  readonly kind: FailureKind;
  readonly retryable?: boolean;
  /** One sentence that can be followed. */
  readonly hint?: string;
  /** SQLSTATE or Kafka's error name, for `--json` and logs. */
  readonly code?: string;
  readonly cause?: unknown;
  /** 1-based character position in the SQL text that was sent, as Postgres reports it. */
  readonly position?: number;
}

export class Failure extends Error {
  readonly kind: FailureKind;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly code: string | undefined;
  readonly position: number | undefined;

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.kind = options.kind;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
    this.code = options.code;
    this.position = options.position;
  }
}
