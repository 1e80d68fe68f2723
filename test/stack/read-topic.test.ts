import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { freshDatabase, freshTopic, kafkaBootstrap, readTopic, topicExists } from './for-tests.ts';

test('readTopic keeps null, empty and any bytes apart', async () => {
  const topic = await freshTopic({ partitions: 2 });
  const producer = new Kafka({ brokers: [await kafkaBootstrap()], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const bytes = Buffer.from([...Array(256).keys()]);
  await producer.send({
    topic,
    messages: [
      { partition: 0, key: null, value: 'no key' },
      { partition: 0, key: '', value: '' },
      { partition: 0, key: 'tombstone', value: null },
      { partition: 1, key: bytes, value: bytes, headers: { name: 'ü', empty: '' } },
    ],
  });
  await producer.disconnect();
  const records = await readTopic(topic);
  expect(records.map(({ partition, offset, key, value }) => ({ partition, offset, key, value }))).toEqual([
    { partition: 0, offset: 0, key: null, value: Buffer.from('no key') },
    { partition: 0, offset: 1, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { partition: 0, offset: 2, key: Buffer.from('tombstone'), value: null },
    { partition: 1, offset: 0, key: bytes, value: bytes },
  ]);
  expect(records[3]?.headers).toEqual([
    ['name', 'ü'],
    ['empty', ''],
  ]);
  expect(await readTopic(topic, { partition: 1 })).toHaveLength(1);
});

test('a topic exists once it is made and reading one that does not is an error that names it', async () => {
  expect(await topicExists(await freshTopic())).toBe(true);
  expect(await topicExists('absent')).toBe(false);
  await expect(readTopic('absent')).rejects.toThrow('absent');
});

test('a fresh database answers on several loopback addresses and each is a server address of its own', async () => {
  const database = await freshDatabase();
  await database.sql('create table main(group_id text); insert into main values ($$a$$)');
  expect(await database.sql('select group_id, host(inet_server_addr()) as host from main')).toEqual([
    { group_id: 'a', host: '127.0.0.1' },
  ]);
  await database.drop();
});
