import { describe, expect, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { jsonLines, type TestProject, testProject } from './project.ts';

const EVERY_SECOND = 'schedule: "* * * * * *"\n';

type Records = Awaited<ReturnType<typeof readTopic>>;

/** `server slot` of each record. */
function runsOf(records: Records): string[] {
  return records.map(({ headers }) => {
    const named = Object.fromEntries(headers);
    return `${named['pgtally-server']} ${named['pgtally-slot']}`;
  });
}

async function untilPublished(project: TestProject, count: number): Promise<void> {
  const daemon = project.start('start');
  await daemon.waitFor(new RegExp(`("outcome":"published"[^\\n]*\\n[\\s\\S]*){${count}}`), 30_000);
  await daemon.stop();
}

describe('what the ledger remembers', () => {
  test('a slot missed while stopped is published once after restart; status and history tell all of it', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({
      servers: 2,
      jobs: {
        'ticks.yaml': `${EVERY_SECOND}query: select :slot as slot\ntopic: ${topic}\ncatchup: all\noverlap: queue\n`,
      },
    });
    await untilPublished(project, 4);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await untilPublished(project, 10);

    const runs = runsOf(await readTopic(topic));
    expect(new Set(runs).size).toBe(runs.length);
    for (const server of ['s1', 's2']) {
      const slots = runs.filter((run) => run.startsWith(server)).map((run) => Date.parse(run.slice(3)));
      const sorted = slots.toSorted((a, b) => a - b);
      expect(sorted.slice(1).every((slot, index) => slot - (sorted[index] ?? 0) === 1000)).toBe(true);
    }

    const status = jsonLines((await project.pgtally('status', '--json')).stdout);
    expect(status.map(({ job, server, outcome, rows, owner }) => ({ job, server, outcome, rows, owner }))).toEqual([
      { job: 'ticks', server: 's1', outcome: 'published', rows: 1, owner: null },
      { job: 'ticks', server: 's2', outcome: 'published', rows: 1, owner: null },
    ]);
    const history = jsonLines((await project.pgtally('history', 'ticks', '-n', '100', '--json')).stdout);
    const published = history.filter(({ outcome }) => outcome === 'published');
    expect(published.map(({ server, slot }) => [server, slot].join(' ')).toSorted()).toEqual(runs.toSorted());
    expect(published.some(({ trigger }) => trigger === 'catchup')).toBe(true);
    expect(history.filter(({ outcome }) => outcome === 'registered')).toHaveLength(2);
  });

  test('pause holds every replica, its slots are skipped in the ledger, and resume goes on', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: { 'ticks.yaml': `${EVERY_SECOND}query: select 1 as one\ntopic: ${topic}\n` },
    });
    const daemon = project.start('start');
    await daemon.waitFor(/"outcome":"published"/, 30_000);
    expect((await project.pgtally('pause', 'ticks', '--note', 'vacuum full')).code).toBe(0);
    await daemon.waitFor(/"reason":"paused"/, 10_000);
    const paused = await project.pgtally('status');
    expect(paused.stdout).toMatch(/paused since .*: vacuum full/);
    expect(paused.stdout).toContain('skipped (paused)');
    const before = (await readTopic(topic)).length;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await readTopic(topic)).length).toBe(before);
    expect((await project.pgtally('resume', 'ticks')).code).toBe(0);
    await daemon.waitFor(/"reason":"paused"[\s\S]*"outcome":"published"/, 10_000);
    await daemon.stop();
    expect((await project.pgtally('pause', 'nothere')).code).toBe(2);
  });

  test('backfill runs past slots oldest first, goes on after a kill, and never moves the last slot', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      jobs: {
        'windows.yaml': `schedule: "0 * * * *"\nquery: select :window_start as from, :window_end as to, pg_sleep(0.3)::text as slept\ntopic: ${topic}\ndelay: 1s\n`,
      },
    });
    const range = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-01T12:00:00Z'];
    const dry = await project.pgtally('backfill', 'windows', ...range, '--dry-run');
    expect(dry.stdout.split('\n')[0]).toBe('2026-01-01T01:00:00Z  window 2026-01-01T00:00:00Z … 2026-01-01T01:00:00Z');
    expect(dry.stderr).toBe('12 slots on 1 servers\n');

    // The ledger's topics are made by the daemon.
    const daemon = project.start('start');
    await daemon.waitFor(/"msg":"registered"/, 30_000);
    await daemon.stop();
    const status = (await project.pgtally('status', '--json')).stdout;

    const killed = project.start('backfill', 'windows', ...range);
    await killed.waitFor(/(published[\s\S]*){3}/, 20_000);
    await killed.stop('SIGKILL');
    const rest = await project.pgtally('backfill', 'windows', ...range);
    expect(rest.stderr).toMatch(/s1: \d+ slots were done before/);
    expect(rest.code).toBe(0);

    const slots = runsOf(await readTopic(topic)).map((run) => run.slice(3));
    const expected = Array.from({ length: 12 }, (_, hour) =>
      new Date(Date.UTC(2026, 0, 1, hour + 1)).toISOString().replace('.000Z', 'Z'),
    );
    expect(slots).toEqual(expected);
    const after = (await project.pgtally('status', '--json')).stdout;
    expect(jsonLines(after)[0]?.slot).toEqual(jsonLines(status)[0]?.slot);
  });
});
