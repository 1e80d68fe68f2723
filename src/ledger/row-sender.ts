// Rows of `delivery: at_least_once`: sent by an idempotent producer and visible at once, before what records them.
import type { KafkaClient } from '../kafka/client.ts';
import { type IdempotentProducer, openIdempotentProducer } from '../kafka/producer.ts';
import type { TopicBatches } from '../kafka/written.ts';
import type { CommitAttempt, Lane } from './lane.ts';
import { failedAttempt } from './transact.ts';

export interface RowSender {
  /** Sends all rows. Rejects with a Failure; then some may be visible. */
  send(rows: readonly TopicBatches[]): Promise<void>;
  close(): Promise<void>;
}

/** One producer for all who send by it, opened when it is first needed and anew after an error. */
export function createRowSender(client: KafkaClient): RowSender {
  let producer: Promise<IdempotentProducer> | undefined;
  return {
    async send(rows) {
      const [first] = rows;
      if (!first) return;
      producer ??= openIdempotentProducer(client, { topic: first.topic });
      const used = producer;
      try {
        const opened = await used;
        for (const { topic, batches } of rows) await opened.send(topic, batches);
      } catch (error) {
        if (producer === used) producer = undefined;
        void used.then(
          (opened) => opened.close(),
          () => undefined,
        );
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
