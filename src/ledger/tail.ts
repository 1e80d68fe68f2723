// Every replica's view of the whole ledger: all partitions of its topic, read without a group and folded into the state.
import type { KafkaClient } from '../kafka/client.ts';
import { openReader, type TopicReader } from '../kafka/reader.ts';
import type { Milliseconds } from '../model/units.ts';
import type { LedgerLog } from './log.ts';
import type { Monotonic } from './membership.ts';
import type { Shard } from './record.ts';
import type { LedgerState } from './state.ts';
import { asFailure } from './transact.ts';

export interface Tail {
  /** The shard's partition was read to its last stable offset by a fetch begun at or after `since`. */
  fresh(shard: Shard, since: Monotonic): boolean;
  stop(): Promise<void>;
}

export interface TailOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly shards: readonly Shard[];
  readonly state: LedgerState;
  /** Reading broke off for good and begins anew from the beginning: nothing of the state holds until `fresh` says so. */
  readonly onRestart: () => void;
  readonly log: LedgerLog;
}

/** An idle ledger is asked once in this time. So long may it take to find that nothing is new, after a shard was lost. */
const MAX_WAIT: Milliseconds = 1000;
const RESTART_AFTER: Milliseconds = 1000;

/** Connects and begins to read. Rejects with a Failure when the topic cannot be read; later troubles are gone on from. */
export async function startTail(options: TailOptions): Promise<Tail> {
  const { state, log } = options;
  let reader: TopicReader | undefined;
  let stopped = false;
  let restarting: Promise<void> = Promise.resolve();

  const open = async (): Promise<void> => {
    const opened = await openReader(options.client, {
      topic: options.topic,
      partitions: options.shards,
      from: 'beginning',
      maxWait: MAX_WAIT,
      partitionBytes: 2 * 1024 * 1024,
      onRecords({ partition, records }) {
        for (const { key, value, offset } of records) {
          try {
            if (key) state.fold(partition, { key: key.toString(), value: value?.toString() ?? null });
          } catch (error) {
            log('warn', 'a record of the ledger cannot be read', {
              shard: partition,
              offset,
              error: asFailure(error).message,
            });
          }
        }
      },
      onInterrupted: (failure) => log('debug', 'cannot read the ledger', { error: failure.message }),
    });
    reader = opened;
    opened.done.catch((error: unknown) => {
      if (!stopped) restarting = restart(error);
    });
  };

  /** The log was cut (an unclean election) or the topic deleted: what was read is no longer what is there. */
  const restart = async (cause: unknown): Promise<void> => {
    reader = undefined;
    log('error', 'the ledger broke off: it is read again from its beginning', { error: asFailure(cause).message });
    state.clear();
    options.onRestart();
    await new Promise((resolve) => setTimeout(resolve, RESTART_AFTER));
    if (stopped) return;
    try {
      await open();
    } catch (error) {
      restarting = restart(error);
    }
  };

  await open();
  return {
    fresh: (shard, since) => reader?.fresh(shard, since) ?? false,
    async stop() {
      stopped = true;
      await reader?.stop();
      await restarting;
      await reader?.stop();
    },
  };
}
