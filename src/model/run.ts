// What a run is and how it ended: the words that publish, ledger, daemon and the command line share. Types only.
import type { Trigger } from './project.ts';
import type { Bytes, JobName, ServerName, Slot } from './units.ts';

/** How a slot of a (job, server) ended. Every slot ends in exactly one of these (design 5). */
export type Outcome = 'published' | 'empty' | 'failed' | 'skipped' | 'registered';
export type SkipReason = 'overlap' | 'missed' | 'paused' | 'stopped';

/** Identity of a run: what is published and recorded once. */
export interface RunId {
  readonly job: JobName;
  readonly server: ServerName;
  readonly slot: Slot;
}

export interface RecordedError {
  readonly kind: string;
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
}

/**
 * The ledger's record, public (design 7): key `job/server`, this as JSON value. Instants are RFC 3339 in UTC.
 * `skipped` runs of consecutive slots are one record: `slot` is the last of them, `since` the first, `slots` their number.
 */
export interface LedgerRecord {
  readonly slot: string;
  readonly outcome: Outcome;
  readonly rows: number;
  readonly bytes: Bytes;
  readonly run: string;
  readonly trigger: Trigger;
  readonly started: string;
  readonly finished: string;
  /** Hash of schedule and time zone; a different one registers the job anew. */
  readonly schedule: string;
  readonly reason?: SkipReason;
  readonly since?: string;
  readonly slots?: number;
  readonly attempts?: number;
  readonly error?: RecordedError;
  /** How many slots in a row have failed, this one included; carried over by skips. Absent when none. */
  readonly failures?: number;
  /** Why the last of `failures` failed, in records that are not of that failure: a slot skipped after it. */
  readonly failure?: RecordedError;
  /** When the last run that succeeded was finished, in records of any other outcome. Absent when none has. */
  readonly succeeded?: string;
}
