// What the runs of one shard commit by: a group committer and streams for each delivery, over the shard's lane.
import { createGroupCommitter } from './group-commit.ts';
import { atLeastOnceLane, openVisibleStream, type RowSender } from './row-sender.ts';
import type { Shard } from './shard.ts';
import type { ShardStreams } from './shard-streams.ts';
import type { TopicWatch } from './topic-watch.ts';
import type { Committer, Delivery } from './types.ts';

export interface ShardCommitters {
  of(delivery: Delivery): Committer;
  /** Nothing waits and nothing is under way in any of them. */
  readonly idle: boolean;
}

export interface ShardCommitterOptions {
  readonly shard: Shard;
  readonly streams: ShardStreams;
  readonly watch: TopicWatch;
  /** For rows at least once; absent when the shard's own session sends them so. */
  readonly sender: RowSender | undefined;
}

export function createShardCommitters({ shard, streams, watch, sender }: ShardCommitterOptions): ShardCommitters {
  const once = createGroupCommitter(shard.lane, watch);
  const exactly: Committer = { commit: (unit) => once.commit(unit), openStream: (run) => streams.openStream(run) };
  const repeatable = sender && createGroupCommitter(atLeastOnceLane(shard.lane, sender), watch);
  const atLeast: Committer =
    sender && repeatable
      ? {
          commit: (unit) => repeatable.commit(unit),
          openStream: (run) => openVisibleStream(run, sender, repeatable, watch),
        }
      : exactly;
  return {
    of: (delivery) => (delivery === 'exactly_once' ? exactly : atLeast),
    get idle() {
      return once.idle && (repeatable?.idle ?? true) && streams.idle;
    },
  };
}
