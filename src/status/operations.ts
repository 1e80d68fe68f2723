// What metrics and health need to know of the daemon. Types only; each is asked for when it is used, because the files may be
// read again and the ledger may not have been joined yet.
import type { RunningLedger } from '../ledger/ledger.ts';
import type { Failure } from '../model/failure.ts';
import type { Project } from '../model/project.ts';
import type { JobName, Milliseconds, ServerName, Slot } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { Tallies } from './tallies.ts';

export interface OperationsSource {
  readonly version: string;
  readonly project: () => Project;
  readonly jobs: () => readonly PreparedJob[];
  /** Undefined before it was joined. */
  readonly ledger: () => OperationsLedger | undefined;
  /** Every (job, server) that has slots, of this replica or another. */
  readonly targets: () => readonly WatchedTarget[];
  /** Ingest jobs without slots that this replica reads. */
  readonly streams: () => readonly WatchedStream[];
  /** Whether the last attempt to reach the server failed. */
  readonly isFailing: (server: ServerName) => boolean;
  readonly ingestLags: () => ReadonlyMap<JobName, ReadonlyMap<number, number>>;
  readonly tallies: Tallies;
  /** When the scheduler was woken last, by `performance.now()`; undefined before the first time. */
  readonly lastWake: () => Milliseconds | undefined;
  readonly clock: () => number;
}

export type OperationsLedger = Pick<
  RunningLedger,
  'self' | 'available' | 'owns' | 'last' | 'paused' | 'records' | 'shards' | 'replicas'
>;

export interface WatchedTarget {
  readonly prepared: { readonly job: { readonly name: JobName } };
  readonly server: { readonly name: ServerName };
  /** All by which its dispatch is late on purpose. */
  readonly lateBy: Milliseconds;
  /** A run is under way, or waits to be tried again. */
  readonly busy: boolean;
  /** Its slot has failed so far and is not settled. */
  readonly waiting: WaitingSlot | undefined;
}

export interface WatchedStream {
  readonly job: JobName;
  readonly server: ServerName;
  /** What of it does not go on: a partition, or all. */
  readonly heldUp: readonly HeldUp[];
}

export interface HeldUp {
  /** Epoch milliseconds. */
  readonly since: number;
  readonly failure: Failure;
}

export interface WaitingSlot {
  readonly slot: Slot;
  readonly failure: Failure;
}
