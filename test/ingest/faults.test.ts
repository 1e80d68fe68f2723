// Short forms of what test/faults/ingest does for longer: whatever is killed, each message becomes one row.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { freshTopic } from '../stack/for-tests.ts';
import { NOTHING_WRONG, TALLY_TABLE, tally, tallyJob } from './exactly-once.ts';
import { ingestProject, kafka, numbers, send } from './support.ts';

/** A topic with so many messages in each partition, in several batches. */
async function filled(counts: readonly number[]): Promise<string> {
  const topic = await freshTopic({ partitions: counts.length });
  const client = await kafka();
  for (const [partition, count] of counts.entries()) {
    for (let from = 0; from < count; from += 2000)
      await send(client, topic, partition, numbers(from, Math.min(count, from + 2000)));
  }
  return topic;
}

/** Does something again and again until the test or the returned function ends it. */
function every(interval: number, work: () => Promise<unknown>): () => Promise<void> {
  let running = true;
  const loop = (async () => {
    while (running) {
      await work();
      await sleep(interval);
    }
  })();
  const stop = async (): Promise<void> => {
    running = false;
    await loop;
  };
  onTestFinished(stop);
  return stop;
}

test('three owners of the same batches at the same time double nothing', async () => {
  const counts = [6000, 6000, 6000];
  const topic = await filled(counts);
  const project = await ingestProject(tallyJob('take', topic));
  await project.rows(TALLY_TABLE);
  const results = await Promise.all([project.run(), project.run(), project.run()]);
  expect(results.flatMap(({ failures }) => failures)).toEqual([]);
  expect(results.reduce((total, { rows }) => total + rows, 0)).toBe(18_000);
  expect(await tally(project.database, counts)).toEqual(NOTHING_WRONG);
});

test('backends terminated every 20 ms lose and double nothing', { timeout: 60_000 }, async () => {
  const counts = [20_000, 20_000];
  const topic = await filled(counts);
  const project = await ingestProject(tallyJob('take', topic, 'retries: 1000'));
  await project.rows(TALLY_TABLE);
  let terminated = 0;
  const stop = every(20, async () => {
    const [row] = await project.rows(
      `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
       where datname = current_database() and application_name like 'pgtally/%'`,
    );
    terminated += Number(row?.n);
  });
  const result = await project.run();
  await stop();
  expect(result).toMatchObject({ rows: 40_000, failures: [] });
  expect(terminated).toBeGreaterThan(3);
  expect(await tally(project.database, counts)).toEqual(NOTHING_WRONG);
});

test('an ingester killed again and again, amid messages that come, loses and doubles nothing', {
  timeout: 90_000,
}, async () => {
  const counts = [30_000, 30_000];
  const topic = await filled(counts);
  const project = await ingestProject(tallyJob('take', topic));
  await project.rows(TALLY_TABLE);
  // Slow enough to be killed in the middle.
  await project.rows(`create function slow() returns trigger language plpgsql as
    $$ begin if new."offset" % 1000 = 0 then perform pg_sleep(0.03); end if; return new; end $$;
    create trigger slow before insert on main for each row execute function slow()`);
  let kills = 0;
  for (let round = 0; round < 4; round++) {
    const command = project.start('run', 'take');
    await sleep(500 + Math.random() * 700);
    const { signal } = await command.stop('SIGKILL');
    if (signal === 'SIGKILL') kills++;
  }
  const last = await project.pgtally('run', 'take');
  expect(last.code).toBe(0);
  expect(kills).toBeGreaterThan(0);
  expect(await tally(project.database, counts)).toEqual(NOTHING_WRONG);
});
