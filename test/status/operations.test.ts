// What metrics, health and logs say of a daemon with a healthy and a failing server, on real Kafka and real Postgres.
import { describe, expect, test } from 'vitest';
import { jsonLines, type TestProject, testProject } from '../cli/project.ts';
import { freshTopic } from '../stack/for-tests.ts';
import { runPgtally } from '../stack/run-pgtally.ts';
import { addressOf, get, health, metrics, until } from './ask.ts';

const CANARY = 'canary-7f3a9c';
const settings = (more = ''): string => `status: {listen: "127.0.0.1:0"}\n${more}`;

/** Two servers that are one database, and a job that fails on the one of which the table says so. */
async function fleet(topic: string): Promise<TestProject> {
  const project = await testProject({
    servers: 2,
    settings: settings(),
    jobs: {
      'tally.yaml': `schedule: "* * * * * *"\ntopic: ${topic}\nquery: |\n  select 1 / count(*) as ratio, :server as server from fine where server = :server\nkey: server\n`,
    },
  });
  await project.database.sql("create table fine (server text); insert into fine values ('s1'), ('s2')");
  return project;
}

describe('a daemon with a healthy and a failing server', () => {
  test('says so in metrics, health and log: before, while it fails, and after', async () => {
    const project = await fleet(await freshTopic());
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);

    // Before.
    await daemon.waitFor(/("outcome":"published"[^\n]*\n[\s\S]*){4}/, 20_000);
    const before = await metrics(url);
    const runs = (outcome: string, server: string) => ({ job: 'tally', outcome, server });
    expect(before.value('pgtally_runs_total', runs('failed', 's1'))).toBe(0);
    expect(before.value('pgtally_runs_total', runs('failed', 's2'))).toBe(0);
    expect(before.value('pgtally_runs_total', runs('published', 's1'))).toBeGreaterThan(0);
    expect(before.value('pgtally_server_up', { server: 's2' })).toBe(1);
    expect(before.value('pgtally_job_servers', { job: 'tally' })).toBe(2);
    expect(before.value('pgtally_job_servers_failing', { job: 'tally' })).toBe(0);
    expect(before.value('pgtally_job_interval_seconds', { job: 'tally' })).toBe(1);
    expect(before.value('pgtally_shards_owned')).toBe(8);
    expect(before.value('pgtally_shards_unowned')).toBe(0);
    expect(before.value('pgtally_kafka_up')).toBe(1);
    expect(before.value('pgtally_dispatch_lag_seconds', { job: 'tally' })).toBeGreaterThanOrEqual(0);
    expect(await health(url)).toMatchObject({ status: 200, body: { status: 'ok', degraded: false, failing: [] } });
    expect(await get(`${url}/healthz`)).toEqual({ status: 200, text: 'ok\n' });
    expect(await get(`${url}/readyz`)).toEqual({ status: 200, text: 'ok\n' });

    // While it fails.
    await project.database.sql("delete from fine where server = 's2'");
    const failed = await until(
      () => health(url),
      ({ status }) => status === 503,
    );
    expect(failed.body.reasons).toEqual([
      'the last 3 slots of `tally` failed on 1 of 2 servers, which is more than 10 %',
      '1 (job, server) failing',
    ]);
    expect(failed.body).toMatchObject({ status: 'failing', degraded: true, failing_count: 1 });
    expect(failed.body.failing[0]).toMatchObject({ job: 'tally', server: 's2', waiting: false });
    expect(failed.body.failing[0]?.error).toMatchObject({ kind: 'data', message: 'division by zero' });
    expect(failed.body.failing[0]?.failures).toBeGreaterThanOrEqual(3);
    const during = await metrics(url);
    expect(during.value('pgtally_runs_total', runs('failed', 's2'))).toBeGreaterThanOrEqual(3);
    expect(during.value('pgtally_runs_total', runs('failed', 's1'))).toBe(0);
    // A failed run is no empty one, and moves neither rows nor the last success.
    expect(during.value('pgtally_runs_total', runs('empty', 's2'))).toBeUndefined();
    expect(during.value('pgtally_server_up', { server: 's2' })).toBe(1);
    expect(during.value('pgtally_job_servers_failing', { job: 'tally' })).toBe(1);
    const since = during.value('pgtally_last_success_timestamp_seconds', { server: 's2' }) ?? 0;
    expect(during.value('pgtally_last_success_timestamp_seconds', { server: 's1' })).toBeGreaterThan(since);
    expect(Date.parse(failed.body.failing[0]?.succeeded ?? '') / 1000).toBe(since);
    expect(await get(`${url}/healthz`)).toMatchObject({ status: 200 });

    // After a restart all of it is still known.
    await daemon.stop();
    const again = project.start('start', '--log', 'json');
    const newUrl = await addressOf(again);
    await until(
      () => get(`${newUrl}/readyz`),
      ({ status }) => status === 200,
    );
    const restarted = await until(
      () => health(newUrl),
      ({ body }) => body.kafka === 'reached',
    );
    expect(restarted).toMatchObject({ status: 503, body: { failing: [{ server: 's2' }] } });
    expect((await metrics(newUrl)).value('pgtally_last_success_timestamp_seconds', { server: 's2' })).toBe(since);

    // And its end. It was met by this daemon too: one that starts quickly enough would never see it fail.
    await again.waitFor(/"msg":"failed"/);
    await project.database.sql("insert into fine values ('s2')");
    await until(
      () => health(newUrl),
      ({ status, body }) => status === 200 && body.status === 'ok',
    );
    const after = await metrics(newUrl);
    expect(after.value('pgtally_job_servers_failing', { job: 'tally' })).toBe(0);
    expect(after.value('pgtally_last_success_timestamp_seconds', { server: 's2' })).toBeGreaterThan(since);
    await again.stop();

    const first = jsonLines(daemon.stderr()).filter(({ server }) => server === 's2');
    expect(first.filter(({ msg }) => msg === 'failed')).toMatchObject([
      { level: 'error', job: 'tally', outcome: 'failed', error: 'division by zero', code: '22012' },
    ]);
    const all = [...jsonLines(daemon.stderr()), ...jsonLines(again.stderr())].filter(({ server }) => server === 's2');
    const counted = all.filter(({ msg }) => msg === 'still failing' || msg === 'back');
    const history = jsonLines(
      (await project.pgtally('history', 'tally', '--json', '--server', 's2', '-n', '1000')).stdout,
    );
    const failures = history.filter(({ outcome }) => outcome === 'failed').length;
    expect(counted.map(({ msg }) => msg)).toEqual(['still failing', 'back']);
    // Each failed run is in a count: of the first daemon's last word, and of the second's line of its end.
    expect(counted.reduce((sum, { runs: told }) => sum + Number(told), 0)).toBe(failures);
  }, 90_000);

  test('a server that is not there is down, its slot waits, and health says so before anything is recorded', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      servers: 1,
      settings: settings(),
      moreServers: '  - {name: gone, url: "postgres://u@127.0.0.1:1/a"}\n',
      jobs: {
        // It uses the window: its slot is tried again for an hour before it has failed.
        'all.yaml': `schedule: "* * * * * *"\ndelay: 0s\ntopic: ${topic}\nquery: select 1 as one where now() >= :window_start\n`,
      },
    });
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);
    const { body } = await until(
      () => health(url),
      ({ status, body: { kafka } }) => status === 503 && kafka === 'reached',
    );
    expect(body.failing).toMatchObject([
      { job: 'all', server: 'gone', failures: 0, waiting: true, succeeded: null, error: { kind: 'connection' } },
    ]);
    const now = await metrics(url);
    expect(now.value('pgtally_server_up', { server: 'gone' })).toBe(0);
    expect(now.value('pgtally_server_up', { server: 's1' })).toBe(1);
    expect(now.value('pgtally_servers', { state: 'down' })).toBe(1);
    expect(now.value('pgtally_runs_waiting', { job: 'all' })).toBe(1);
    expect(now.value('pgtally_runs_total', { server: 'gone', outcome: 'failed' })).toBe(0);

    // What the files no longer name has no series any more.
    project.write('jobs/all.yaml', `schedule: "* * * * * *"\nservers: s1\ntopic: ${topic}\nquery: select 1 as one\n`);
    await until(
      () => metrics(url),
      ({ series }) => !series.some(({ labels }) => labels.server === 'gone'),
    );
    project.write(
      'jobs/all.yaml',
      `name: other\nschedule: "* * * * * *"\nservers: s1\ntopic: ${topic}\nquery: select 1 as one\n`,
    );
    await until(
      () => metrics(url),
      ({ series }) =>
        series.some(({ labels }) => labels.job === 'other') && !series.some(({ labels }) => labels.job === 'all'),
    );
    expect((await daemon.stop()).code).toBe(0);
  }, 60_000);

  test('skipped slots are counted once each by their reason, and series need carry no servers', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      servers: 2,
      settings: settings('metrics: {per_server: "off"}\n'),
      jobs: {
        'slow.yaml': `schedule: "* * * * * *"\ntopic: ${topic}\nquery: select 1 as one from pg_sleep(2.2)\n`,
        'held.yaml': `schedule: "* * * * * *"\ntopic: ${topic}\nquery: select 1 as one\n`,
      },
    });
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);
    await daemon.waitFor(/"job":"held"[^\n]*"outcome":"published"/, 20_000);
    expect((await project.pgtally('pause', 'held')).code).toBe(0);
    const seen = await until(
      () => metrics(url),
      (now) =>
        (now.value('pgtally_slots_skipped_total', { job: 'slow', reason: 'overlap' }) ?? 0) >= 4 &&
        (now.value('pgtally_slots_skipped_total', { job: 'held', reason: 'paused' }) ?? 0) >= 6,
    );
    expect(seen.series.filter(({ labels }) => 'server' in labels)).toEqual([]);
    expect(seen.value('pgtally_job_paused', { job: 'held' })).toBe(1);
    expect(seen.value('pgtally_job_paused', { job: 'slow' })).toBe(0);

    // After the pause its slots stand in the history: the last record of each server counts all of them.
    const published = { job: 'held', outcome: 'published' };
    const before = seen.value('pgtally_runs_total', published) ?? 0;
    expect((await project.pgtally('resume', 'held')).code).toBe(0);
    const after = await until(
      () => metrics(url),
      (now) => (now.value('pgtally_runs_total', published) ?? 0) >= before + 4,
    );
    await daemon.stop();
    const history = jsonLines((await project.pgtally('history', 'held', '--json', '-n', '1000')).stdout);
    const paused = history.filter(({ outcome }) => outcome === 'skipped');
    const slots = ['s1', 's2'].map((name) =>
      Math.max(...paused.filter(({ server }) => server === name).map((record) => Number(record.slots))),
    );
    expect(after.value('pgtally_slots_skipped_total', { job: 'held', reason: 'paused' })).toBe(
      slots.reduce((sum, count) => sum + count),
    );
  }, 60_000);

  test('a stream that is held up at a message is told by metrics and health, and how far it is behind', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      settings: settings(),
      jobs: { 'take.yaml': `stream: true\ningest: {topic: ${topic}, into: main, columns: {n: "value::int"}}\n` },
    });
    await project.database.sql('create table main (n int)');
    const produce = async (lines: string): Promise<void> => {
      expect((await runPgtally(['produce', topic], { cwd: project.folder, stdin: lines })).code).toBe(0);
    };
    await produce('1\n2\n');
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);
    const running = await until(
      () => metrics(url),
      (now) => now.value('pgtally_rows_total', { job: 'take', server: 's1' }) === 2,
    );
    expect(running.value('pgtally_ingest_lag', { job: 'take', partition: '0' })).toBe(0);
    expect(running.value('pgtally_job_servers_failing', { job: 'take' })).toBe(0);
    expect(await health(url)).toMatchObject({ status: 200, body: { status: 'ok' } });
    await produce('poison\n4\n5\n');
    await daemon.waitFor(/stream held up/, 20_000);
    const held = await health(url);
    expect(held).toMatchObject({ status: 200, body: { status: 'degraded', failing_count: 1 } });
    expect(held.body.failing).toMatchObject([{ job: 'take', server: 's1', waiting: true, error: { kind: 'data' } }]);
    const now = await metrics(url);
    expect(now.value('pgtally_job_servers_failing', { job: 'take' })).toBe(1);
    expect(now.value('pgtally_ingest_lag', { job: 'take', partition: '0' })).toBeGreaterThan(0);
    await daemon.stop();
  }, 60_000);

  test('before Kafka is there it lives, and is neither ready nor healthy', async () => {
    const project = await testProject({
      settings: settings(),
      brokers: '127.0.0.1:1',
      jobs: { 'a.yaml': 'schedule: "* * * * * *"\ntopic: T\nquery: select 1 as one\n' },
    });
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);
    await daemon.waitFor(/waiting for Kafka/);
    expect(await get(`${url}/healthz`)).toEqual({ status: 200, text: 'ok\n' });
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 503 });
    const { status, body } = await health(url);
    expect([status, body.kafka, body.reasons]).toEqual([503, 'waited for', ['Kafka is waited for: nothing runs']]);
    expect((await metrics(url)).value('pgtally_kafka_up')).toBe(0);
    await daemon.stop();
  });

  test('no password is in log, metrics or health', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      servers: 1,
      settings: `status: {listen: "127.0.0.1:0", token: ${CANARY}-token}\n`,
      moreServers: `  - {name: inline, url: "postgres://u:${CANARY}-url@127.0.0.1:1/a"}\n  - {name: field, url: "postgres://u@127.0.0.1:1/a", password: ${CANARY}-field}\n  - {name: role, url: "postgres://nobody-${CANARY.slice(0, 6)}:${CANARY}-role@127.0.0.1:2/a"}\n`,
      jobs: { 'a.yaml': `schedule: "* * * * * *"\nretries: 0\ntopic: ${topic}\nquery: select 1 as one\n` },
    });
    const daemon = project.start('start', '--log', 'json', '-v');
    const url = await addressOf(daemon);
    await until(
      () => health(url),
      ({ body }) => body.failing_count === 3 && body.failing.every(({ failures }) => failures >= 2),
    );
    const told = [(await get(`${url}/health`)).text, (await get(`${url}/metrics`)).text];
    await daemon.stop();
    expect([...told, daemon.stderr(), daemon.stdout()].join('\n')).not.toContain(CANARY);
    expect(daemon.stderr()).toContain('"server":"inline"');
  }, 60_000);
});

describe('the log of a daemon', () => {
  test('goes on publishing when the reader of its log has gone', async () => {
    const topic = await freshTopic();
    const project = await testProject({
      settings: settings(),
      jobs: { 'a.yaml': `schedule: "* * * * * *"\ntopic: ${topic}\nquery: select 1 as one\n` },
    });
    const daemon = project.start('start', '--log', 'json');
    const url = await addressOf(daemon);
    await daemon.waitFor(/"outcome":"published"/, 20_000);
    daemon.process.stderr?.destroy();
    const published = async (): Promise<number> =>
      (await metrics(url)).value('pgtally_runs_total', { job: 'a', outcome: 'published' }) ?? 0;
    const before = await published();
    await until(published, (now) => now >= before + 3);
    expect((await daemon.stop()).code).toBe(0);
  }, 60_000);
});
