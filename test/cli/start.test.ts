import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { startKafka } from '../stack/kafka-broker.ts';
import { jsonLines, testProject } from './project.ts';

const EVERY_SECOND = 'schedule: "* * * * * *"\n';

interface LogLine {
  readonly msg: string;
  readonly slot?: string;
  readonly outcome?: string;
  readonly server?: string;
  readonly error?: string;
  readonly reason?: string;
}

const log = (stderr: string): LogLine[] =>
  jsonLines(
    stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .join('\n'),
  ) as unknown as LogLine[];

const slotsOf = (records: Awaited<ReturnType<typeof readTopic>>): string[] =>
  records.map(({ headers }) => String(headers.find(([name]) => name === 'pgtally-slot')?.[1]));

describe('pgtally start', () => {
  test('publishes each slot of each server once, and ends within 10 s of SIGTERM with nothing half-published', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({
      servers: 3,
      jobs: {
        'ticks.yaml': `${EVERY_SECOND}query: select i from generate_series(1, 2) i\ntopic: ${topic}\nkey: inet_server_addr()\n`,
      },
    });
    const daemon = project.start('start');
    await daemon.waitFor(/("msg":"published"[^\n]*\n[\s\S]*){9}/, 20_000);
    const ended = await daemon.stop();
    expect(ended.code).toBe(0);
    const published = log(ended.stderr).filter((line) => line.outcome === 'published');
    const seen = new Map<string, number>();
    for (const record of await readTopic(topic)) {
      const headers = Object.fromEntries(record.headers);
      const run = `${headers['pgtally-server']} ${headers['pgtally-slot']}`;
      seen.set(run, (seen.get(run) ?? 0) + 1);
    }
    expect([...new Set(seen.values())]).toEqual([2]);
    expect([...seen.keys()].toSorted()).toEqual(published.map(({ server, slot }) => `${server} ${slot}`).toSorted());
  });

  test('ends at a SIGTERM while it joins the ledger, and holds no shard any more', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'ticks.yaml': `${EVERY_SECOND}query: select 1 as one\ntopic: ${topic}\n` },
    });
    const daemon = project.start('start');
    await daemon.waitFor(/"msg":"serving the status page"/);
    expect((await daemon.stop()).code).toBe(0);
    const next = project.start('start');
    await next.waitFor(/"outcome":"published"/);
    await next.stop();
  });

  test('goes on after a failure of one server, and says what failed', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'ticks.yaml': `${EVERY_SECOND}query: select 1 as one\ntopic: ${topic}\nretries: 0\n` },
      moreServers: '  - name: dead\n    url: postgres://nobody@127.0.0.1:1/none\n',
    });
    const daemon = project.start('start');
    await daemon.waitFor(/("server":"s1"[^\n]*"outcome":"published"[^\n]*\n[\s\S]*){3}/, 20_000);
    const lines = log((await daemon.stop()).stderr);
    const dead = lines.find((line) => line.server === 'dead' && line.outcome === 'failed');
    expect(dead?.error).toContain('connection refused');
    expect(lines.filter((line) => line.server === 'dead' && line.outcome === 'published')).toEqual([]);
  });

  test('division by zero on row 3 publishes nothing of that slot and is final', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: {
        'zero.yaml': `${EVERY_SECOND}query: select 1 / (3 - i) as x from generate_series(1, 5) i\ntopic: ${topic}\n`,
      },
    });
    const daemon = project.start('start');
    await daemon.waitFor(/"outcome":"failed"/, 20_000);
    const lines = log((await daemon.stop()).stderr);
    expect(lines.find((line) => line.outcome === 'failed')?.error).toContain('division by zero');
    expect(lines.some((line) => line.msg === 'will retry')).toBe(false);
    expect(await readTopic(topic)).toEqual([]);
  });

  test('a query that takes longer than its interval skips the slots it overlaps, and says so', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'slow.yaml': `${EVERY_SECOND}query: select 1 as one, pg_sleep(2.3)::text as slept\ntopic: ${topic}\n` },
    });
    const daemon = project.start('start');
    await daemon.waitFor(/("outcome":"skipped"[^\n]*\n[\s\S]*){2}/, 30_000);
    const lines = log((await daemon.stop()).stderr);
    expect(lines.filter((line) => line.outcome === 'skipped').every((line) => line.reason === 'overlap')).toBe(true);
    const published = lines.filter((line) => line.outcome === 'published').map((line) => line.slot);
    expect(slotsOf(await readTopic(topic))).toEqual(published);
  });

  test('Kafka down at start and again in the middle is downtime: every slot is published once, or recorded as missed', async () => {
    const kafka = await startKafka();
    try {
      const project = await testProject({
        brokers: kafka.bootstrap,
        jobs: {
          'ticks.yaml': `${EVERY_SECOND}query: select :slot as slot\ntopic: {name: DOWN, partitions: 1}\ncatchup: all\n`,
        },
      });
      expect((await project.pgtally('topics', 'create')).code).toBe(0);
      await kafka.stop();
      const daemon = project.start('start');
      await daemon.waitFor(/kafka/i, 15_000);
      await kafka.restart();
      await daemon.waitFor(/"outcome":"published"/, 30_000);
      await kafka.kill();
      await daemon.waitFor(/"msg":"Kafka is not reached: nothing is dispatched"/, 20_000);
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await kafka.restart();
      const before = log(daemon.stderr()).filter((line) => line.outcome === 'published').length;
      await daemon.waitFor(new RegExp(`("outcome":"published"[^\\n]*\\n[\\s\\S]*){${before + 6}}`), 45_000);
      const lines = log((await daemon.stop()).stderr);
      const slots = slotsOf(await readTopic('DOWN', { bootstrap: kafka.bootstrap }));
      expect(new Set(slots).size).toBe(slots.length);
      const times = slots.map((slot) => Date.parse(slot)).toSorted((a, b) => a - b);
      const gaps = times.slice(1).filter((time, index) => time - (times[index] ?? 0) !== 1000);
      expect(gaps).toEqual([]);
      expect(lines.filter((line) => line.outcome === 'failed')).toEqual([]);
      expect(lines.find((line) => line.msg === 'Kafka is not reached: nothing is dispatched')).toMatchObject({
        error: expect.stringContaining(kafka.bootstrap),
        hint: expect.stringContaining('kafka.brokers'),
      });
    } finally {
      await kafka.discard();
    }
  }, 120_000);

  test('a changed file is taken over; a wrong one is refused and the old one stays', async () => {
    const topic = await freshTopic();
    const job = (query: string): string => `${EVERY_SECOND}query: ${query}\ntopic: ${topic}\n`;
    const project = await testProject({ jobs: { 'edit.yaml': job("select 'old' as word") } });
    const daemon = project.start('start');
    await daemon.waitFor(/"outcome":"published"/, 20_000);
    project.write('jobs/edit.yaml', job('selec'));
    await daemon.waitFor(/jobs\/edit\.yaml:2:8: error/, 10_000);
    const after = log(daemon.stderr()).filter((line) => line.outcome === 'published').length;
    await daemon.waitFor(new RegExp(`("outcome":"published"[^\\n]*\\n[\\s\\S]*){${after + 1}}`), 10_000);
    project.write('jobs/edit.yaml', job("select 'new' as word"));
    await daemon.waitFor(/"msg":"reloaded"/, 10_000);
    const more = log(daemon.stderr()).filter((line) => line.outcome === 'published').length;
    await daemon.waitFor(new RegExp(`("outcome":"published"[^\\n]*\\n[\\s\\S]*){${more + 2}}`), 10_000);
    expect((await daemon.stop('SIGINT')).code).toBe(0);
    const values = (await readTopic(topic)).map(({ value }) => value?.toString());
    expect([...new Set(values)]).toEqual(['{"word":"old"}', '{"word":"new"}']);
    expect(existsSync(project.folder)).toBe(true);
  });
});
