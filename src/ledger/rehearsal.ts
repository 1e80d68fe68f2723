// A trial of rows that are under suspicion: sent in a transaction that is aborted, by a producer whose death costs nobody
// anything. It finds out what a topic or a row is refused for before it may touch a producer that others share.
import type { KafkaClient } from '../kafka/client.ts';
import { openTransactionalProducer, type TransactionalProducer } from '../kafka/producer.ts';
import type { TopicBatches } from '../kafka/written.ts';
import type { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { asFailure } from './transact.ts';

export interface Rehearsal {
  /** Resolves with the Failure the rows met, if any. One at a time: the next call waits. */
  rehearse(rows: readonly TopicBatches[]): Promise<Failure | undefined>;
  close(): Promise<void>;
}

const TRANSACTION_TIMEOUT: Milliseconds = 10_000;

/** `transactionalId` must be used for nothing else; several processes may share it: they only fence each other's trials. */
export function createRehearsal(client: KafkaClient, transactionalId: string): Rehearsal {
  let producer: TransactionalProducer | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const open = async (topic: string): Promise<TransactionalProducer> => {
    if (producer && !producer.dead) return producer;
    const options = { transactionalId, transactionTimeout: TRANSACTION_TIMEOUT, topic, purpose: 'main' } as const;
    producer = await openTransactionalProducer(client, options);
    return producer;
  };

  const once = async (rows: readonly TopicBatches[]): Promise<Failure | undefined> => {
    const [first] = rows;
    if (!first) return undefined;
    try {
      const transaction = await (await open(first.topic)).begin();
      await transaction.sendOnce(rows);
      await transaction.abort();
      return undefined;
    } catch (error) {
      const failed = producer;
      producer = undefined;
      // The next one fences this id, which ends what this one left open; nobody has to wait for the connection to end.
      void failed?.close();
      return asFailure(error);
    }
  };

  return {
    rehearse(rows) {
      const next = last.then(() => once(rows));
      last = next;
      return next;
    },
    async close() {
      await last;
      await producer?.close();
    },
  };
}
