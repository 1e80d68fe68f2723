import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, readTopic } from './for-tests.ts';
import { type KafkaNode, startKafka } from './kafka-broker.ts';
import { type FaultProxy, startProxy } from './proxy.ts';

describe('a broker behind a proxy', () => {
  let kafka: KafkaNode;
  let proxy: FaultProxy;
  let admin: Admin;
  let producer: Producer;

  beforeAll(async () => {
    proxy = await startProxy('kafka');
    kafka = await startKafka({ listeners: { PLAINTEXT: {}, PROXIED: { advertised: proxy.address } } });
    proxy.forwardTo(kafka.listeners.PROXIED ?? '');
    const client = new Kafka({
      brokers: [proxy.address],
      logLevel: logLevel.NOTHING,
      requestTimeout: 2_000,
      retry: { retries: 0 },
    });
    admin = client.admin();
    await admin.connect();
    producer = client.producer();
    await producer.connect();
  });

  afterAll(async () => {
    await producer.disconnect();
    await admin.disconnect();
    await kafka.discard();
    await proxy.stop();
  });

  async function newTopic(topic: string): Promise<string> {
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    return topic;
  }

  test('clients that ask the proxy are led through it and not round it', async () => {
    const topic = await newTopic('through');
    const before = proxy.requests('Produce');
    await producer.send({ topic, messages: [{ value: 'a' }] });
    expect(proxy.requests('Produce')).toBe(before + 1);
    expect(await readTopic(topic, { bootstrap: kafka.bootstrap })).toHaveLength(1);
  });

  test('a dropped reply fails the send although the broker has the record', async () => {
    const topic = await newTopic('dropped');
    const fault = proxy.addFault({ api: 'Produce', action: 'drop-reply', times: 1 });
    await expect(producer.send({ topic, messages: [{ value: 'a' }] })).rejects.toThrow(/timed out/);
    expect(fault.hits()).toBe(1);
    expect(await readTopic(topic, { bootstrap: kafka.bootstrap })).toHaveLength(1);
  });

  test('a request cut off on its way never reaches the broker', async () => {
    const topic = await newTopic('cut');
    proxy.addFault({ api: 'Produce', action: 'cut-request', times: 1 });
    await expect(producer.send({ topic, messages: [{ value: 'a' }] })).rejects.toThrow();
    expect(await readTopic(topic, { bootstrap: kafka.bootstrap })).toHaveLength(0);
  });

  test('a held reply goes on when the fault ends', async () => {
    const topic = await newTopic('held');
    const fault = proxy.addFault({ api: 'Produce', action: 'hold-reply' });
    let sent = false;
    const sending = producer.send({ topic, messages: [{ value: 'a' }] }).then(() => {
      sent = true;
    });
    await fault.struck;
    expect(await readTopic(topic, { bootstrap: kafka.bootstrap })).toHaveLength(1);
    expect(sent).toBe(false);
    fault.end();
    await sending;
  });
});

test('a proxy of bytes carries Postgres, is silent while frozen, and goes on', async () => {
  const database = await freshDatabase();
  const proxy = await startProxy('bytes');
  proxy.forwardTo(`${database.host}:${database.port}`);
  const [host, port] = proxy.address.split(':');
  const sql = postgres({ host: host ?? '', port: Number(port), user: database.user, database: database.name, max: 1 });
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  const thaw = proxy.freeze();
  let answered = false;
  const answer = sql`select 2 as two`.then((rows) => {
    answered = true;
    return [...rows];
  });
  await database.sql('select pg_sleep(0.2)');
  expect(answered).toBe(false);
  thaw();
  expect(await answer).toEqual([{ two: 2 }]);
  proxy.cut();
  await sql.end({ timeout: 1 });
  await proxy.stop();
});
