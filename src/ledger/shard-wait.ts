// Finished runs that wait for their shard to be taken again, and how long they may.
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { Monotonic } from './membership.ts';
import type { Shard as ShardNumber } from './record.ts';
import type { ShardSession } from './shard-session.ts';

/** After it, runs are given back: their slots stay pending and their rows are read anew when the shard is held again. */
const PATIENCE: Milliseconds = 10_000;

export interface ShardWait {
  join(now: Monotonic): Promise<ShardSession | Failure>;
  settle(result: ShardSession | Failure): void;
  /** Some have waited for longer than they may. */
  overdue(now: Monotonic): boolean;
}

export function createShardWait(): ShardWait {
  let waiting: { readonly since: Monotonic; readonly settle: (result: ShardSession | Failure) => void }[] = [];
  return {
    join: (now) => new Promise((settle) => waiting.push({ since: now, settle })),
    settle(result) {
      const settled = waiting;
      waiting = [];
      for (const { settle } of settled) settle(result);
    },
    overdue: (now) => waiting.some(({ since }) => now - since > PATIENCE),
  };
}

/** Why nothing can be committed in a shard now. */
export function shardLost(shard: ShardNumber, why: string): Failure {
  return new Failure(`shard ${shard} of the ledger is not held: ${why}`, {
    kind: 'fenced',
    retryable: true,
    code: 'SHARD_LOST',
  });
}
