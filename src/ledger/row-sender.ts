// Rows of `delivery: at_least_once`: sent by an idempotent producer and visible at once, before what records them.
import type { KafkaClient } from '../kafka/client.ts';
import { type IdempotentProducer, openIdempotentProducer } from '../kafka/producer.ts';
import type { TopicBatches } from '../kafka/written.ts';
import type { GroupCommitter } from './group-commit.ts';
import type { CommitAttempt, Lane } from './lane.ts';
import type { TopicWatch } from './topic-watch.ts';
import { failedAttempt } from './transact.ts';
import type { Committer, RunStream } from './types.ts';

export interface RowSender {
  /** Connects ahead of the first rows. Never rejects: they meet the same and say it where it belongs. */
  warm(topic: string): Promise<void>;
  /** Sends all rows. Rejects with a Failure; then some may be visible. */
  send(rows: readonly TopicBatches[]): Promise<void>;
  close(): Promise<void>;
}

/** One producer for all who send by it, opened when it is first needed and anew after an error. */
export function createRowSender(client: KafkaClient): RowSender {
  let producer: Promise<IdempotentProducer> | undefined;
  const open = (topic: string): Promise<IdempotentProducer> => {
    producer ??= openIdempotentProducer(client, { topic });
    return producer;
  };
  const discard = (failed: Promise<IdempotentProducer>): void => {
    if (producer === failed) producer = undefined;
    void failed.then(
      (opened) => opened.close(),
      () => undefined,
    );
  };
  return {
    async warm(topic) {
      const opening = open(topic);
      await opening.catch(() => discard(opening));
    },
    async send(rows) {
      const [first] = rows;
      if (!first) return;
      const used = open(first.topic);
      try {
        const opened = await used;
        for (const { topic, batches } of rows) await opened.send(topic, batches);
      } catch (error) {
        discard(used);
        throw error;
      }
    },
    async close() {
      const opened = await producer?.catch(() => undefined);
      await opened?.close();
    },
  };
}

/** A lane that sends rows first, by `sender`, and then has `lane` commit what records them. */
export function atLeastOnceLane(lane: Lane, sender: RowSender): Lane {
  const { rehearse: _, ...rest } = lane;
  return {
    ...rest,
    async commit(plan): Promise<CommitAttempt> {
      try {
        await sender.send(plan.rows);
      } catch (error) {
        // Sending them again is what this delivery allows.
        return { ...failedAttempt(error), outcomeUnknown: false };
      }
      return lane.commit({ ...plan, rows: [] });
    },
  };
}

/** A stream whose rows are visible as they are sent: only what records them is committed at its end. */
export async function openVisibleStream(
  run: Parameters<Committer['openStream']>[0],
  sender: RowSender,
  group: GroupCommitter,
  watch: TopicWatch,
): Promise<RunStream> {
  const refusal = (await watch.look([run.topic])).get(run.topic);
  if (refusal) throw refusal;
  const { job, server, backfill } = run;
  return {
    send: (batches) => sender.send([{ topic: run.topic, batches }]),
    commit: (records) => group.commit({ job, server, records, ...(backfill ? { backfill } : {}) }),
    abort: async () => undefined,
  };
}
