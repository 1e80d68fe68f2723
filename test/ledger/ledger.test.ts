import { afterEach, describe, expect, it } from 'vitest';
import { createLedger, type LedgerOptions, type RunningLedger } from '../../src/ledger/ledger.ts';
import { takeShard } from '../../src/ledger/shard-session.ts';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { freshLedgerTopics, testClient, testRecord, testRows, valuesOf } from './on-kafka.ts';

const client = await testClient();
let open: RunningLedger[] = [];

afterEach(async () => {
  await Promise.all(open.map((ledger) => ledger.stop()));
  open = [];
});

async function startLedger(
  topic: string,
  shards: number,
  options: Partial<LedgerOptions> = {},
): Promise<RunningLedger> {
  const ledger = createLedger({ client, settings: { topic, shards }, ...options });
  open.push(ledger);
  await ledger.start();
  return ledger;
}

async function until(what: () => boolean, limit = 15_000): Promise<void> {
  const end = performance.now() + limit;
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${String(what)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ownsAll = (ledger: RunningLedger) => () => ledger.shards().every(({ status }) => status === 'owned');
const servers = Array.from({ length: 12 }, (_, n) => `server-${n}`);

describe('a ledger', () => {
  it('takes all shards when it is alone, commits rows with their records, and remembers them after a restart', async () => {
    const topic = await freshLedgerTopics(4);
    const rows = await freshTopic({ partitions: 2 });
    const first = await startLedger(topic, 4);
    expect(first.available).toBe(true);
    await until(ownsAll(first));
    await Promise.all(
      servers.map(async (server) => {
        expect(first.owns('job', server)).toBe(true);
        expect(first.last('job', server)).toBeUndefined();
        const end = first.begin('job', server);
        const records = [testRecord(10, { outcome: 'skipped', reason: 'missed' }), testRecord(20)];
        const result = await first
          .committer('job', server)
          .commit({ job: 'job', server, rows: testRows(rows, [`${server} 20`]), records });
        expect(result).toEqual({ status: 'committed' });
        expect(first.last('job', server)).toEqual(testRecord(20));
        end?.();
      }),
    );
    expect(await valuesOf(rows)).toEqual(servers.map((server) => `${server} 20`).sort());
    const ledger = (await readTopic(topic)).filter(({ key }) => key?.toString().startsWith('job/'));
    expect(ledger.map(({ key }) => String(key)).sort()).toEqual(servers.map((server) => `job/${server}`).sort());
    const history = await readTopic(`${topic}.history`);
    expect(history).toHaveLength(24);
    expect(JSON.parse(history[0]?.value?.toString() ?? '')).toEqual(
      testRecord(10, { outcome: 'skipped', reason: 'missed' }),
    );
    await first.stop();
    const second = await startLedger(topic, 4);
    await until(ownsAll(second));
    for (const server of servers) expect(second.last('job', server)).toEqual(testRecord(20));
  });

  it('shares its shards with a second replica and gets them back at once when that one stops', async () => {
    const topic = await freshLedgerTopics(8);
    const first = await startLedger(topic, 8, { self: 'replica-a' });
    await until(ownsAll(first));
    const second = await startLedger(topic, 8, { self: 'replica-b' });
    const owned = (ledger: RunningLedger) =>
      ledger
        .shards()
        .filter(({ status }) => status === 'owned')
        .map(({ shard }) => shard);
    await until(() => owned(first).length + owned(second).length === 8 && owned(second).length > 0);
    expect(new Set([...owned(first), ...owned(second)]).size).toBe(8);
    await until(() => first.shards().filter(({ owner }) => owner === 'replica-b').length === owned(second).length);
    await second.stop();
    await until(ownsAll(first), 2000);
  });

  it('hands a shard over only when the run under way in it has ended', async () => {
    const topic = await freshLedgerTopics(1);
    const first = await startLedger(topic, 1, { self: 'replica-b' });
    await until(ownsAll(first));
    const endRun = first.begin('job', 'server');
    expect(endRun).toBeDefined();
    const stopping = first.stop();
    expect(first.begin('job', 'other')).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(first.owns('job', 'server')).toBe(true);
    const committed = await first
      .committer('job', 'server')
      .commit({ job: 'job', server: 'server', records: [testRecord(1)] });
    expect(committed.status).toBe('committed');
    endRun?.();
    await stopping;
    expect(first.owns('job', 'server')).toBe(false);
  });

  it('streams a run whose rows and record become visible together', async () => {
    const topic = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const ledger = await startLedger(topic, 1);
    await until(ownsAll(ledger));
    const committer = ledger.committer('job', 'server');
    const stream = await committer.openStream({ job: 'job', server: 'server', topic: rows, timeout: 20_000 });
    await stream.send(testRows(rows, ['1', '2']).batches);
    // The shard's small runs go on beside it.
    expect((await committer.commit({ job: 'job', server: 'other', records: [testRecord(1)] })).status).toBe(
      'committed',
    );
    await stream.send(testRows(rows, ['3']).batches);
    expect(await valuesOf(rows)).toEqual([]);
    expect(await stream.commit([testRecord(7)])).toEqual({ status: 'committed' });
    expect(await valuesOf(rows)).toEqual(['1', '2', '3']);
    expect(ledger.last('job', 'server')).toEqual(testRecord(7));
    const longer = await committer.openStream({ job: 'job', server: 'server', topic: rows, timeout: 300_000 });
    await longer.abort();
    expect(ledger.owns('job', 'server')).toBe(true);
  });

  it('without transactions publishes rows and then their record', async () => {
    const topic = await freshLedgerTopics(2);
    const rows = await freshTopic();
    const first = await startLedger(topic, 2, { delivery: 'at_least_once' });
    await until(ownsAll(first));
    const result = await first
      .committer('job', 's', 'at_least_once')
      .commit({ job: 'job', server: 's', rows: testRows(rows, ['x']), records: [testRecord(3)] });
    expect(result.status).toBe('committed');
    expect(await valuesOf(rows)).toEqual(['x']);
    await first.stop();
    const second = await startLedger(topic, 2, { delivery: 'at_least_once' });
    await until(ownsAll(second));
    expect(second.last('job', 's')).toEqual(testRecord(3));
  });

  it('delivers a job at least once beside others exactly once', async () => {
    const topic = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const ledger = await startLedger(topic, 1);
    await until(ownsAll(ledger));
    const committer = ledger.committer('job', 's', 'at_least_once');
    expect(
      (await committer.commit({ job: 'job', server: 's', rows: testRows(rows, ['x']), records: [testRecord(3)] }))
        .status,
    ).toBe('committed');
    const stream = await committer.openStream({ job: 'job', server: 's', topic: rows, timeout: 1000 });
    await stream.send(testRows(rows, ['y']).batches);
    expect((await stream.commit([testRecord(4)])).status).toBe('committed');
    expect(await valuesOf(rows)).toEqual(['x', 'y']);
    expect(ledger.last('job', 's')).toEqual(testRecord(4));
  });

  it('refuses a run whose topic does not exist and goes on with the others at once', async () => {
    const topic = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const ledger = await startLedger(topic, 1);
    await until(ownsAll(ledger));
    const committer = ledger.committer('job', 's');
    const results = await Promise.all([
      committer.commit({ job: 'bad', server: 's', rows: testRows('no-such-topic', ['x']), records: [testRecord(1)] }),
      committer.commit({ job: 'good', server: 's', rows: testRows(rows, ['y']), records: [testRecord(1)] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['refused', 'committed']);
    expect(ledger.shards()[0]?.status).toBe('owned');
    expect(await valuesOf(rows)).toEqual(['y']);
  });
});

describe('a stream whose shard is lost to another replica', () => {
  it('ends as a loss of the shard, never as a failure of the run, and shows nothing', async () => {
    const topic = await freshLedgerTopics(1);
    const rows = await freshTopic();
    const ledger = await startLedger(topic, 1);
    await until(ownsAll(ledger));
    const run = { job: 'job', server: 's', topic: rows, timeout: 20_000 };
    const stream = await ledger.committer('job', 's').openStream(run);
    await stream.send(testRows(rows, ['1']).batches);
    // Another takes the shard: its claim is read while the stream is open.
    const fenced = await takeShard({
      client,
      records: { shard: 0, ledger: topic, history: `${topic}.history` },
      self: 'thief',
      streamTimeout: 20_000,
      stillMine: () => true,
      untilRead: async () => undefined,
      onStep: () => undefined,
    });
    await until(() => ledger.shards()[0]?.owner === 'thief' || !ledger.owns('job', 's'));
    const sending = stream.send(testRows(rows, ['2']).batches);
    await expect(sending).rejects.toMatchObject({ kind: 'fenced', retryable: true });
    await stream.abort();
    fenced.close();
    await until(ownsAll(ledger));
    expect(await valuesOf(rows)).toEqual([]);
  });
});
