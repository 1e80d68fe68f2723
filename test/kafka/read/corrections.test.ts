import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import type { Transaction } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaClient, type KafkaClient } from '../../../src/kafka/client.ts';
import { checkCorrections } from '../../../src/kafka/corrections.ts';
import { crc32c } from '../../../src/kafka/crc32c.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import { askedOnce, countingFailures } from '../../../src/kafka/known-coordinators.ts';
import { freshTopic, kafkaBootstrap, readTopic } from '../../stack/for-tests.ts';
import { encodeBatch } from './encode-batch.ts';
import { type Consumed, withCorrected, withStock } from './stock-kafkajs.ts';
import { clientOf, readAll, values } from './support.ts';

const require = createRequire(import.meta.url);

let client: KafkaClient;
let bootstrap: string;
beforeAll(async () => {
  bootstrap = await kafkaBootstrap();
  client = await clientOf(bootstrap);
});
afterAll(() => client.close());

async function begin(name: string): Promise<Transaction> {
  const producer = client.kafka.producer({ transactionalId: name, maxInFlightRequests: 1 });
  await producer.connect();
  return producer.transaction();
}

describe('aborted transactions', () => {
  it('of two producers, one inside the other, stay hidden; kafkajs shows the outer one', async () => {
    const topic = await freshTopic();
    const outer = await begin(`${topic}-outer`);
    await outer.send({ topic, messages: [{ value: 'outer aborted 1' }] });
    const inner = await begin(`${topic}-inner`);
    await inner.send({ topic, messages: [{ value: 'inner aborted' }] });
    await inner.abort();
    await outer.send({ topic, messages: [{ value: 'outer aborted 2' }] });
    await outer.abort();
    const last = await begin(`${topic}-outer`);
    await last.send({ topic, messages: [{ value: 'committed' }] });
    await last.commit();

    const stock = await withStock<Consumed>('consume', { bootstrap, topic, expected: 2 });
    expect(stock.values).toContain('outer aborted 1');
    const corrected = await withCorrected<Consumed>('consume', { bootstrap, topic, expected: 1 });
    expect(corrected.values).toEqual(['committed']);
    expect(values(await readAll(client, topic))).toEqual(['committed']);
    expect(values(await readTopic(topic))).toEqual(['committed']);
    expect(await readAll(client, topic, { isolation: 'read_uncommitted' })).toHaveLength(4);
  });

  it('stay hidden when a key is four zero bytes; kafkajs takes it for the end of the transaction', async () => {
    const topic = await freshTopic();
    const transaction = await begin(topic);
    await transaction.send({ topic, messages: [{ key: Buffer.alloc(4), value: 'aborted 1' }, { value: 'aborted 2' }] });
    await transaction.abort();
    const next = await begin(topic);
    await next.send({ topic, messages: [{ key: Buffer.alloc(4), value: 'committed' }] });
    await next.commit();

    const stock = await withStock<Consumed>('consume', { bootstrap, topic, expected: 3 });
    expect(stock.values).toEqual(['aborted 1', 'aborted 2', 'committed']);
    const corrected = await withCorrected<Consumed>('consume', { bootstrap, topic, expected: 1 });
    expect(corrected.values).toEqual(['committed']);
    expect(values(await readAll(client, topic))).toEqual(['committed']);
    expect(values(await readTopic(topic))).toEqual(['committed']);
  });

  it('never show in random interleavings of four producers, read from any offset', { timeout: 60_000 }, async () => {
    const topic = await freshTopic();
    let sent = 0;
    await Promise.all(
      [0, 1, 2, 3].map(async (name) => {
        const producer = client.kafka.producer({ transactionalId: `${topic}-${name}`, maxInFlightRequests: 1 });
        await producer.connect();
        for (let round = 0; round < 15; round++) {
          const transaction = await producer.transaction();
          const abort = Math.random() < 0.5;
          for (let n = Math.ceil(Math.random() * 4); n > 0; n--) {
            const key = Math.random() < 0.2 ? Buffer.alloc(4) : 'key';
            await transaction.send({
              topic,
              messages: [{ key, value: `${abort ? 'aborted' : 'committed'} ${sent++}` }],
            });
          }
          await (abort ? transaction.abort() : transaction.commit());
        }
        await producer.disconnect();
      }),
    );
    const java = (await readTopic(topic)).map(({ offset, value }) => `${offset} ${String(value)}`);
    expect(java.some((line) => line.includes('aborted'))).toBe(false);
    const read = async (from: number, partitionBytes: number) =>
      (await readAll(client, topic, { from, partitionBytes })).map(({ offset, value }) => `${offset} ${String(value)}`);
    expect(await read(0, 1024 ** 2)).toEqual(java);
    expect(await read(0, 500)).toEqual(java);
    for (let from = 1; from < sent; from += 17) {
      expect(await read(from, 1024 ** 2)).toEqual(java.filter((line) => Number.parseInt(line, 10) >= from));
    }
    const corrected = await withCorrected<Consumed>('consume', { bootstrap, topic, expected: java.length });
    expect(corrected.values).toEqual(java.map((line) => line.replace(/^\d+ /, '')));
  });
});

describe('large batches', () => {
  it('of 200,000 records are decoded; kafkajs overflows its stack', async () => {
    const bytes = encodeBatch({ records: Array.from({ length: 200_000 }, () => ({ value: Buffer.from('v') })) });
    expect(await withStock('decode', { bytes })).toEqual({ error: 'RangeError: Maximum call stack size exceeded' });
    expect(await withCorrected('decode', { bytes })).toEqual({ messages: 200_000 });
  });
});

describe('the request queue', () => {
  it('wakes nobody while it is idle and sets no timer in the past; that of kafkajs does both', async () => {
    const stock = await withStock<{ checks: number; negative: number }>('wakeUps');
    expect(stock.checks).toBeGreaterThan(20);
    expect(stock.negative).toBeGreaterThan(20);
    expect(await withCorrected('wakeUps')).toEqual({ checks: 0, negative: 0 });
  });

  it('sends what was held back once the broker throttles no more', async () => {
    expect(await withCorrected('throttled')).toEqual({ sent: true });
  });
});

describe('a broker that accepts connections and never answers', () => {
  it('is passed over for another; kafkajs takes it for connected and fails ever after', async () => {
    const options = { bootstrap, topic: await freshTopic() };
    expect(await withStock('silentBroker', options)).toEqual({ error: 'Broker not connected' });
    expect(await withCorrected('silentBroker', options)).toEqual({ sent: 1 });
  });

  it('and did answer once is left for another; kafkajs asks it again and again', async () => {
    const options = { bootstrap, topic: await freshTopic(), later: true };
    expect(await withStock('silentBroker', options)).toEqual({
      error: expect.stringMatching(/^Request Metadata.* timed out$/),
    });
    expect(await withCorrected('silentBroker', options)).toEqual({ sent: expect.any(Number) });
  });

  it('is not tried first again by the same client', async () => {
    let connections = 0;
    const silent = createServer((socket) => {
      connections++;
      socket.on('error', () => undefined);
      socket.resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const topic = await freshTopic();
    const two = createKafkaClient(
      {
        brokers: [`127.0.0.1:${(silent.address() as AddressInfo).port}`, bootstrap],
        clientId: 'test',
        compression: 'none',
      },
      { requestTimeout: 300 },
    );
    for (let n = 0; n < 3; n++) {
      const producer = two.kafka.producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ value: 'v' }] });
      await producer.disconnect();
    }
    expect(connections).toBe(1);
    expect(await readAll(two, topic)).toHaveLength(3);
    two.close();
    silent.close();
  });
});

describe('the checksum', () => {
  it('is ours', () => {
    loadKafkajs();
    expect(require('kafkajs/src/protocol/recordBatch/crc32C')).toBe(crc32c);
  });
});

describe('the coordinator of a transactional id', () => {
  it('is asked for once, however many transactions there are', async () => {
    const topic = await freshTopic();
    const producer = client.kafka.producer({ transactionalId: topic, maxInFlightRequests: 1 });
    let asked = 0;
    producer.on(producer.events.REQUEST, ({ payload }) => {
      if (payload.apiName === 'GroupCoordinator') asked++;
    });
    await producer.connect();
    for (const value of ['a', 'b', 'c']) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction.commit();
    }
    await producer.disconnect();
    expect(asked).toBe(1);
    expect(values(await readTopic(topic))).toEqual(['a', 'b', 'c']);
  });

  it('is asked for again after it has refused or lost a request', async () => {
    let questions = 0;
    const cluster = {
      findGroupCoordinatorMetadata: askedOnce(async () => ({ coordinator: { nodeId: ++questions } })),
    };
    const asked = { groupId: 'id', coordinatorType: 1 };
    const refusing = (type: string) => countingFailures(() => Promise.reject(Object.assign(new Error(type), { type })));
    const nodeNow = () => cluster.findGroupCoordinatorMetadata(asked);
    expect(await nodeNow()).toEqual(await nodeNow());
    await refusing('CONCURRENT_TRANSACTIONS')(undefined).catch(() => undefined);
    expect(await nodeNow()).toEqual({ coordinator: { nodeId: 1 } });
    await refusing('NOT_COORDINATOR_FOR_GROUP')(undefined).catch(() => undefined);
    expect(await nodeNow()).toEqual({ coordinator: { nodeId: 2 } });
    expect(await cluster.findGroupCoordinatorMetadata({ groupId: 'group', coordinatorType: 0 })).toEqual({
      coordinator: { nodeId: 3 },
    });
  });
});

describe('checkCorrections', () => {
  it('names the correction that did not take', () => {
    loadKafkajs();
    const filter = require.resolve('kafkajs/src/consumer/filterAbortedMessages');
    const cached = require.cache[filter] as NodeJS.Module;
    const corrected: unknown = cached.exports;
    try {
      cached.exports = () => [];
      expect(() => checkCorrections(require)).toThrow(
        'aborted records of nested transactions reach read_committed readers',
      );
    } finally {
      cached.exports = corrected;
    }
    expect(() => checkCorrections(require)).not.toThrow();
  });
});
