// Streams of a command that no ledger knows of: each in a transaction of a producer of its own, one at a time.
import type { KafkaClient } from '../kafka/client.ts';
import { fenceTransactionalId, openTransactionalProducer, type Transaction } from '../kafka/producer.ts';
import { streamTimeout } from './stream-timeout.ts';
import type { TopicWatch } from './topic-watch.ts';
import { asFailure, failedAttempt } from './transact.ts';
import { createTurns } from './turns.ts';
import type { CommitResult, Committer, RunStream } from './types.ts';

/** `openStream` of an ad-hoc committer, by producers of the given id. */
export function createAdHocStreams(
  client: KafkaClient,
  transactionalId: string,
  watch: TopicWatch,
): Pick<Committer, 'openStream'> {
  const turns = createTurns();
  return {
    async openStream({ topic, timeout }) {
      const endTurn = await turns.next();
      try {
        const refusal = (await watch.look([topic])).get(topic);
        if (refusal) throw refusal;
        const options = { transactionalId, transactionTimeout: streamTimeout(timeout), topic };
        const producer = await openTransactionalProducer(client, { ...options, purpose: 'stream' });
        const end = async (): Promise<void> => {
          // What a dead producer left open would hold up the readers of its topic for up to 15 minutes.
          if (producer.dead) await fenceTransactionalId(client, options).catch(() => undefined);
          else await producer.close();
          endTurn();
        };
        try {
          return runStream(await producer.begin(), topic, watch, end);
        } catch (error) {
          await end();
          throw error;
        }
      } catch (error) {
        endTurn();
        throw asFailure(error);
      }
    },
  };
}

function runStream(transaction: Transaction, topic: string, watch: TopicWatch, end: () => Promise<void>): RunStream {
  let ended = false;
  return {
    async send(batches) {
      try {
        await transaction.stream(topic, batches);
      } catch (error) {
        watch.doubt([topic]);
        throw error;
      }
    },
    async commit(): Promise<CommitResult> {
      ended = true;
      try {
        await transaction.commit();
        return { status: 'committed' };
      } catch (error) {
        const { failure, outcomeUnknown } = failedAttempt(error);
        return { status: 'unavailable', failure, outcomeUnknown };
      } finally {
        await end();
      }
    },
    async abort() {
      if (ended) return;
      ended = true;
      try {
        await transaction.abort();
      } catch {
        // Its producer is dead now, and the transaction is ended by the fencing below or by its timeout.
      }
      await end();
    },
  };
}
