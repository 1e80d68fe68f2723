import { describe, expect, it } from 'vitest';
import { createAdHocCommitter } from '../../src/ledger/ad-hoc.ts';
import { freshTopic } from '../stack/for-tests.ts';
import { testClient, testRows, valuesOf } from './on-kafka.ts';

const client = await testClient();

function committer() {
  return createAdHocCommitter(client);
}

describe('an ad-hoc committer', () => {
  it('publishes the rows of runs that are ready together, each once', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const other = await freshTopic();
    const adHoc = committer();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        adHoc.commit({
          job: 'j',
          server: `s${n}`,
          rows: testRows(n % 5 ? topic : other, [`${n} a`, `${n} b`], n % 5 ? n % 3 : 0),
          records: [],
        }),
      ),
    );
    expect(results.every(({ status }) => status === 'committed')).toBe(true);
    const values = [...(await valuesOf(topic)), ...(await valuesOf(other))].sort();
    expect(values).toEqual(
      Array.from({ length: 50 }, (_, n) => [`${n} a`, `${n} b`])
        .flat()
        .sort(),
    );
    await adHoc.close();
  });

  it('is warmed before it is used, and works as well when it could not be', async () => {
    const topic = await freshTopic();
    const adHoc = committer();
    await adHoc.warm(topic);
    expect((await adHoc.commit({ job: 'j', server: 's', rows: testRows(topic, ['x']), records: [] })).status).toBe(
      'committed',
    );
    await adHoc.close();
    const cold = committer();
    void cold.warm('no-such-topic');
    expect((await cold.commit({ job: 'j', server: 's', rows: testRows(topic, ['y']), records: [] })).status).toBe(
      'committed',
    );
    await cold.close();
    expect(await valuesOf(topic)).toEqual(['x', 'y']);
  });

  it('refuses a run whose topic does not exist, and publishes the others of the same moment', async () => {
    const topic = await freshTopic();
    const adHoc = committer();
    const [good, missing] = await Promise.all([
      adHoc.commit({ job: 'a', server: 's', rows: testRows(topic, ['good']), records: [] }),
      adHoc.commit({ job: 'b', server: 's', rows: testRows('no-such-topic', ['bad']), records: [] }),
    ]);
    expect(good.status).toBe('committed');
    expect(missing).toMatchObject({
      status: 'refused',
      failure: { kind: 'topic', code: 'UNKNOWN_TOPIC_OR_PARTITION' },
    });
    expect(await valuesOf(topic)).toEqual(['good']);
    await adHoc.close();
  });

  it('refuses only the run whose row is larger than its topic takes', async () => {
    const topic = await freshTopic({ config: { 'max.message.bytes': '2000' } });
    const roomy = await freshTopic();
    const adHoc = committer();
    const results = await Promise.all([
      adHoc.commit({ job: 'a', server: 's1', rows: testRows(topic, ['small 1']), records: [] }),
      adHoc.commit({ job: 'a', server: 's2', rows: testRows(topic, ['x'.repeat(5000)]), records: [] }),
      adHoc.commit({ job: 'a', server: 's3', rows: testRows(topic, ['small 2']), records: [] }),
      adHoc.commit({ job: 'b', server: 's4', rows: testRows(roomy, ['roomy']), records: [] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['committed', 'refused', 'committed', 'committed']);
    expect(results[1]).toMatchObject({ failure: { kind: 'record', code: 'MESSAGE_TOO_LARGE' } });
    expect(await valuesOf(topic)).toEqual(['small 1', 'small 2']);
    expect(await valuesOf(roomy)).toEqual(['roomy']);
    await adHoc.close();
  });

  it('streams a large result that is visible when it is committed and not before', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const adHoc = committer();
    const stream = await adHoc.openStream({ job: 'j', server: 's', topic, timeout: 30_000 });
    await stream.send([...testRows(topic, ['1', '2'], 0).batches, ...testRows(topic, ['3'], 1).batches]);
    await stream.send([...testRows(topic, ['4'], 0).batches, ...testRows(topic, ['5'], 0).batches]);
    expect(await valuesOf(topic)).toEqual([]);
    expect(await stream.commit([])).toEqual({ status: 'committed' });
    expect(await valuesOf(topic)).toEqual(['1', '2', '3', '4', '5']);
    await stream.abort();
    await adHoc.close();
  });

  it('shows nothing of a stream that was aborted, and opens the next one only then', async () => {
    const topic = await freshTopic();
    const adHoc = committer();
    const first = await adHoc.openStream({ job: 'j', server: 's1', topic, timeout: 30_000 });
    await first.send(testRows(topic, ['aborted']).batches);
    const order: string[] = [];
    const second = adHoc.openStream({ job: 'j', server: 's2', topic, timeout: 30_000 }).then((stream) => {
      order.push('second opened');
      return stream;
    });
    order.push('first aborts');
    await first.abort();
    await (await second).send(testRows(topic, ['kept']).batches);
    expect((await (await second).commit([])).status).toBe('committed');
    expect(order).toEqual(['first aborts', 'second opened']);
    expect(await valuesOf(topic)).toEqual(['kept']);
    expect(await valuesOf(topic, { isolation: 'read_uncommitted' })).toEqual(['aborted', 'kept']);
    await adHoc.close();
  });

  it('refuses to stream into a topic that does not exist, and serves the next stream', async () => {
    const topic = await freshTopic();
    const adHoc = committer();
    const missing = adHoc.openStream({ job: 'j', server: 's', topic: 'no-such-topic', timeout: 1000 });
    await expect(missing).rejects.toMatchObject({ kind: 'topic' });
    const stream = await adHoc.openStream({ job: 'j', server: 's', topic, timeout: 1000 });
    await stream.abort();
    await adHoc.close();
  });

  it('without transactions publishes rows at once, and refuses only what its topic refuses', async () => {
    const topic = await freshTopic({ config: { 'max.message.bytes': '2000' } });
    const adHoc = createAdHocCommitter(client, { delivery: 'at_least_once' });
    await adHoc.warm(topic);
    const results = await Promise.all([
      adHoc.commit({ job: 'a', server: 's1', rows: testRows(topic, ['1']), records: [] }),
      adHoc.commit({ job: 'a', server: 's2', rows: testRows(topic, ['x'.repeat(5000)]), records: [] }),
      adHoc.commit({ job: 'a', server: 's3', rows: testRows('no-such-topic', ['x']), records: [] }),
      adHoc.commit({ job: 'a', server: 's4', rows: testRows(topic, ['2']), records: [] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['committed', 'refused', 'refused', 'committed']);
    const stream = await adHoc.openStream({ job: 'j', server: 's', topic, timeout: 1000 });
    await stream.send(testRows(topic, ['3']).batches);
    const values = await valuesOf(topic);
    expect([...new Set(values)]).toEqual(['1', '2', '3']);
    expect((await stream.commit([])).status).toBe('committed');
    await adHoc.close();
  });
});
