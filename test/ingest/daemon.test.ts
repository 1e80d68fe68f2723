import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { jsonLines, type TestProject, testProject } from '../cli/project.ts';
import { freshTopic } from '../stack/for-tests.ts';
import { kafka, numbers, send } from './support.ts';

const job = (name: string, topic: string, how: string) =>
  `name: ${name}\n${how}\ningest:\n  topic: ${topic}\n  into: main\n  columns: {partition: partition, "offset": "\\"offset\\"", n: "value::int"}\n`;
const TABLE = 'create table main (partition int, "offset" bigint, n int)';

async function project(jobs: Readonly<Record<string, string>>): Promise<TestProject> {
  const made = await testProject({ jobs });
  await made.database.sql(TABLE);
  return made;
}

const count = async (made: TestProject): Promise<unknown> =>
  (await made.database.sql('select count(*)::int as n, count(distinct (partition, "offset"))::int as d from main'))[0];

describe('the daemon', () => {
  test('runs an ingest job at its slots and records how they ended', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const client = await kafka();
    const made = await project({ 'take.yaml': job('take', topic, 'schedule: "* * * * * *"') });
    await send(client, topic, 0, numbers(0, 10));
    const daemon = made.start('start');
    await daemon.waitFor(/"outcome":"published".*"rows":10/);
    await send(client, topic, 1, ['1', 'poison', '3']);
    await daemon.waitFor(/"outcome":"failed".*stops at offset 1/);
    await daemon.stop();
    expect(await count(made)).toEqual({ n: 11, d: 11 });
    const history = jsonLines((await made.pgtally('history', 'take', '--json')).stdout);
    expect(history).toContainEqual(expect.objectContaining({ outcome: 'published', rows: 10 }));
    expect(history).toContainEqual(expect.objectContaining({ outcome: 'failed', rows: 1 }));
  });

  test('reads a stream as messages come, goes on after a partition was mended, and hands over at a stop', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const client = await kafka();
    const made = await project({ 'take.yaml': job('take', topic, 'stream: true') });
    const daemon = made.start('start');
    await daemon.waitFor(/stream started/);
    for (let round = 0; round < 5; round++) await send(client, topic, round % 2, numbers(0, 10));
    await expect.poll(() => count(made), { timeout: 20_000 }).toEqual({ n: 50, d: 50 });
    await send(client, topic, 0, ['poison', '1']);
    await daemon.waitFor(/stream held up.*"partition":0.*stops at offset 30/);
    await send(client, topic, 1, ['5']);
    await expect.poll(() => count(made), { timeout: 20_000 }).toEqual({ n: 51, d: 51 });
    const reset = await made.pgtally('ingest', 'reset', 'take', '--partition', '0', '--to', '31', '--yes');
    expect(reset.code).toBe(0);
    made.write('jobs/take.yaml', job('take', topic, 'description: changed\nstream: true'));
    await expect.poll(() => count(made), { timeout: 20_000 }).toEqual({ n: 52, d: 52 });
    const { stderr, code } = await daemon.stop();
    expect(code).toBe(0);
    expect(stderr).toMatch(/stream ended[\s\S]*stopped/);
  });

  test('leaves a paused stream to nobody', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const made = await project({ 'take.yaml': job('take', topic, 'stream: true') });
    const daemon = made.start('start');
    await daemon.waitFor(/stream started/);
    expect((await made.pgtally('pause', 'take')).code).toBe(0);
    await daemon.waitFor(/stream ended/);
    await send(client, topic, 0, ['1']);
    await sleep(300);
    expect(await count(made)).toEqual({ n: 0, d: 0 });
    expect((await made.pgtally('resume', 'take')).code).toBe(0);
    await expect.poll(() => count(made), { timeout: 20_000 }).toEqual({ n: 1, d: 1 });
    await daemon.stop();
  });
});
