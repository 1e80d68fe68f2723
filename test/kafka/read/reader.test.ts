import type { Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { openReader, readToEnd } from '../../../src/kafka/reader.ts';
import { freshTopic, readTopic } from '../../stack/for-tests.ts';
import { clientOf, readAll, values } from './support.ts';

let client: KafkaClient;
beforeAll(async () => {
  client = await clientOf();
});
afterAll(() => client.close());

/** One send is one partition: kafkajs repeats a whole send when a partition of a new topic is not ready yet. */
async function send(topic: string, partition: number, messages: readonly (string | Message)[]): Promise<void> {
  const producer = client.kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({
    topic,
    messages: messages.map((message) => ({
      ...(typeof message === 'string' ? { value: message } : message),
      partition,
    })),
  });
  await producer.disconnect();
}

/** Deletes the records of a partition below `offset`. */
async function deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
  const admin = client.kafka.admin();
  await admin.connect();
  // deleteTopicRecords of kafkajs fails unless its metadata were loaded by another call.
  await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  await admin.disconnect();
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

describe('readToEnd', () => {
  it('gives every record of every partition as the Java consumer does', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const headers = { b: 'second', a: ['first', 'again'], empty: '' };
    await send(topic, 0, [{ key: 'k', value: 'v', headers }, { value: 'no key' }]);
    await send(topic, 1, [
      { key: '', value: '' },
      { key: 'tombstone', value: null },
    ]);
    await send(topic, 2, [{ key: Buffer.from([0, 0, 0, 0]), value: Buffer.from([255, 254, 0]) }]);
    const ours = await readAll(client, topic);
    const java = await readTopic(topic);
    const plain = ours.map(({ partition, offset, timestamp, key, value, headers: list }) => ({
      partition,
      offset,
      timestamp,
      headers: list.map(({ name, value: bytes }) => [name, bytes === null ? null : bytes.toString()]),
      key,
      value,
    }));
    expect(plain).toEqual(java);
    expect(ours).toHaveLength(5);
    expect(ours[0]?.timestampType).toBe('create');
  });

  it('starts at an offset, at the end, at an instant, and differently for each partition', async () => {
    const topic = await freshTopic({ partitions: 2 });
    await send(topic, 0, numbers(0, 10));
    const middle = Date.now() + 1;
    while (Date.now() <= middle) await new Promise((resolve) => setTimeout(resolve, 1));
    await send(topic, 0, numbers(10, 20));
    await send(topic, 1, ['only']);
    expect(values(await readAll(client, topic, { from: 15, partitions: [0] }))).toEqual(numbers(15, 20));
    expect(await readAll(client, topic, { from: 'end' })).toEqual([]);
    expect(values(await readAll(client, topic, { from: { timestamp: middle }, partitions: [0] }))).toEqual(
      numbers(10, 20),
    );
    expect(await readAll(client, topic, { from: { timestamp: Date.now() + 3_600_000 } })).toEqual([]);
    const from = new Map([[0, 19]]);
    expect(values(await readAll(client, topic, { from }))).toEqual(['19', 'only']);
  });

  it('ends a partition after its limit and says where to go on', async () => {
    const topic = await freshTopic({ partitions: 2 });
    await send(topic, 0, numbers(0, 10));
    await send(topic, 1, numbers(0, 2));
    const seen: string[] = [];
    const next = await readToEnd(client, {
      topic,
      from: 'beginning',
      limit: 4,
      onRecords: ({ records }) => void seen.push(...records.map(({ value }) => String(value))),
    });
    expect(seen.sort()).toEqual(['0', '0', '1', '1', '2', '3']);
    expect([...next]).toEqual([
      [0, 4],
      [1, 2],
    ]);
  });

  it('rejects with what the callback threw, after its partition and no other call', async () => {
    const topic = await freshTopic();
    await send(topic, 0, numbers(0, 5));
    await send(topic, 0, numbers(5, 9));
    let calls = 0;
    const reading = readToEnd(client, {
      topic,
      from: 'beginning',
      onRecords: async () => {
        calls++;
        await Promise.resolve();
        throw new Error('the callback failed');
      },
    });
    await expect(reading).rejects.toThrow('the callback failed');
    expect(calls).toBe(1);
  });

  it('stops early at an abort without an error', async () => {
    const topic = await freshTopic();
    await send(topic, 0, numbers(0, 5));
    const controller = new AbortController();
    const next = await readToEnd(client, {
      topic,
      from: 'beginning',
      limit: 1000,
      signal: controller.signal,
      onRecords: () => controller.abort(),
    });
    expect(next.get(0)).toBe(5);
  });
});

describe('openReader', () => {
  it('hands over what arrives, and is fresh once it was handled', async () => {
    const topic = await freshTopic();
    const seen: string[] = [];
    const reader = await openReader(client, {
      topic,
      from: 'end',
      onRecords: async ({ records }) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push(...records.map(({ value }) => String(value)));
      },
    });
    await send(topic, 0, ['a', 'b']);
    const since = performance.now();
    expect(reader.fresh(0, since)).toBe(false);
    await reader.untilFresh(0, since);
    expect(seen).toEqual(['a', 'b']);
    expect(reader.fresh(0, since)).toBe(true);
    expect(reader.fresh(0, performance.now())).toBe(false);
    expect(reader.position(0)).toBe(2);
    await reader.stop();
    await reader.done;
    await expect(reader.untilFresh(0, performance.now())).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('calls back once at a time for a partition and holds no more than two answers for it', async () => {
    const topic = await freshTopic({ partitions: 2 });
    for (let i = 0; i < 6; i++) await send(topic, 0, [String(i)]);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first: string[] = [];
    const second: string[] = [];
    let running = 0;
    const reader = await openReader(client, {
      topic,
      from: 'beginning',
      partitionBytes: 1,
      onRecords: async ({ partition, records }) => {
        const texts = records.map(({ value }) => String(value));
        if (partition === 1) return void second.push(...texts);
        expect(++running).toBe(1);
        await held;
        first.push(...texts);
        running--;
      },
    });
    await send(topic, 1, ['x']);
    const since = performance.now();
    await reader.untilFresh(1, since);
    // The other partition is read on while the first one's callback does not return.
    expect(second).toEqual(['x']);
    expect(first).toEqual([]);
    expect(reader.position(0)).toBe(0);
    release();
    await reader.untilFresh(0, since);
    expect(first).toEqual(numbers(0, 6));
    await reader.stop();
  });

  it('reports an offset out of range with both numbers and never resets', async () => {
    const topic = await freshTopic();
    await send(topic, 0, numbers(0, 10));
    await deleteRecords(topic, 0, 4);
    const open = (from: number) => readAll(client, topic, { from });
    await expect(open(3)).rejects.toThrow(`offset 3 of \`${topic}\` partition 0 is below its log start 4`);
    await expect(open(11)).rejects.toThrow(`offset 11 of \`${topic}\` partition 0 is above its end 10`);
    expect(values(await open(4))).toEqual(numbers(4, 10));
    expect(await open(10)).toEqual([]);
  });

  it('ends with an error when records are deleted before they are read', async () => {
    const topic = await freshTopic();
    await send(topic, 0, numbers(0, 3));
    let go: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reader = await openReader(client, { topic, from: 0, partitionBytes: 1, onRecords: () => waiting });
    // Two answers wait for the callback, so the position can only come from there.
    for (let i = 0; i < 5; i++) await send(topic, 0, [String(i)]);
    await deleteRecords(topic, 0, 8);
    go();
    await expect(reader.done).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', kind: 'topic' });
  });

  it('says which topic or partition does not exist', async () => {
    const missing = readAll(client, 'no-such-topic');
    await expect(missing).rejects.toMatchObject({
      kind: 'topic',
      message: 'kafka: topic `no-such-topic` does not exist while reading `no-such-topic`',
      hint: 'create it: `pgtally topics create no-such-topic`',
    });
    const topic = await freshTopic();
    await expect(readAll(client, topic, { partitions: [0, 7] })).rejects.toThrow(
      `topic \`${topic}\` has no such partition: partition 7 is asked for, but it has 1 (0 to 0)`,
    );
  });
});
