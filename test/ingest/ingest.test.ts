import { readFileSync } from 'node:fs';
import type { Transaction } from 'kafkajs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freshTopic, readTopic, topicExists } from '../stack/for-tests.ts';
import { deleteRecords, ingestProject, kafka, numbers, send, untilEnd } from './support.ts';

const job = (topic: string, more = '', columns = '{partition: partition, "offset": "\\"offset\\"", value: value}') =>
  `name: take\ningest:\n  topic: ${topic}\n  into: main\n  columns: ${columns}\n${more}`;

describe('an ingest run', () => {
  test('writes every message of every partition once, and the next run goes on from there', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    for (const partition of [0, 1, 2]) await send(client, topic, partition, numbers(0, 10 + partition));
    expect(await project.run()).toMatchObject({ rows: 33, dead: 0, failures: [], warnings: [] });
    await send(client, topic, 1, ['late']);
    expect(await project.run()).toMatchObject({ rows: 1, failures: [] });
    expect(await project.run()).toMatchObject({ rows: 0, failures: [] });
    const rows = await project.rows('select partition, "offset"::int, value from main order by 1, 2');
    expect(rows).toEqual(
      [0, 1, 2].flatMap((partition) => [
        ...numbers(0, 10 + partition).map((value, offset) => ({ partition, offset, value })),
        ...(partition === 1 ? [{ partition, offset: 11, value: 'late' }] : []),
      ]),
    );
    expect(await project.rows('select partition, next::int from pgtally.offsets order by 1')).toEqual([
      { partition: 0, next: 10 },
      { partition: 1, next: 12 },
      { partition: 2, next: 12 },
    ]);
  });

  test('gives every column of a message as it is, whatever characters it has', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(
      job(
        topic,
        '',
        '{t: topic, p: partition, o: \'"offset"\', at: "timestamp", k: key, v: value, h: headers, e: envelope}',
      ),
    );
    await project.rows(
      'create table main (t text, p int, o bigint, at timestamptz, k text, v text, h jsonb, e json, n serial)',
    );
    const messages = [
      { key: 'k', value: 'plain', headers: { a: 'one', b: ['two', 'three'] } },
      { key: null, value: null },
      { key: '', value: '' },
      { key: '{"a":"\\"}', value: '"\\{},NULL\n\t' },
      { key: '\u0001', value: '\u0002' },
      { key: '\u0001\u0002\u001e\u001f', value: 'grüße 😀' },
    ];
    const sent = messages.map((message, index) => ({ ...message, timestamp: String(1_700_000_000_123 + index) }));
    for (const message of sent) await send(client, topic, 0, [message]);
    // One at a time, and then all at once again.
    expect(await project.run()).toMatchObject({ rows: 6, failures: [] });
    const expected = sent.map(({ key, value }, offset) => ({ p: 0, o: String(offset), k: key, v: value }));
    const rows = await project.rows('select p, o::text, k, v from main order by o');
    expect(rows).toEqual(expected);
    const [first] = await project.rows(
      `select t, h, at = timestamptz 'epoch' + 1700000000123 * interval '1 ms' as at, e->>'payload' as payload, e->'headers' as headers from main order by o limit 1`,
    );
    expect(first).toEqual({
      t: topic,
      h: { a: 'one', b: 'three' },
      at: true,
      payload: 'plain',
      headers: ['a', 'one', 'b', 'two', 'b', 'three'],
    });
    for (const [index, { e }] of (await project.rows('select e from main order by o')).entries())
      expect(e).toMatchObject({
        topic,
        partition: 0,
        offset: index,
        key: messages[index]?.key,
        payload: messages[index]?.value,
      });
  });

  test('takes at most `limit` messages of a partition, and those of the next run after them', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const client = await kafka();
    const project = await ingestProject(job(topic).replace('  into', '  limit: 4\n  into'));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    await send(client, topic, 0, numbers(0, 10));
    await send(client, topic, 1, numbers(0, 3));
    expect((await project.run()).rows).toBe(7);
    expect((await project.run()).rows).toBe(4);
    expect((await project.run()).rows).toBe(2);
    expect(await project.rows('select value::int from main where partition = 0 order by "offset"')).toEqual(
      numbers(0, 10).map((value) => ({ value: Number(value) })),
    );
  });

  test('from the end leaves out what was there at first sight, but not what a partition got before it was seen', async () => {
    const topic = await freshTopic({ partitions: 1 });
    const client = await kafka();
    const project = await ingestProject(job(topic).replace('  into', '  from: end\n  into'));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    await send(client, topic, 0, ['old']);
    expect((await project.run()).rows).toBe(0);
    await send(client, topic, 0, ['new']);
    const admin = client.kafka.admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    await admin.disconnect();
    await send(client, topic, 1, ['first of a new partition']);
    expect((await project.run()).rows).toBe(2);
    expect(await project.rows('select partition, value from main order by 1')).toEqual([
      { partition: 0, value: 'new' },
      { partition: 1, value: 'first of a new partition' },
    ]);
  });

  test('of some partitions leaves the others alone, and says which the topic does not have', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const client = await kafka();
    const project = await ingestProject(job(topic).replace('  into', '  partitions: [1]\n  into'));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    for (const partition of [0, 1, 2]) await send(client, topic, partition, ['x']);
    expect((await project.run()).rows).toBe(1);
    expect(await project.rows('select partition from main')).toEqual([{ partition: 1 }]);
    project.rewrite(job(topic).replace('  into', '  partitions: [1, 3]\n  into'));
    const { failures } = await project.run();
    expect(failures.map(({ message }) => message)).toEqual([
      `topic \`${topic}\` has no partition 3: it has 3 (0 to 2)`,
    ]);
  });

  test('reads what was committed: not of two nested aborted transactions, whatever their keys', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    const begin = async (name: string): Promise<Transaction> => {
      const producer = client.kafka.producer({ transactionalId: `${topic}-${name}`, maxInFlightRequests: 1 });
      await producer.connect();
      return producer.transaction();
    };
    const outer = await begin('outer');
    await outer.send({ topic, messages: [{ key: Buffer.alloc(4), value: 'outer aborted 1' }] });
    const inner = await begin('inner');
    await inner.send({ topic, messages: [{ value: 'inner aborted' }] });
    await inner.abort();
    await outer.send({ topic, messages: [{ key: Buffer.alloc(4), value: 'outer aborted 2' }] });
    await outer.abort();
    const last = await begin('last');
    await last.send({ topic, messages: [{ key: Buffer.alloc(4), value: 'committed' }] });
    expect((await project.run()).rows).toBe(0);
    await last.commit();
    await untilEnd(client, topic, 0, 7);
    project.rewrite(job(topic).replace('value: value', 'value: "octet_length(key) || value"'));
    // Four zero bytes are no text for Postgres: the key may not be used.
    // At which offset depends on when the broker wrote the ends of the transactions before.
    expect((await project.run()).failures[0]?.message).toMatch(/stops at offset \d: the key is no text/);
    project.rewrite(job(topic));
    expect(await project.run()).toMatchObject({ rows: 1, failures: [] });
    expect((await project.rows('select value from main')).map(({ value }) => value)).toEqual(
      (await readTopic(topic)).map(({ value }) => value?.toString()),
    );
  });

  test('moves its offset over the ends of transactions, so that a quiet topic does not outlive it', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    const producer = client.kafka.producer({ transactionalId: topic, maxInFlightRequests: 1 });
    await producer.connect();
    for (const outcome of ['commit', 'abort', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: outcome }] });
      await transaction[outcome]();
    }
    await untilEnd(client, topic, 0, 6);
    expect((await project.run()).rows).toBe(1);
    expect(await project.rows('select next::int from pgtally.offsets')).toEqual([{ next: 6 }]);
    const last = await producer.transaction();
    await last.send({ topic, messages: [{ value: 'nothing but this' }] });
    await last.abort();
    await producer.disconnect();
    await untilEnd(client, topic, 0, 8);
    expect((await project.run()).rows).toBe(0);
    expect(await project.rows('select next::int from pgtally.offsets')).toEqual([{ next: 8 }]);
    await deleteRecords(client, topic, 0, 8);
    expect((await project.run()).failures).toEqual([]);
  });
});

describe('the columns of a job', () => {
  test('find tables and functions where the role looks, whatever a session was left with', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, '', '{value: "twice(value)"}'));
    await project.rows(`create schema app; create table app.main (value text);
      create function app.twice(text) returns text language sql as $$ select $1 || $1 $$;
      alter database ${project.database.name} set search_path = app`);
    await send(client, topic, 0, ['ab']);
    expect(await project.run()).toMatchObject({ rows: 1, failures: [] });
    expect(await project.rows('select value from app.main')).toEqual([{ value: 'abab' }]);
  });

  test('may not make several rows of a message, or one of several, by a function only the server knows', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, '', '{value: "twin(value)"}'));
    await project.rows(`create table main (value text);
      create function twin(text) returns setof text language sql as $$ select $1 union all select $1 $$`);
    await send(client, topic, 0, ['a']);
    const { rows, failures } = await project.run();
    expect(rows).toBe(0);
    expect(failures[0]).toMatchObject({
      kind: 'sql',
      message: '`twin` is a function that returns a set here, but column `value` is computed for each row by itself',
      place: { span: expect.anything() },
    });
  });
});

describe('an offset that the topic does not have', () => {
  test('below its log start or above its end halts the partition with both numbers; the others go on', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    for (const partition of [0, 1, 2]) await send(client, topic, partition, numbers(0, 10));
    await project.run();
    for (const partition of [0, 1, 2]) await send(client, topic, partition, numbers(10, 20));
    await deleteRecords(client, topic, 0, 15);
    await project.rows('update pgtally.offsets set next = 21 where partition = 1');
    const { rows, failures } = await project.run();
    expect(rows).toBe(10);
    expect(failures.map(({ message, hint }) => [message, hint])).toEqual([
      [
        `partition 0 of \`${topic}\` halts: the next offset 10 is below its log start 15: 5 offsets were deleted before they were read`,
        'to read what is left: `pgtally ingest reset take --partition 0 --to beginning`; to skip it: `pgtally ingest reset take --partition 0 --to end`',
      ],
      [
        `partition 1 of \`${topic}\` halts: the next offset 21 is above its end 20: the topic was made anew or lost records`,
        'to read what is there: `pgtally ingest reset take --partition 1 --to beginning`; to skip it: `pgtally ingest reset take --partition 1 --to end`',
      ],
    ]);
    expect(await project.rows('select next::int from pgtally.offsets order by partition')).toEqual([
      { next: 10 },
      { next: 21 },
      { next: 20 },
    ]);
  });

  test('is noticed in a topic that was made anew, also when it has grown as long again', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    await send(client, topic, 0, numbers(0, 5));
    await project.run();
    const admin = client.kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await expect.poll(() => topicExists(topic)).toBe(false);
    await expect
      .poll(() =>
        admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }).catch(() => false),
      )
      .toBe(true);
    await admin.disconnect();
    await send(client, topic, 0, numbers(100, 110));
    const { rows, failures } = await project.run();
    expect(rows).toBe(0);
    expect(failures.map(({ code, message }) => [code, message])).toEqual([
      [
        'INCONSISTENT_TOPIC_ID',
        `partition 0 of \`${topic}\` halts: the topic was deleted and made anew since it was read up to 5, and now has 0 to 10`,
      ],
    ]);
  });
});

describe('the tables of pgtally', () => {
  test('are made by the first run, also by two at the same time', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    await send(client, topic, 0, numbers(0, 10));
    const runs = await Promise.all([project.run(), project.run(), project.run()]);
    expect(runs.flatMap(({ failures }) => failures)).toEqual([]);
    expect(await project.rows('select count(*)::int as n, count(distinct "offset")::int as d from main')).toEqual([
      { n: 10, d: 10 },
    ]);
  });

  test('that a role may not make are an error with the SQL that makes them; run by their owner, it suffices', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic));
    const role = `r_${project.database.name}`;
    await project.rows(`create table main (partition int, "offset" bigint, value text);
      create role ${role} login; grant insert on main to ${role}`);
    onTestFinished(async () => {
      await project.rows(`drop owned by ${role}; drop role ${role}`);
    });
    const settings = readFileSync(`${project.folder}/pgtally.yaml`, 'utf8');
    project.write('pgtally.yaml', settings.replace(/postgres:\/\/[^@]*@/, `postgres://${role}@`));
    await send(client, topic, 0, ['x']);
    const [failure] = (await project.run()).failures;
    expect(failure?.message).toBe(
      `there is no table \`pgtally.offsets\` to keep next offsets in, and role \`${role}\` may not create it`,
    );
    const ddl = failure?.hint?.split(':\n')[1] ?? '';
    await project.rows(ddl);
    expect(await project.run()).toMatchObject({ rows: 1, failures: [] });
    expect(await project.run()).toMatchObject({ rows: 0, failures: [] });
    await project.rows(`revoke update on pgtally.offsets from ${role}`);
    await send(client, topic, 0, ['y']);
    expect((await project.run()).failures[0]).toMatchObject({ code: '42501', kind: 'sql' });
  });

  test('tell a job that was renamed, but not one that reads other partitions or is still there', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic));
    await project.rows('create table main (partition int, "offset" bigint, value text)');
    await send(client, topic, 0, numbers(0, 3));
    await project.run();
    project.write('jobs/other.yaml', job(topic).replace('take', 'zz-other'));
    expect((await project.run()).warnings).toEqual([]);
    project.rewrite(job(topic).replace('take', 'anew'));
    const first = await project.run();
    expect(first.rows).toBe(3);
    expect(first.warnings[0]).toContain(
      `job \`anew\` starts anew with topic \`${topic}\`, which job \`take\`, in no file any more, has read (partition 0 up to 3)`,
    );
    expect((await project.run()).warnings).toEqual([]);
  });
});
