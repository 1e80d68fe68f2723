import { describe, expect, it } from 'vitest';
import { createCopyEncoder } from '../../src/kafka/copy-encoder.ts';
import type { EncodedBatch } from '../../src/kafka/record-batch.ts';
import { createAdHocCommitter } from '../../src/ledger/ad-hoc.ts';
import { createMemoryBudget } from '../../src/publish/memory.ts';
import { createResultSink } from '../../src/publish/result-sink.ts';
import { copyData, copyRow } from '../kafka/write/copy-data.ts';
import { testClient, valuesOf } from '../ledger/on-kafka.ts';
import { freshTopic } from '../stack/for-tests.ts';

const client = await testClient();
const BUFFER = 1024;
const row = (value: string) => [Buffer.from('k'), Buffer.from(value)];
/** A row that fits into no buffer, and one that makes a chunk of a stream. */
const LARGE = copyData([row('x'.repeat(2 * BUFFER))]).subarray(0, -2);
const CHUNK = copyRow(row('y'.repeat(5 * 1024 * 1024)));

async function sinkOnKafka() {
  const topic = await freshTopic({ config: { 'max.message.bytes': '8000000' } });
  const adHoc = createAdHocCommitter(client);
  const sends: number[] = [];
  const openStream = async () => {
    const stream = await adHoc.openStream({ job: 'j', server: 's', topic, timeout: 30_000 });
    return {
      ...stream,
      send: (batches: readonly EncodedBatch[]) => {
        sends.push(batches.length);
        return stream.send(batches);
      },
    };
  };
  const encoder = createCopyEncoder({
    partitions: 1,
    keylessPartition: 0,
    constantHeaders: [],
    rowHeaders: [],
    nullKey: 'allow',
    nullValue: 'error',
    maxRecordBytes: 8_000_000,
    batchBytes: 512 * 1024,
  });
  const sink = createResultSink({ encoder, memory: createMemoryBudget(1e9), bufferLimit: BUFFER, openStream });
  return { topic, adHoc, openStream, sink, sends };
}

describe('the result of a run that is given up', () => {
  it('leaves the way free for the streams behind it, when its own had not begun', async () => {
    const { topic, adHoc, openStream, sink } = await sinkOnKafka();
    const before = await openStream();
    const pending = sink.write(LARGE);
    const ended = expect(pending).rejects.toMatchObject({ kind: 'cancelled' });
    await sink.abandon();
    await before.abort();
    await ended;
    const next = await openStream();
    expect((await next.commit([])).status).toBe('committed');
    expect(await valuesOf(topic, { isolation: 'read_uncommitted' })).toEqual([]);
    await adHoc.close();
  });

  it('sends nothing more, when sends were under way and another waited for them', async () => {
    const { topic, adHoc, openStream, sink, sends } = await sinkOnKafka();
    await sink.write(LARGE);
    let waiting: Promise<void> | undefined;
    while (!waiting) waiting = sink.write(CHUNK);
    const before = sends.length;
    await Promise.all([sink.abandon(), waiting]);
    const next = await openStream();
    expect((await next.commit([])).status).toBe('committed');
    expect(await valuesOf(topic)).toEqual([]);
    expect([before > 0, sends.length]).toEqual([true, before]);
    await adHoc.close();
  });
});
