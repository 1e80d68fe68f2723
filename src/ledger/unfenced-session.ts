// A shard held without transactions, for clusters that forbid them: rows first, then the ledger's record, by an idempotent
// producer. Nothing keeps an owner that was replaced from publishing a slot once more; `pgtally-run` lets readers drop it.
import { randomUUID } from 'node:crypto';
import { withDeadline } from '../kafka/deadline.ts';
import { type IdempotentProducer, openIdempotentProducer, type Transaction } from '../kafka/producer.ts';
import { encodeRecords } from '../kafka/record-batch.ts';
import type { Milliseconds } from '../model/units.ts';
import { CLAIM_KEY, type Claim, formatClaim } from './record.ts';
import { type ShardSession, type TakeOptions, viewChanged } from './shard-session.ts';
import { failedAttempt } from './transact.ts';

const READ_BACK_DEADLINE: Milliseconds = 30_000;

/** Takes a shard by a claim alone. Rejects with a Failure. */
export async function takeUnfenced(options: TakeOptions): Promise<ShardSession> {
  const { client, records, self, onStep, claimKey = CLAIM_KEY } = options;
  const producer = await openIdempotentProducer(client, { topic: records.ledger });
  const sendClaim = (claim: Claim): Promise<void> =>
    producer.send(records.ledger, [
      encodeRecords(records.shard, [{ key: Buffer.from(claimKey), value: Buffer.from(formatClaim(claim)) }]),
    ]);
  try {
    if (!options.stillMine()) throw viewChanged();
    const nonce = randomUUID();
    const read = options.untilRead(nonce);
    read.catch(() => undefined);
    await sendClaim({ nonce, replica: self });
    await onStep('claim-committed', records.shard);
    await withDeadline(read, READ_BACK_DEADLINE, 'reading the claim of a shard back');
    await onStep('claim-read', records.shard);
  } catch (error) {
    void producer.close();
    throw error;
  }
  let closed = false;
  return {
    streamTimeout: Number.POSITIVE_INFINITY,
    get closed() {
      return closed;
    },
    async commit({ rows, ledger, history }) {
      try {
        for (const { topic, batches } of rows) await producer.send(topic, batches);
        await onStep('rows-sent', records.shard);
        if (ledger) await producer.send(records.ledger, [ledger]);
        await onStep('ledger-sent', records.shard);
        for (const { topic, batches } of history) await producer.send(topic, batches);
        return { status: 'committed' };
      } catch (error) {
        // What was sent before the error stays visible; whether the ledger's record was is in the state.
        return { ...failedAttempt(error), outcomeUnknown: true };
      }
    },
    beginStream: async () => immediate(producer),
    release: () => sendClaim({ nonce: randomUUID(), replica: self, released: true }),
    close: () => {
      closed = true;
      void producer.close();
    },
  };
}

/** A "transaction" whose sends are visible at once. */
function immediate(producer: IdempotentProducer): Transaction {
  return {
    sendFirst: (topic, batch) => producer.send(topic, [batch]),
    async sendOnce(topics) {
      for (const { topic, batches } of topics) await producer.send(topic, batches);
    },
    stream: (topic, batches) => producer.send(topic, batches),
    commit: async () => undefined,
    abort: async () => undefined,
  };
}
