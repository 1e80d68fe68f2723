// Who may commit when two replicas take one shard at once: every interleaving of the protocol's steps that matters, on a real
// broker. The control takes the producers in the other order, and doubles a slot.
import { describe, expect, it } from 'vitest';
import { openTransactionalProducer, type Transaction, type TransactionalProducer } from '../../src/kafka/producer.ts';
import { encodeRecords } from '../../src/kafka/record-batch.ts';
import { type CommitPlan, planCommit, prepareUnit } from '../../src/ledger/commit-plan.ts';
import type { ShardSession } from '../../src/ledger/shard-session.ts';
import { takeShard } from '../../src/ledger/shard-session.ts';
import { createLedgerState } from '../../src/ledger/state.ts';
import type { ProtocolStep } from '../../src/ledger/steps.ts';
import { startTail } from '../../src/ledger/tail.ts';
import { freshTopic } from '../stack/for-tests.ts';
import { freshLedgerTopics, testClient, testRecord, testRows, valuesOf } from './on-kafka.ts';

const client = await testClient();

/** One replica that takes shard 0 and can be held at a step. */
function replica(self: string, ledger: string) {
  const held = new Map<ProtocolStep, { reached: () => void; go: Promise<void> }>();
  const waiting = new Map<string, () => void>();
  const state = createLedgerState(1, { claimed: (_, { nonce }) => waiting.get(nonce)?.() });
  const log = () => undefined;
  const tail = startTail({ client, topic: ledger, shards: [0], state, onRestart: () => undefined, log });
  const take = async (transactionalId?: string): Promise<ShardSession> => {
    await tail;
    return takeShard({
      ...(transactionalId ? { transactionalId } : {}),
      client,
      records: { shard: 0, ledger, history: `${ledger}.history` },
      self,
      streamTimeout: 20_000,
      stillMine: () => true,
      untilRead: (nonce) => new Promise((resolve) => waiting.set(nonce, resolve)),
      onStep: async (step) => {
        const hold = held.get(step);
        hold?.reached();
        await hold?.go;
      },
    });
  };
  return {
    state,
    take,
    /** The protocol stops at `step` until `go`; `reached` resolves when it is there. */
    hold(step: ProtocolStep) {
      let go!: () => void;
      let isReached!: () => void;
      const reached = new Promise<void>((resolve) => {
        isReached = resolve;
      });
      held.set(step, { reached: isReached, go: new Promise((resolve) => (go = resolve)) });
      return { reached, go };
    },
    stop: async () => (await tail).stop(),
  };
}

/** Tick 7 of one (job, server), as a small run would commit it. */
function tick(rows: string, by: string, records = { shard: 0, ledger: '', history: '' }): CommitPlan {
  const unit = prepareUnit({
    job: 'job',
    server: 's',
    rows: testRows(rows, [`tick 7 by ${by}`]),
    records: [testRecord(7)],
  });
  return planCommit([unit], records, () => 500_000);
}

describe('taking a shard', () => {
  it('lets only one of two takers commit, in the worst interleaving of its steps', async () => {
    const ledger = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const records = { shard: 0, ledger, history: `${ledger}.history` };
    const a = replica('a', ledger);
    const b = replica('b', ledger);
    // main A, main B, stream B, stream A, claim A, claim B
    const afterMainA = a.hold('main-fenced');
    const afterStreamB = b.hold('stream-fenced');
    const takingA = a.take();
    takingA.catch(() => undefined);
    await afterMainA.reached;
    const takingB = b.take();
    await afterStreamB.reached;
    afterMainA.go();
    await expect(takingA).rejects.toMatchObject({ kind: 'fenced' });
    afterStreamB.go();
    const owner = await takingB;
    expect(a.state.claim(0)?.replica ?? 'b').toBe('b');
    expect((await owner.commit(tick(rows, 'b', records))).status).toBe('committed');
    // The other fenced the owner's stream in passing: that costs a new taking, never a double.
    const stream = owner.beginStream().then((transaction) => streamTick(transaction, rows, 'b'));
    await expect(stream).rejects.toMatchObject({ kind: 'fenced' });
    expect(await valuesOf(rows)).toEqual(['tick 7 by b']);
    owner.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('leaves a replaced owner nothing to commit by, small or streamed, whatever it still believes', async () => {
    const ledger = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const records = { shard: 0, ledger, history: `${ledger}.history` };
    const a = replica('a', ledger);
    const b = replica('b', ledger);
    const zombie = await a.take();
    const open = await zombie.beginStream();
    await open.stream(rows, testRows(rows, ['streamed by a']).batches);
    const owner = await b.take();
    expect(await zombie.commit(tick(rows, 'a', records))).toMatchObject({
      status: 'failed',
      failure: { kind: 'fenced' },
    });
    await expect(open.commit()).rejects.toMatchObject({ kind: 'fenced' });
    expect((await owner.commit(tick(rows, 'b', records))).status).toBe('committed');
    await streamTick(await owner.beginStream(), rows, 'b stream');
    expect(await valuesOf(rows)).toEqual(['tick 7 by b', 'tick 7 by b stream']);
    zombie.close();
    owner.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('reads the final state: what the previous owner committed in the last moment is there, what it left open is not', async () => {
    const ledger = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const records = { shard: 0, ledger, history: `${ledger}.history` };
    const a = replica('a', ledger);
    const first = await a.take();
    const unit = prepareUnit({ job: 'job', server: 's', rows: testRows(rows, ['last']), records: [testRecord(6)] });
    const last = first.commit(planCommit([unit], records, () => 500_000));
    const open = await first.beginStream();
    await open.sendFirst(ledger, encodeRecords(0, [{ key: Buffer.from('job/s'), value: Buffer.from('{}') }]));
    const b = replica('b', ledger);
    const second = await b.take();
    const committed = (await last).status === 'committed';
    expect(b.state.record(0, 'job/s')).toEqual(committed ? testRecord(6) : undefined);
    expect(await valuesOf(rows)).toEqual(committed ? ['last'] : []);
    first.close();
    second.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('would leave a replaced owner everything if nobody fenced it (control)', async () => {
    const ledger = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const records = { shard: 0, ledger, history: `${ledger}.history` };
    const a = replica('a', ledger);
    const b = replica('b', ledger);
    const zombie = await a.take(`${ledger}.0.a`);
    const owner = await b.take(`${ledger}.0.b`);
    expect((await owner.commit(tick(rows, 'b', records))).status).toBe('committed');
    expect((await zombie.commit(tick(rows, 'a', records))).status).toBe('committed');
    expect(await valuesOf(rows)).toEqual(['tick 7 by a', 'tick 7 by b']);
    zombie.close();
    owner.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  it('would double a slot if the stream were fenced before the main producer (control)', async () => {
    const ledger = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const produce = (suffix: string, purpose: 'main' | 'stream') =>
      openTransactionalProducer(client, {
        transactionalId: `${ledger}.0${suffix}`,
        transactionTimeout: 10_000,
        topic: ledger,
        purpose,
      });
    const [mainA, streamA, mainB, streamB] = await Promise.all([
      produce('', 'main'),
      produce('.stream', 'stream'),
      produce('', 'main'),
      produce('.stream', 'stream'),
    ]);
    const claim = async (main: TransactionalProducer, who: string) => {
      const transaction = await main.begin();
      await transaction.sendFirst(ledger, encodeRecords(0, [{ key: Buffer.from('#claim'), value: Buffer.from(who) }]));
      await transaction.commit();
    };
    await (await streamB.begin()).abort();
    await (await streamA.begin()).abort();
    await claim(mainA, 'a');
    await claim(mainB, 'b');
    await streamTick(await streamA.begin(), rows, 'a');
    const transaction = await mainB.begin();
    await transaction.sendOnce([{ topic: rows, batches: testRows(rows, ['tick 7 by b']).batches }]);
    await transaction.commit();
    expect(await valuesOf(rows)).toEqual(['tick 7 by a', 'tick 7 by b']);
    await Promise.all([mainA, streamA, mainB, streamB].map((producer) => producer.close()));
  });
});

async function streamTick(transaction: Transaction, rows: string, by: string): Promise<void> {
  await transaction.stream(rows, testRows(rows, [`tick 7 by ${by}`]).batches);
  await transaction.commit();
}
