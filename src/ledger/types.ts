// What the daemon asks of a ledger and of a committer. The ledger decides who runs what and remembers what ran;
// a committer makes rows and their record visible together.
import type { EncodedBatch } from '../kafka/record-batch.ts';
import type { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { Bytes, JobName, Milliseconds, ServerName } from '../model/units.ts';
import type { BackfillRange } from './record.ts';

/** The rows of one finished query and what is to be recorded with them, committed together or not at all. */
export interface CommitUnit {
  readonly job: JobName;
  readonly server: ServerName;
  /** Absent for a run without rows (empty, failed, skipped). The buffers of its batches are lent until the commit settles. */
  readonly rows?: { readonly topic: string; readonly batches: readonly EncodedBatch[]; readonly bytes: Bytes };
  /** In order of their slots; the last one becomes the (job, server)'s state, each goes to the history. Empty for `pgtally run`. */
  readonly records: readonly LedgerRecord[];
  /** Set for a backfill: the last record becomes the progress of this range, never the (job, server)'s state. */
  readonly backfill?: BackfillRange;
  /** Removes the (job, server)'s state (a tombstone); then there are no rows and no records. */
  readonly forget?: true;
}

/**
 * How a commit ended.
 * - `committed`: rows and records are visible.
 * - `refused`: nothing is visible, because of this unit alone (its topic, its row); the failure says why.
 * - `unavailable`: nothing of it is known to be visible and nothing may be assumed. Its failure's kind says whose reason it is:
 *   `topic` this unit's alone (a partition without a leader: try the slot again later), `fenced` the state has moved on (code
 *   `SUPERSEDED`) or the shard was lost: ask `owns` and `last` again; all others: Kafka is down.
 *   With a ledger the state is read back before the slot is due again; without one a lost commit reply stays unknown.
 */
export type CommitResult =
  | { readonly status: 'committed' }
  | { readonly status: 'refused'; readonly failure: Failure }
  | { readonly status: 'unavailable'; readonly failure: Failure; readonly outcomeUnknown: boolean };

export interface Committer {
  /** Never rejects for what happens in Kafka; runs that are ready together share a transaction. */
  commit(unit: CommitUnit): Promise<CommitResult>;
  /**
   * A transaction of its own for a result too large to buffer. Waits until no other stream of the same owner runs.
   * Rejects with a Failure (`topic`, `kafka`, `fenced`). End every stream with `commit` or `abort`.
   */
  openStream(run: {
    readonly job: JobName;
    readonly server: ServerName;
    readonly topic: string;
    readonly timeout: Milliseconds;
    readonly backfill?: BackfillRange;
  }): Promise<RunStream>;
}

export interface RunStream {
  /** Sends full batches; resolves when the broker has them (back-pressure). Rejects with a Failure; then only abort() is left. */
  send(batches: readonly EncodedBatch[]): Promise<void>;
  /** Makes all that was sent and the records visible. Ends the stream, whatever the result. */
  commit(records: readonly LedgerRecord[]): Promise<CommitResult>;
  /** Ends the stream with nothing visible. Never rejects; may be called after a failure, and again. */
  abort(): Promise<void>;
}

export type Delivery = 'exactly_once' | 'at_least_once';

/** Who runs what and what ran, for one replica. */
export interface Ledger {
  /** Joins; resolves when the state has been read and the first shards are being taken. Rejects with a Failure. */
  start(): Promise<void>;
  /** Called after a shard was taken or released, Kafka went or came back, or a pause changed. Returns what ends it. */
  onChange(listener: () => void): () => void;
  /** False while Kafka cannot be reached: nothing may be dispatched. */
  readonly available: boolean;
  /** True when this replica holds the shard of (job, server) with its final state read. */
  owns(job: JobName, server: ServerName): boolean;
  /**
   * Marks a run of (job, server) as under way; undefined when none may start now: not owned, being handed over, Kafka away,
   * stopping. Call it after deciding by `last` and before the query, in one turn of the event loop, and call its result once
   * when the run has ended, after its commit settled. A shard is not handed over while a run is under way, and what the run
   * commits is refused as superseded if the state was changed by anyone else since.
   */
  begin(job: JobName, server: ServerName): (() => void) | undefined;
  /** The last record of (job, server), whoever owns it. */
  last(job: JobName, server: ServerName): LedgerRecord | undefined;
  paused(job: JobName): { readonly since: string; readonly note?: string } | undefined;
  /** The committer of the shard of (job, server). Default delivery: `exactly_once`. */
  committer(job: JobName, server: ServerName, delivery?: Delivery): Committer;
  /**
   * Nothing new starts; each shard is released as soon as no run that `begin` marked is under way in it, and `busy` (if given;
   * asked for the (job, server)s that `committer` was asked for) knows of none. Resolves when all are, or after a limit.
   */
  stop(busy?: (job: JobName, server: ServerName) => boolean): Promise<void>;
}
