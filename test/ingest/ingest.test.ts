import { describe, expect, test } from 'vitest';
import { freshTopic } from '../stack/for-tests.ts';
import { ingestProject, kafka, numbers, send } from './support.ts';

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
});
