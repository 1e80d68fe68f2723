import { describe, expect, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { jsonLines, testProject } from './project.ts';

const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;

describe('pgtally run', () => {
  test('publishes the rows of each server, keyed and with our headers, in one go', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const project = await testProject({
      servers: 3,
      jobs: {
        'counts.yaml': `query: select row_to_json(row(group_id, count(*))) from main group by group_id\ntopic: ${topic}\nkey: inet_server_addr()\nheaders: {database: current_database()}\n`,
      },
    });
    await project.database.sql(
      `create table main (group_id text, payload json); insert into main select 'P' || i % 2 from generate_series(1, 10) i`,
    );
    const result = await project.pgtally('run', 'counts', '--json');
    expect(result.stderr).toBe('3 published; 6 rows\n');
    expect(result.code).toBe(0);
    const lines = jsonLines(result.stdout);
    expect(lines.map(({ server, outcome, rows }) => [server, outcome, rows].join(' ')).toSorted()).toEqual([
      's1 published 2',
      's2 published 2',
      's3 published 2',
    ]);
    const records = await readTopic(topic);
    expect(records.map(({ key, value }) => `${text(key)} ${text(value)}`).toSorted()).toEqual(
      ['127.0.0.1/32', '127.0.0.2/32', '127.0.0.3/32'].flatMap((address) => [
        `${address} {"f1":"P0","f2":5}`,
        `${address} {"f1":"P1","f2":5}`,
      ]),
    );
    const headers = Object.fromEntries((records[0]?.headers ?? []).map(([name, value]) => [name, value?.toString()]));
    expect(Object.keys(headers)).toEqual([
      'pgtally-job',
      'pgtally-server',
      'pgtally-slot',
      'pgtally-trigger',
      'pgtally-run',
      'database',
    ]);
    expect(headers).toMatchObject({
      'pgtally-job': 'counts',
      'pgtally-trigger': 'manual',
      database: project.database.name,
    });
    expect(lines.map(({ run }) => run)).toContain(headers['pgtally-run']);
  });

  test('an error on the last of 100,000 rows leaves nothing visible and names the row', async () => {
    const topic = await freshTopic({ partitions: 4 });
    const project = await testProject({
      settings: 'limits: {buffer: 1 MiB}\n',
      jobs: {
        'last.yaml': `query: select i, 1 / (100000 - i) as x from generate_series(1, 100000) i\ntopic: ${topic}\nkey: i\n`,
      },
    });
    const result = await project.pgtally('run', 'last');
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^s1 {2}failed/);
    expect(result.stderr).toContain('division by zero');
    expect(await readTopic(topic)).toEqual([]);
    expect((await readTopic(topic, { isolation: 'read_uncommitted' })).length).toBeGreaterThan(0);
  });

  test('a result larger than its buffer streams, and every row arrives once', async () => {
    const topic = await freshTopic({ partitions: 4 });
    const project = await testProject({
      settings: 'limits: {buffer: 1 MiB}\n',
      jobs: {
        'large.yaml': `query: select i, repeat(md5(i::text), 3) as word from generate_series(1, 50000) i\ntopic: ${topic}\nkey: i\n`,
      },
    });
    const result = await project.pgtally('run', 'large', '--json');
    expect(result.stderr).toBe('');
    const records = await readTopic(topic);
    expect(records).toHaveLength(50_000);
    expect(new Set(records.map(({ key }) => text(key))).size).toBe(50_000);
  });

  test('a NULL key fails the run and names the row, unless it is allowed', async () => {
    const topic = await freshTopic();
    const job = (more: string): string =>
      `query: select nullif(i, 3) as i from generate_series(1, 5) i\ntopic: ${topic}\nkey: i\n${more}`;
    const project = await testProject({ jobs: { 'refused.yaml': job(''), 'allowed.yaml': job('null_key: allow\n') } });
    const refused = await project.pgtally('run', 'refused');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/row 3/);
    expect(await readTopic(topic)).toEqual([]);
    const allowed = await project.pgtally('run', 'allowed');
    expect(allowed.code).toBe(0);
    expect((await readTopic(topic)).map(({ key }) => text(key))).toEqual(['1', '2', null, '4', '5']);
  });

  test('--dry-run prints the exact records, without Kafka', async () => {
    const project = await testProject({
      brokers: '127.0.0.1:1',
      jobs: {
        'dry.yaml': `query: select i, 'é' as w from generate_series(1, 5) i\ntopic: NOWHERE\nkey: [i, w]\nheaders: {h: 'nullif(i, 2)'}\n`,
      },
    });
    const result = await project.pgtally('run', 'dry', '--dry-run', '--limit', '2');
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);
    const [first, second, ...rest] = jsonLines(result.stdout);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      topic: 'NOWHERE',
      partition: null,
      offset: null,
      ts: null,
      key: '["1","é"]',
      payload: '{"i":1,"w":"é"}',
    });
    expect((second?.headers as unknown[] | undefined)?.slice(-2)).toEqual(['h', null]);
  });

  test('a missing topic is an error with the command that makes it', async () => {
    const project = await testProject({
      jobs: { 'lost.yaml': 'query: select 1 as one\ntopic: {name: NOT-THERE, partitions: 2}\n' },
    });
    const result = await project.pgtally('run', 'lost');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('NOT-THERE');
    expect(result.stderr).toContain('pgtally topics create');
  });

  test('an SQL error that only the server knows is shown at its place in the file', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'wrong.yaml': `query: |\n  select id,\n         colour\n  from things\ntopic: ${topic}\n` },
    });
    await project.database.sql('create table things (id int)');
    const result = await project.pgtally('run', 'wrong');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('jobs/wrong.yaml:3:10: error: s1: column "colour" does not exist');
    expect(result.stderr).toMatch(/\^{6}|\^/);
  });

  test('a server that refuses fails alone; the others are published', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'some.yaml': `query: select 1 as one\ntopic: ${topic}\n` },
      moreServers: '  - name: dead\n    url: postgres://nobody@127.0.0.1:1/none\n',
    });
    const result = await project.pgtally('run', 'some');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('dead: ');
    expect(result.stderr).toContain('1 published, 1 failed');
    expect(await readTopic(topic)).toHaveLength(1);
  });

  test('waiting until `limits.connections` has room does not count against the timeout of a run', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      servers: 4,
      settings: 'limits: {connections: 1}\n',
      jobs: { 'slow.yaml': `query: select 1 as one from pg_sleep(0.9)\ntopic: ${topic}\ntimeout: 2s\n` },
    });
    const result = await project.pgtally('run', 'slow');
    expect(result.stderr).toContain('4 published; 4 rows');
    expect(result.code).toBe(0);
  });

  test('an unknown job, server or slot is wrong usage', async () => {
    const project = await testProject({
      jobs: { 'a.yaml': 'query: select :window_start as w\nschedule: "0 * * * *"\ntopic: T\n' },
    });
    for (const args of [
      ['run', 'b'],
      ['run', 'a', '--server', 'x*'],
      ['run', 'a', '--slot', '2027-01-01T00:30:00Z'],
      ['run', 'a', '--slot', 'soon'],
    ]) {
      const result = await project.pgtally(...args);
      expect([args, result.code]).toEqual([args, 2]);
      expect(result.stderr).toMatch(/^error: .*\nhint: /);
    }
  });
});
