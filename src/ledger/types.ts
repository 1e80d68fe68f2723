// What the daemon asks of a ledger and of a committer. The ledger decides who runs what and remembers what ran;
// a committer makes rows and their record visible together.
import type { EncodedBatch } from '../kafka/record-batch.ts';
import type { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { Bytes, JobName, Milliseconds, ServerName } from '../model/units.ts';

/** The rows of one finished query and what is to be recorded with them, committed together or not at all. */
export interface CommitUnit {
  readonly job: JobName;
  readonly server: ServerName;
  /** Absent for a run without rows (empty, failed, skipped). */
  readonly rows?: { readonly topic: string; readonly batches: readonly EncodedBatch[]; readonly bytes: Bytes };
  /** In order of their slots; the last one becomes the (job, server)'s state, each goes to the history. Empty for `pgtally run`. */
  readonly records: readonly LedgerRecord[];
}

/**
 * How a commit ended.
 * - `committed`: rows and records are visible.
 * - `refused`: nothing is visible, because of this unit alone (its topic, its row); the failure says why.
 * - `unavailable`: nothing of it is known to be visible and nothing may be assumed: Kafka is down or the shard was lost.
 *   With a ledger the state is read back before the slot is due again; without one a lost commit reply stays unknown.
 */
export type CommitResult =
  | { readonly status: 'committed' }
  | { readonly status: 'refused'; readonly failure: Failure }
  | { readonly status: 'unavailable'; readonly failure: Failure; readonly outcomeUnknown: boolean };

export interface Committer {
  /** Never rejects for what happens in Kafka; runs that are ready together share a transaction. */
  commit(unit: CommitUnit): Promise<CommitResult>;
  /** A transaction of its own for a result too large to buffer. Waits until no other stream of the same owner runs. */
  openStream(run: { job: JobName; server: ServerName; topic: string; timeout: Milliseconds }): Promise<RunStream>;
}

export interface RunStream {
  /** Sends full batches; resolves when the broker has them (back-pressure). Rejects with a Failure; then only abort() is left. */
  send(batches: readonly EncodedBatch[]): Promise<void>;
  commit(records: readonly LedgerRecord[]): Promise<CommitResult>;
  abort(): Promise<void>;
}

/** Who runs what and what ran, for one replica. */
export interface Ledger {
  /** Joins; resolves when the state has been read and the first shards are being taken. Rejects with a Failure. */
  start(): Promise<void>;
  /** Called after a shard was taken or released, Kafka went or came back, or a pause changed. */
  onChange(listener: () => void): void;
  /** False while Kafka cannot be reached: nothing may be dispatched. */
  readonly available: boolean;
  /** True when this replica holds the shard of (job, server) with its final state read. */
  owns(job: JobName, server: ServerName): boolean;
  /** The last record of (job, server), whoever owns it. */
  last(job: JobName, server: ServerName): LedgerRecord | undefined;
  paused(job: JobName): { readonly since: string; readonly note?: string } | undefined;
  /** The committer of the shard of (job, server). */
  committer(job: JobName, server: ServerName): Committer;
  /** Asks not to start anything new for shards being handed over; a shard is released when `busy` says it has no run under way. */
  stop(busy: (job: JobName, server: ServerName) => boolean): Promise<void>;
}
