// Rows counted by Kafka's Java consumer while leaders move, brokers die and replies are lost: transactions of many partitions and
// streams are there whole and once, or not at all.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import {
  openIdempotentProducer,
  openTransactionalProducer,
  type TransactionalProducer,
} from '../../../src/kafka/producer.ts';
import { ProducerFailure } from '../../../src/kafka/producer-session.ts';
import { type EncodedBatch, encodeRecords } from '../../../src/kafka/record-batch.ts';
import { clientOf } from '../../kafka/write/clients.ts';
import { type ConsumedRecord, readTopic } from '../../stack/for-tests.ts';
import { type KafkaCluster, startKafkaCluster } from '../../stack/kafka-cluster.ts';
import { createLeaderControl, type LeaderControl } from './leaders.ts';

const PARTITIONS = 8;
const LEADERS = Array.from({ length: PARTITIONS }, (_, partition) => (partition % 3) + 1);

let cluster: KafkaCluster;
let control: LeaderControl;
let client: KafkaClient;
let direct: KafkaClient;

beforeAll(async () => {
  cluster = await startKafkaCluster({ proxies: true });
  direct = clientOf(cluster.directBootstrap);
  client = clientOf(cluster.bootstrap, 'none', { requestTimeout: 3000 });
  control = await createLeaderControl(direct, [1, 2, 3]);
});

afterAll(async () => {
  await control.close();
  client.close();
  direct.close();
  await cluster.discard();
});

/** Does harm every so often until the function returned is called; resolves when the last of it is over. */
function keepDoing(harm: () => Promise<unknown>, every: number): () => Promise<void> {
  let going = true;
  const done = (async () => {
    while (going) {
      await new Promise((resolve) => setTimeout(resolve, every * (0.5 + Math.random())));
      // Without a broker an election or a reassignment may fail; the next one comes.
      if (going) await harm().catch(() => {});
    }
  })();
  return () => {
    going = false;
    return done;
  };
}

const shuffles = (topics: readonly string[]) => async () => {
  for (const topic of topics) await control.shuffle(topic);
};

const lossyLine = async () => {
  const proxy = cluster.proxies[Math.floor(Math.random() * 3)]!;
  const api = (['Produce', 'EndTxn', 'AddPartitionsToTxn', 'InitProducerId'] as const)[Math.floor(Math.random() * 4)]!;
  const action = (['cut-reply', 'drop-reply', 'delay-reply'] as const)[Math.floor(Math.random() * 3)]!;
  const fault = proxy.addFault({ api, action, delay: 700, times: 1 });
  proxy.setLatency(Math.floor(Math.random() * 40));
  await new Promise((resolve) => setTimeout(resolve, 800));
  fault.end();
  proxy.setLatency(0);
};

const killBroker = async () => {
  const broker = cluster.brokers[Math.floor(Math.random() * 3)]!;
  await broker.kill();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await broker.restart();
};

/** Reads when every transaction that was ended is ended for readers, too. */
async function readToEnd(topic: string, partitions: number): Promise<ConsumedRecord[]> {
  const mark = Buffer.from(`mark ${Math.random()}`);
  const producer = await openIdempotentProducer(direct, { topic });
  const marks = Array.from({ length: partitions }, (_, partition) =>
    encodeRecords(partition, [{ key: mark, value: mark }]),
  );
  await producer.send(topic, marks);
  await producer.close();
  for (;;) {
    const records = await readTopic(topic, { bootstrap: cluster.directBootstrap });
    if (records.filter(({ key }) => key?.equals(mark)).length === partitions) {
      return records.filter(({ key }) => !key?.toString().startsWith('mark '));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function rowsOf(n: number): EncodedBatch[] {
  return Array.from({ length: PARTITIONS }, (_, partition) =>
    encodeRecords(
      partition,
      Array.from({ length: 12 }, (__, i) => ({ key: Buffer.from('row'), value: Buffer.from(`${n} ${i}`) })),
    ),
  );
}

/** Takes the id over, which ends what was open, and reads the last number in the ledger, by which the next one is decided. */
async function take(ledger: string): Promise<{ producer: TransactionalProducer; last: number }> {
  for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
    try {
      const options = { topic: ledger, transactionalId: ledger, transactionTimeout: 10_000, purpose: 'main' } as const;
      const producer = await openTransactionalProducer(client, options);
      const claim = await producer.begin();
      await claim.sendFirst(ledger, encodeRecords(0, [{ key: Buffer.from('#claim'), value: Buffer.from('-1') }]));
      await claim.commit();
      const records = await readToEnd(ledger, 1);
      return { producer, last: Math.max(...records.map(({ value }) => Number(value))) };
    } catch (error) {
      if (!(error instanceof ProducerFailure) && (error as { retryable?: boolean }).retryable !== true) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

async function commitUntil(
  end: number,
  ledger: string,
  topic: string,
): Promise<{ failures: ProducerFailure[]; last: number }> {
  const failures: ProducerFailure[] = [];
  let { producer, last } = await take(ledger);
  while (performance.now() < end) {
    const n = last + 1;
    try {
      const transaction = await producer.begin();
      await transaction.sendFirst(
        ledger,
        encodeRecords(0, [{ key: Buffer.from('job'), value: Buffer.from(String(n)) }]),
      );
      await transaction.sendOnce([{ topic, batches: rowsOf(n) }]);
      await transaction.commit();
      last = n;
    } catch (error) {
      if (!(error instanceof ProducerFailure)) throw error;
      failures.push(error);
      await producer.close();
      ({ producer, last } = await take(ledger));
      // What was surely not committed is not there; a lost commit may be.
      if (error.outcome === 'not committed') expect(last).toBe(n - 1);
      else expect([n - 1, n]).toContain(last);
    }
  }
  await producer.close();
  return { failures, last };
}

async function expectEachOnce(topic: string, last: number, perPartition: number): Promise<void> {
  const seen = new Map<string, number>();
  for (const { partition, value } of await readToEnd(topic, PARTITIONS)) {
    const name = `${partition} ${value?.toString()}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  expect([...seen].filter(([, count]) => count > 1)).toEqual([]);
  const missing: string[] = [];
  for (let n = 0; n <= last; n++) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (let i = 0; i < perPartition; i++) {
        if (!seen.delete(`${partition} ${n} ${i}`)) missing.push(`${partition} ${n} ${i}`);
      }
    }
  }
  expect(missing).toEqual([]);
  // Nothing of what was never committed.
  expect([...seen.keys()]).toEqual([]);
}

const MINUTE = 60_000;

test.each([
  ['leaders move all the time', 25_000],
  ['leaders move, replies are lost and late', 35_000],
  ['leaders move, replies are lost and a broker is killed now and then', 60_000],
])(
  'small transactions are there whole and once while %s',
  async (what, time) => {
    const name = `tx-${time}`;
    const ledger = await control.create(`${name}-ledger`, [2]);
    const topic = await control.create(name, LEADERS);
    const harms = [keepDoing(shuffles([ledger, topic]), 1500)];
    if (what.includes('lost')) harms.push(keepDoing(lossyLine, 500));
    if (what.includes('killed')) harms.push(keepDoing(killBroker, 12_000));
    const { failures, last } = await commitUntil(performance.now() + time, ledger, topic);
    await Promise.all(harms.map((stop) => stop()));
    console.log(`${what}: ${last + 1} transactions, ${failures.length} failed`, summary(failures));
    expect(last).toBeGreaterThan(10);
    expect(failures.length).toBeGreaterThan(0);
    await expectEachOnce(topic, last, 12);
  },
  5 * MINUTE,
);

test(
  'streams are there whole and once, or not at all, while leaders move, replies are lost and brokers die',
  async () => {
    const topic = await control.create('streams', LEADERS);
    const harms = [keepDoing(shuffles([topic]), 1000), keepDoing(lossyLine, 700), keepDoing(killBroker, 12_000)];
    const failures: ProducerFailure[] = [];
    const committed = new Set<number>();
    const unknown = new Set<number>();
    const end = performance.now() + 40_000;
    for (let n = 0; performance.now() < end; n++) {
      const options = { topic, transactionalId: 'streams', transactionTimeout: 60_000, purpose: 'stream' } as const;
      let producer: TransactionalProducer | undefined;
      try {
        producer = await openTransactionalProducer(client, options);
        const transaction = await producer.begin();
        // Several of each partition, so that order and sequence numbers count.
        for (let part = 0; part < 5; part++) await transaction.stream(topic, streamed(n, part));
        await transaction.commit();
        committed.add(n);
      } catch (error) {
        if (error instanceof ProducerFailure) failures.push(error);
        else if ((error as { retryable?: boolean }).retryable !== true) throw error;
        if (error instanceof ProducerFailure && error.outcome === 'unknown') unknown.add(n);
      } finally {
        await producer?.close();
      }
    }
    await Promise.all(harms.map((stop) => stop()));
    // Ends what a failed one left open.
    const last = await openTransactionalProducer(direct, {
      topic,
      transactionalId: 'streams',
      transactionTimeout: 60_000,
      purpose: 'stream',
    });
    await (await last.begin()).abort();
    await last.close();
    console.log(
      `streams: ${committed.size} committed, ${unknown.size} unknown, ${failures.length} failed`,
      summary(failures),
    );
    expect(committed.size).toBeGreaterThan(5);

    const perStream = new Map<number, string[]>();
    for (const { partition, value } of await readToEnd(topic, PARTITIONS)) {
      const [n, ...rest] = String(value).split(' ');
      const lines = perStream.get(Number(n)) ?? [];
      lines.push(`${partition} ${rest.join(' ')}`);
      perStream.set(Number(n), lines);
    }
    const whole = Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.from({ length: 5 }, (__, part) =>
        Array.from({ length: 400 }, (___, i) => `${partition} ${part} ${i}`),
      ).flat(),
    ).flat();
    for (const n of committed) expect(perStream.get(n)).toEqual(whole);
    for (const n of unknown) expect([undefined, whole]).toContainEqual(perStream.get(n));
    for (const n of perStream.keys()) expect(committed.has(n) || unknown.has(n)).toBe(true);
  },
  5 * MINUTE,
);

test(
  'an idempotent producer writes what it acknowledged once while leaders move, replies are lost and brokers die',
  async () => {
    const topic = await control.create('idempotent', LEADERS);
    const harms = [keepDoing(shuffles([topic]), 1000), keepDoing(lossyLine, 700), keepDoing(killBroker, 12_000)];
    const acknowledged = new Set<number>();
    let failed = 0;
    const end = performance.now() + 40_000;
    let producer = await openIdempotentProducer(direct, { topic });
    await producer.close();
    for (let n = 0; performance.now() < end; n++) {
      try {
        if (producer.dead) producer = await openIdempotentProducer(client, { topic });
        await producer.send(topic, rowsOf(n));
        acknowledged.add(n);
      } catch (error) {
        if ((error as { retryable?: boolean }).retryable !== true) throw error;
        failed++;
        await producer.close();
      }
    }
    await producer.close();
    await Promise.all(harms.map((stop) => stop()));
    console.log(`idempotent: ${acknowledged.size} acknowledged, ${failed} failed`);
    expect(acknowledged.size).toBeGreaterThan(20);
    const counts = new Map<string, number>();
    for (const { partition, value } of await readToEnd(topic, PARTITIONS)) {
      const name = `${partition} ${value?.toString()}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > 1)).toEqual([]);
    for (const n of acknowledged) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        for (let i = 0; i < 12; i++) expect(counts.get(`${partition} ${n} ${i}`)).toBe(1);
      }
    }
  },
  5 * MINUTE,
);

function streamed(n: number, part: number): EncodedBatch[] {
  return Array.from({ length: PARTITIONS }, (_, partition) =>
    encodeRecords(
      partition,
      Array.from({ length: 400 }, (__, i) => ({ key: null, value: Buffer.from(`${n} ${part} ${i}`) })),
    ),
  );
}

function summary(failures: readonly ProducerFailure[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { message, code, outcome } of failures) {
    const name = `${code} ${message.replace(/.* while |.* (?=did not end)/, '').replace(/`[^`]*`/g, '…')} (${outcome})`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
