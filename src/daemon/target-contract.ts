// What one (job, server) of the daemon is given, what it offers and what it tells. Types only.
import type { Ledger } from '../ledger/types.ts';
import type { Server } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import type { WaitingSlot } from '../status/operations.ts';
import type { Recorded } from '../status/tallies.ts';
import type { Attempts } from './attempt-contract.ts';
import type { Log } from './log.ts';
import type { RunLogs } from './run-log.ts';
import type { ScheduledJob } from './scheduled.ts';

export interface TargetDependencies {
  readonly ledger: Ledger;
  readonly attempts: Attempts;
  readonly log: Log;
  readonly runLogs: RunLogs;
  readonly clock: () => number;
  /** Told of each record once it is committed, for metrics. */
  readonly onRecord: (recorded: Recorded) => void;
}

export interface Target {
  readonly prepared: ScheduledJob;
  readonly server: Server;
  /** All by which its dispatch is late on purpose: `delay` and splay. */
  readonly lateBy: Milliseconds;
  /** Starts what is due, if nothing is under way. Cheap when nothing is. */
  evaluate(): void;
  readonly busy: boolean;
  /** The slot that has failed so far and is tried again: it is recorded once it is settled. */
  readonly waiting: WaitingSlot | undefined;
  /** Nothing new is started. Resolves when nothing is under way any more. */
  stop(): Promise<void>;
  /** Ends what is under way without recording it: its slot stays due. */
  cancel(reason: string): void;
}
