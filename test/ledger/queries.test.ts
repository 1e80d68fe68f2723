import { describe, expect, it } from 'vitest';
import { newCluster } from '../../src/kafka/cluster.ts';
import { createTopic } from '../../src/kafka/topics.ts';
import { createBackfillCommitter } from '../../src/ledger/backfill.ts';
import { readHistory } from '../../src/ledger/history.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { ensureLedgerTopics, inspectLedgerTopics } from '../../src/ledger/ledger-topics.ts';
import { writePause, writeResume } from '../../src/ledger/pauses.ts';
import { readState } from '../../src/ledger/queries.ts';
import { freshTopic, topicExists } from '../stack/for-tests.ts';
import { freshLedgerTopics, testClient, testRecord, testRows, valuesOf } from './on-kafka.ts';

const client = await testClient();
const name = async () => `${await freshTopic()}.ledger`;

describe('the topics of a ledger', () => {
  it('are created when they are missing, by whoever comes first, and found fit afterwards', async () => {
    const topic = await name();
    const settings = { topic, shards: 3 };
    const both = await Promise.all([ensureLedgerTopics(client, settings), ensureLedgerTopics(client, settings)]);
    expect(both.flatMap(({ created }) => created).sort()).toEqual([topic, `${topic}.history`, `${topic}.replicas`]);
    expect(both[0]?.warnings[0]?.message).toContain('one copy');
    const again = await ensureLedgerTopics(client, settings);
    expect(again.created).toEqual([]);
    const cluster = newCluster(client);
    expect(await inspectLedgerTopics(cluster, settings)).toMatchObject({ missing: [], failures: [] });
    cluster.close();
  });

  it('are refused with another number of partitions than there are shards, and with a policy that forgets', async () => {
    const topic = await name();
    const settings = { topic, shards: 3 };
    await ensureLedgerTopics(client, settings);
    await expect(ensureLedgerTopics(client, { topic, shards: 4 })).rejects.toMatchObject({
      kind: 'configuration',
      message: `topic \`${topic}\` has 3 partitions, but \`ledger.shards\` is 4`,
    });
    const wrong = await name();
    const cluster = newCluster(client);
    await createTopic(cluster, { name: wrong, partitions: 1, config: { 'cleanup.policy': 'delete' } });
    await createTopic(cluster, { name: `${wrong}.history`, partitions: 1, config: { 'cleanup.policy': 'compact' } });
    await createTopic(cluster, { name: `${wrong}.replicas`, partitions: 1, config: { 'cleanup.policy': 'compact' } });
    const { failures } = await inspectLedgerTopics(cluster, { topic: wrong, shards: 1 });
    expect(failures.map(({ message }) => message)).toEqual([
      expect.stringContaining('the ledger would forget'),
      expect.stringContaining('it would keep one outcome'),
      expect.stringContaining('whose clocks differ'),
    ]);
    cluster.close();
  });

  it('are not created by looking', async () => {
    const topic = await name();
    const cluster = newCluster(client);
    expect((await inspectLedgerTopics(cluster, { topic, shards: 1 })).missing).toHaveLength(3);
    cluster.close();
    expect(await topicExists(topic)).toBe(false);
  });
});

describe('commands without a daemon', () => {
  it('see every job and server, its owner, pauses and replicas', async () => {
    const topic = await freshLedgerTopics(4);
    const settings = { topic, shards: 4 };
    const ledger = createLedger({ client, settings, self: 'replica-a' });
    await ledger.start();
    await writePause(client, settings, 'paused-job', 'migration');
    while (ledger.shards().some(({ status }) => status !== 'owned') || !ledger.paused('paused-job')) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(ledger.paused('paused-job')?.note).toBe('migration');
    await ledger.committer('job', 'edge/app').commit({ job: 'job', server: 'edge/app', records: [testRecord(5)] });
    const seen = await readState(client, settings);
    expect(seen.runs).toEqual([
      { job: 'job', server: 'edge/app', shard: ledger.shardOf('job', 'edge/app'), record: testRecord(5) },
    ]);
    expect(seen.owners).toEqual(Array(4).fill('replica-a'));
    expect(seen.replicas).toMatchObject([{ replica: 'replica-a', state: 'alive', heard: true }]);
    expect([...seen.pauses.keys()]).toEqual(['paused-job']);
    expect(seen.problems).toEqual([]);
    await writeResume(client, settings, 'paused-job');
    while (ledger.paused('paused-job')) await new Promise((resolve) => setTimeout(resolve, 20));
    await ledger.stop();
    const stopped = await readState(client, settings);
    expect(stopped.owners).toEqual(Array(4).fill(undefined));
    expect(stopped.replicas).toEqual([]);
    expect(stopped.pauses.size).toBe(0);
  });

  it('say that there is no ledger when there is none', async () => {
    await expect(readState(client, { topic: 'no-such-ledger', shards: 1 })).rejects.toMatchObject({
      kind: 'topic',
      message: expect.stringContaining('there is no ledger') as string,
    });
  });

  it("read the newest of a job's history, of all its servers or of one", async () => {
    const topic = await freshLedgerTopics(3);
    const settings = { topic, shards: 3 };
    const ledger = createLedger({ client, settings });
    await ledger.start();
    while (ledger.shards().some(({ status }) => status !== 'owned'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (let slot = 1; slot <= 6; slot++) {
      await Promise.all(
        ['a', 'b'].map((server) =>
          ledger.committer('job', server).commit({ job: 'job', server, records: [testRecord(slot)] }),
        ),
      );
      await ledger.committer('other', 'a').commit({ job: 'other', server: 'a', records: [testRecord(slot)] });
    }
    await ledger.stop();
    const { outcomes: newest } = await readHistory(client, settings, { job: 'job', limit: 4 });
    expect(newest.map(({ server, record }) => `${server} ${record.slot}`).sort()).toEqual(
      ['a', 'b'].flatMap((server) => [5, 6].map((slot) => `${server} ${testRecord(slot).slot}`)),
    );
    const { outcomes: ofOne } = await readHistory(client, settings, { job: 'job', server: 'b', limit: 100 });
    expect(ofOne.map(({ record }) => record.slot)).toEqual([1, 2, 3, 4, 5, 6].map((slot) => testRecord(slot).slot));
    expect(await readHistory(client, settings, { job: 'nothing', limit: 5 })).toEqual({ outcomes: [], problems: [] });
  });
});

describe('a backfill', () => {
  const range = { from: 0, to: 100_000 };

  async function backfill(topic: string, fields = {}) {
    const committer = createBackfillCommitter({
      client,
      settings: { topic, shards: 2 },
      job: 'job',
      range,
      timeout: 10_000,
      ...fields,
    });
    await committer.start();
    return committer;
  }

  it('resumes after the last done slot and never moves the state of the job', async () => {
    const topic = await freshLedgerTopics(2);
    const rows = await freshTopic();
    const record = (slot: number) => testRecord(slot, { trigger: 'backfill' });
    const first = await backfill(topic);
    expect(first.progress('s')).toBeUndefined();
    for (const slot of [10, 20]) {
      const result = await first.commit({
        job: 'job',
        server: 's',
        rows: testRows(rows, [`slot ${slot}`]),
        records: [record(slot)],
        backfill: range,
      });
      expect(result.status).toBe('committed');
    }
    const stream = await first.openStream({ job: 'job', server: 's', topic: rows, timeout: 10_000, backfill: range });
    await stream.send(testRows(rows, ['slot 30']).batches);
    expect((await stream.commit([record(30)])).status).toBe('committed');
    await first.close();
    const second = await backfill(topic);
    expect(second.progress('s')).toEqual(record(30));
    expect(await valuesOf(rows)).toEqual(['slot 10', 'slot 20', 'slot 30']);
    const { runs, backfills } = await readState(client, { topic, shards: 2 });
    expect(runs).toEqual([]);
    expect(backfills).toEqual([{ job: 'job', server: 's', ...range, record: record(30) }]);
    await second.finish(['s']);
    expect(second.progress('s')).toBeUndefined();
    await second.close();
    expect((await readState(client, { topic, shards: 2 })).backfills).toEqual([]);
  });

  it('without transactions resumes as well', async () => {
    const topic = await freshLedgerTopics(2);
    const rows = await freshTopic();
    const record = testRecord(10, { trigger: 'backfill' });
    const first = await backfill(topic, { delivery: 'at_least_once' });
    const unit = { job: 'job', server: 's', rows: testRows(rows, ['x']), records: [record], backfill: range };
    expect((await first.commit(unit)).status).toBe('committed');
    await first.close();
    const second = await backfill(topic, { delivery: 'at_least_once' });
    expect(second.progress('s')).toEqual(record);
    await second.close();
    expect(await valuesOf(rows)).toEqual(['x']);
  });

  it('is taken over by a second command of the same range, and says so', async () => {
    const topic = await freshLedgerTopics(2);
    const rows = await freshTopic();
    const first = await backfill(topic);
    const second = await backfill(topic);
    const record = testRecord(10, { trigger: 'backfill' });
    const unit = (by: string) => ({
      job: 'job',
      server: 's',
      rows: testRows(rows, [by]),
      records: [record],
      backfill: range,
    });
    const late = first.commit(unit('first'));
    expect((await second.commit(unit('second'))).status).toBe('committed');
    expect(await late).toMatchObject({
      status: 'unavailable',
      failure: { message: expect.stringContaining('has taken over') as string },
    });
    expect(await valuesOf(rows)).toEqual(['second']);
    await Promise.all([first.close(), second.close()]);
  });
});
