import { describe, expect, onTestFinished, test } from 'vitest';
import { createLanes } from '../../src/ingest/lanes.ts';
import { createPartitionWriter } from '../../src/ingest/partition-writer.ts';
import { createStatements } from '../../src/ingest/statements.ts';
import type { FetchedRecord } from '../../src/kafka/record.ts';
import { createConnectionKeeper } from '../../src/postgres/pool.ts';
import { openProject } from '../../src/project/open-project.ts';
import { TALLY_TABLE, tallyJob } from './exactly-once.ts';
import { type IngestProject, ingestProject } from './support.ts';

function records(from: number, to: number): FetchedRecord[] {
  return Array.from({ length: to - from }, (_, index) => ({
    offset: from + index,
    timestamp: 0,
    timestampType: 'create' as const,
    key: null,
    value: Buffer.from(String(from + index)),
    headers: [],
  }));
}

/** A writer of partition 0 whose row says `next`, and no topic behind it. */
async function writerAt(next: number, limit = Number.POSITIVE_INFINITY) {
  const project: IngestProject = await ingestProject(tallyJob('take', 'T', 'retries: 1'));
  await project.rows(TALLY_TABLE);
  await project.rows(`create schema pgtally; create table pgtally.offsets (job text, topic text, partition int, next bigint,
    topic_id text, owner text, moved_at timestamptz, primary key (job, topic, partition));
    insert into pgtally.offsets values ('take', 'T', 0, ${next})`);
  const opened = await openProject({ cwd: project.folder, env: {} });
  const prepared = opened.jobs[0];
  const server = prepared?.job.servers[0];
  if (prepared?.kind !== 'ingest' || !server || !opened.project) throw new Error(JSON.stringify(opened.problems));
  const connections = createConnectionKeeper(opened.project.limits);
  onTestFinished(() => connections.close());
  const stopping = new AbortController();
  const writer = createPartitionWriter({
    job: prepared.job,
    partition: 0,
    next,
    limit,
    owner: 'me',
    statements: createStatements(prepared),
    lanes: createLanes(connections, prepared, server, new AbortController().signal),
    stopping: stopping.signal,
  });
  const stored = async (): Promise<unknown> => (await project.rows('select next::int as n from pgtally.offsets'))[0]?.n;
  const written = async (): Promise<unknown[]> =>
    (await project.rows('select "offset"::int as o from main order by 1')).map(({ o }) => o);
  return { project, writer, stopping, stored, written };
}

describe('a partition writer', () => {
  test('moves its offset over what no reader sees, but never over messages it did not write', async () => {
    const { writer, stopping, stored, written } = await writerAt(0);
    await writer.write({ records: records(0, 3), after: 5 });
    await writer.advance(7);
    expect([await stored(), await written()]).toEqual([7, [0, 1, 2]]);
    stopping.abort();
    await writer.write({ records: records(7, 9), after: 9 });
    await writer.advance(9);
    expect([writer.next, await stored(), await written()]).toEqual([7, 7, [0, 1, 2]]);
  });

  test('neither moves over messages beyond its limit', async () => {
    const { writer, stored, written } = await writerAt(0, 2);
    await writer.write({ records: records(0, 5), after: 5 });
    await writer.advance(5);
    expect([writer.full, await stored(), await written()]).toEqual([true, 2, [0, 1]]);
  });

  test('goes on behind what another owner has written meanwhile', async () => {
    const { project, writer, stored, written } = await writerAt(0);
    await project.rows(`update pgtally.offsets set next = 4, owner = 'other'`);
    await writer.write({ records: records(0, 6), after: 6 });
    expect([writer.rows, writer.rewound, await stored(), await written()]).toEqual([2, false, 6, [4, 5]]);
  });

  test('has to be read again when the offset was set back, and writes nothing until then', async () => {
    const { project, writer, stored, written } = await writerAt(5);
    await project.rows('update pgtally.offsets set next = 2');
    await writer.write({ records: records(5, 7), after: 7 });
    expect([writer.rewound, writer.next, await stored(), await written()]).toEqual([true, 2, 2, []]);
    await writer.advance(7);
    expect(await stored()).toBe(2);
    writer.restart();
    await writer.write({ records: records(2, 4), after: 4 });
    expect([await stored(), await written()]).toEqual([4, [2, 3]]);
  });

  test('believes a row that has gone back without a message, and no row that was read before it wrote', async () => {
    const { writer, stored, written } = await writerAt(0);
    await writer.write({ records: records(0, 3), after: 3 });
    writer.found(0, 0);
    expect([writer.next, writer.rewound]).toEqual([3, false]);
    writer.found(1, 3);
    expect([writer.next, writer.rewound]).toEqual([1, true]);
    await writer.write({ records: records(3, 4), after: 4 });
    expect([await stored(), await written()]).toEqual([3, [0, 1, 2]]);
  });

  test('halts when its row is gone', async () => {
    const { project, writer, written } = await writerAt(0);
    await project.rows('delete from pgtally.offsets');
    await writer.write({ records: records(0, 2), after: 2 });
    expect(writer.failure?.message).toBe('the row of partition 0 of `T` is gone from pgtally.offsets');
    expect(await written()).toEqual([]);
  });
});
