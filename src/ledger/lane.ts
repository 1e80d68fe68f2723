// What group commit needs of whoever owns a producer: a shard, an ad-hoc command, an idempotent producer. Types only.
import type { TopicBatches } from '../kafka/written.ts';
import type { Failure } from '../model/failure.ts';
import type { CommitPlan, PreparedUnit, RecordTopics } from './commit-plan.ts';

/** How one attempt at a transaction ended; after `failed` the lane has discarded its producer. */
export type CommitAttempt =
  | { readonly status: 'committed' }
  /** `outcomeUnknown`: the commit may have happened. Otherwise nothing is visible, now or later. */
  | { readonly status: 'failed'; readonly failure: Failure; readonly outcomeUnknown: boolean };

/** Whether a unit may still be committed, by the state as it was last read. */
export type Verdict =
  | { readonly status: 'open' }
  /** Its record is the state: an attempt of unknown outcome had committed. */
  | { readonly status: 'committed' }
  | { readonly status: 'superseded'; readonly failure: Failure };

/** The state's text that a unit was decided by; undefined = there was none. */
export type Basis = string | null | undefined;

export interface Lane {
  /** Where records go; undefined when nothing is recorded, and so nothing can be looked up after a lost reply. */
  readonly records: RecordTopics | undefined;
  /** Resolves with undefined when a commit may be tried, with a Failure when that is given up for now. */
  ready(): Promise<Failure | undefined>;
  commit(plan: CommitPlan): Promise<CommitAttempt>;
  /** The state under a key, to compare with later. */
  basis(stateKey: string): Basis;
  judge(unit: PreparedUnit, basis: Basis): Verdict;
  /** Told of every unit that was committed, before its run hears of it. */
  committed(units: readonly PreparedUnit[]): void;
  /**
   * Sends rows in a transaction that is aborted, by a producer whose failure costs nobody anything.
   * Resolves with the Failure it met, if any. Without it (no transactions) what is suspect is committed alone.
   */
  readonly rehearse?: (rows: readonly TopicBatches[]) => Promise<Failure | undefined>;
}
