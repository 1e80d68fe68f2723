import { describe, expect, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { testProject } from './project.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const RANDOM = /^[\w-]{32}$/;

describe('pgtally generate', () => {
  test('sends fifty rows with a uuid as key and 32 random characters as value, over all partitions', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const project = await testProject({ jobs: {} });
    expect(await project.pgtally('generate', topic)).toMatchObject({ code: 0, stderr: `50 records to ${topic}\n` });
    const records = await readTopic(topic);
    expect(records).toHaveLength(50);
    for (const { key, value } of records) {
      expect(key?.toString()).toMatch(UUID);
      expect(value?.toString()).toMatch(RANDOM);
    }
    expect(new Set(records.map(({ key }) => key?.toString())).size).toBe(50);
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(3);
  });

  test('without keys sends the whole row as value, of the size that is wanted', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    await project.pgtally('generate', topic, '--no-key', '--count', '3', '--size', '100');
    const records = await readTopic(topic);
    expect(records.map(({ key, value }) => [key, value?.length])).toEqual([
      [null, 137],
      [null, 137],
      [null, 137],
    ]);
    expect(records[0]?.value?.toString()).toMatch(/^[0-9a-f-]{36};[\w-]{100}$/);
  });

  test('goes on every so often until it is stopped', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    const command = project.start('generate', topic, '--count', '5', '--every', '100ms');
    await command.waitFor(/(5 records to .*\n){3}/);
    const { code, stderr } = await command.stop('SIGINT');
    expect(code).toBe(0);
    expect((await readTopic(topic)).length).toBe(5 * (stderr.match(/5 records/g)?.length ?? 0));
  });

  test('at a rate sends so many in a second, and no more than `--count`', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    const result = await project.pgtally('generate', topic, '--rate', '1000', '--count', '700');
    expect(result.stderr).toBe(`700 records to ${topic}\n`);
    const records = await readTopic(topic);
    expect(records).toHaveLength(700);
    const times = records.map(({ timestamp }) => timestamp);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(500);
  });

  test('does not create a topic, and says what it does not understand', async () => {
    const project = await testProject({ jobs: {} });
    const missing = await project.pgtally('generate', 'NOT-THERE');
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('pgtally topics create NOT-THERE');
    for (const args of [
      ['--every', 'soon'],
      ['--every', '1s', '--rate', '5'],
      ['--count', '-1'],
    ]) {
      const result = await project.pgtally('generate', 'T', ...args);
      expect([args, result.code]).toEqual([args, 2]);
    }
  });
});
