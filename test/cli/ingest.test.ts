import { describe, expect, test } from 'vitest';
import { freshTopic } from '../stack/for-tests.ts';
import { startPgtally } from '../stack/run-pgtally.ts';
import { jsonLines, type TestProject, testProject } from './project.ts';

const job = (topic: string) => `name: take\ningest:\n  topic: ${topic}\n  into: main\n  columns: {n: "value::int"}\n`;

async function lines(project: TestProject, topic: string, partition: number, texts: readonly string[]): Promise<void> {
  const stdin = texts.map((payload) => JSON.stringify({ partition, payload })).join('\n');
  const { code, stderr } = await startPgtally(['produce', topic, '--envelope'], { cwd: project.folder, stdin }).result;
  if (code !== 0) throw new Error(stderr);
}

describe('pgtally run of an ingest job', () => {
  test('writes the topic into the table and tells it as of any job', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({ jobs: { 'take.yaml': job(topic) } });
    await project.database.sql('create table main (n int)');
    await lines(project, topic, 0, ['1', '2', '3']);
    const first = await project.pgtally('run', 'take', '--json');
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    expect(jsonLines(first.stdout)).toEqual([
      expect.objectContaining({ job: 'take', server: 's1', outcome: 'published', rows: 3 }),
    ]);
    const second = await project.pgtally('run', 'take');
    expect(second.stdout).toMatch(/^s1 {2}empty {2}\d+ ms\n$/);
    expect(await project.database.sql('select n from main order by n')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test('shows what fails at its place in the file, and each partition that stops', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({ jobs: { 'take.yaml': job(topic) } });
    await lines(project, topic, 0, ['1', 'x']);
    await lines(project, topic, 1, ['2', 'y', '3']);
    const missing = await project.pgtally('run', 'take');
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('jobs/take.yaml:4:9: error: s1: relation "main" does not exist');
    await project.database.sql('create table main (n int)');
    const stopped = await project.pgtally('run', 'take');
    expect(stopped.code).toBe(1);
    for (const partition of [0, 1])
      expect(stopped.stderr).toContain(`partition ${partition} of \`${topic}\` stops at offset 1`);
    expect(await project.database.sql('select n from main order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('takes no options of publishing', async () => {
    const project = await testProject({ jobs: { 'take.yaml': job('T') } });
    for (const args of [['--dry-run'], ['--slot', '2027-01-01T00:00:00Z'], ['--server', 's1']]) {
      const result = await project.pgtally('run', 'take', ...args);
      expect([args, result.code]).toEqual([args, 2]);
      expect(result.stderr).toContain('which is an ingest job\nhint: ');
    }
  });
});

describe('pgtally ingest reset', () => {
  test('sets the next offset after saying what it means, and only when it is confirmed', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({ jobs: { 'take.yaml': job(topic) } });
    await project.database.sql('create table main (n int)');
    await lines(project, topic, 0, ['1', 'x', '3']);
    await lines(project, topic, 1, ['4', '5']);
    await project.pgtally('run', 'take');
    const unconfirmed = await project.pgtally('ingest', 'reset', 'take', '--partition', '0', '--to', '2');
    expect(unconfirmed.code).toBe(2);
    expect(unconfirmed.stderr).toContain('0          1     2       offsets 1 to 1 are left out');
    expect(unconfirmed.stderr).toContain('add --yes if that is meant');
    expect((await project.pgtally('run', 'take')).code).toBe(1);
    const done = await project.pgtally('ingest', 'reset', 'take', '--partition', '0', '--to', '2', '--yes');
    expect(done).toMatchObject({ code: 0 });
    expect((await project.pgtally('run', 'take')).code).toBe(0);
    const again = await project.pgtally('ingest', 'reset', 'take', '--partition', '1', '--to', 'beginning', '--yes');
    expect(again.stderr).toContain('offsets 0 to 1 are written again');
    await project.pgtally('run', 'take');
    expect((await project.database.sql('select n from main order by n')).map(({ n }) => n)).toEqual([1, 3, 4, 4, 5, 5]);
    await project.pgtally('ingest', 'reset', 'take', '--to', 'end', '--yes');
    expect(await project.database.sql('select next::int from pgtally.offsets order by partition')).toEqual([
      { next: 3 },
      { next: 2 },
    ]);
  });

  test('refuses what the topic does not have and what it cannot know', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({
      jobs: { 'take.yaml': job(topic), 'publish.yaml': 'query: select 1 as one\ntopic: T\n' },
    });
    for (const [args, message] of [
      [
        ['take', '--to', '5', '--partition', '0', '--yes'],
        `offset 5 is not in partition 0 of \`${topic}\`, which has 0 to 0`,
      ],
      [['take', '--to', '0', '--yes'], 'an offset is of one partition, and job `take` reads 2'],
      [['take', '--to', 'end', '--partition', '7', '--yes'], 'job `take` does not read partition 7'],
      [['take', '--to', 'middle'], '--to: `middle` is no place in a topic'],
      [['take'], '--to is missing'],
      [['publish', '--to', 'end'], 'job `publish` publishes: it has no offsets'],
    ] as const) {
      const result = await project.pgtally('ingest', 'reset', ...args);
      expect([args, result.code]).toEqual([args, 2]);
      expect(result.stderr).toContain(`error: ${message}`);
    }
  });
});
