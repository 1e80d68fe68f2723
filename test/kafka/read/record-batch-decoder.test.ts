import { execFileSync, spawnSync } from 'node:child_process';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kafkajsMessages } from '../../../src/kafka/kafkajs-messages.ts';
import { decodeRecords, isAbortMarker, splitBatches } from '../../../src/kafka/record-batch-decoder.ts';
import { freshTopic, kafkaBootstrap } from '../../stack/for-tests.ts';
import { kafkaLibraries } from '../../stack/kafka-libraries.ts';
import { encodeBatch, encodeMarker } from './encode-batch.ts';
import { clientOf, readAll, values } from './support.ts';

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some)));
const header = fc.record({ name: fc.string({ unit: 'grapheme' }), value: bytes });
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(header, { maxLength: 3 }),
  timestampDelta: fc.oneof(
    fc.integer({ min: -5, max: 100 }),
    fc.maxSafeInteger().map((large) => Math.trunc(large / 4)),
  ),
});
const batch = fc.record({
  baseOffset: fc.nat(2 ** 40),
  baseTimestamp: fc.integer({ min: 0, max: 2 ** 41 }),
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }),
  transactional: fc.boolean(),
  gzip: fc.boolean(),
  records: fc.array(record, { maxLength: 5 }),
});

describe('splitBatches and decodeRecords', () => {
  it('give back every record of every batch, however it was compressed', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), (batches) => {
        const split = splitBatches(Buffer.concat(batches.map(encodeBatch)));
        expect(split).toHaveLength(batches.length);
        for (const [index, { baseOffset, baseTimestamp, producerId, transactional, records }] of batches.entries()) {
          const read = split[index]!;
          expect(read).toMatchObject({ baseOffset, baseTimestamp, producerId, transactional, control: false });
          expect(decodeRecords(read)).toEqual(
            records.map(({ key, value, headers, timestampDelta }, at) => ({
              offset: baseOffset + at,
              timestamp: baseTimestamp + timestampDelta,
              timestampType: 'create',
              key,
              value,
              headers,
            })),
          );
        }
      }),
    );
  });

  it('leave out a last batch that the broker cut off, wherever it is cut', () => {
    const whole = encodeBatch({ records: [{ value: Buffer.from('whole') }] });
    const cut = encodeBatch({ baseOffset: 1, records: [{ value: Buffer.from('cut') }] });
    for (let length = 0; length < cut.length; length++) {
      expect(splitBatches(Buffer.concat([whole, cut.subarray(0, length)]))).toHaveLength(1);
    }
    expect(splitBatches(Buffer.concat([whole, cut]))).toHaveLength(2);
  });

  it('keep the last offset of a batch that compaction has thinned or emptied', () => {
    const [thinned] = splitBatches(encodeBatch({ baseOffset: 10, lastOffsetDelta: 9, records: [{ offsetDelta: 3 }] }));
    expect(thinned).toMatchObject({ baseOffset: 10, lastOffset: 19 });
    expect(decodeRecords(thinned!).map(({ offset }) => offset)).toEqual([13]);
    const [emptied] = splitBatches(encodeBatch({ baseOffset: 10, lastOffsetDelta: 9, records: [], gzip: true }));
    expect(emptied).toMatchObject({ lastOffset: 19, recordCount: 0 });
    expect(decodeRecords(emptied!)).toEqual([]);
  });

  it('take the time of arrival from the batch when the broker sets it', () => {
    const [read] = splitBatches(
      encodeBatch({ baseTimestamp: 5, maxTimestamp: 99, logAppendTime: true, records: [{ timestampDelta: 1 }] }),
    );
    expect(decodeRecords(read!)[0]).toMatchObject({ timestamp: 99, timestampType: 'logappend' });
  });

  it('tell an abort marker from a commit marker and from a user’s record', () => {
    const first = (some: Buffer) => splitBatches(some)[0]!;
    expect(isAbortMarker(first(encodeMarker(0, 1, true)))).toBe(true);
    expect(isAbortMarker(first(encodeMarker(0, 1, false)))).toBe(false);
    expect(isAbortMarker(first(encodeBatch({ records: [{ key: Buffer.alloc(4) }] })))).toBe(false);
  });

  it('refuse a batch of which any bit was turned', () => {
    const whole = encodeBatch({ baseOffset: 7, records: [{ key: Buffer.from('key'), value: Buffer.from('value') }] });
    for (let at = 17; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(() => splitBatches(damaged)).toThrow('kafka: the record batch at offset 7 is damaged');
    }
  });

  it('refuse records and compressed bytes that make no sense, and the formats before Kafka 0.11', () => {
    const [batch] = splitBatches(encodeBatch({ records: [{ value: Buffer.from('value') }] }));
    const damaged = (compression: number) => ({ ...batch!, compression, payload: Buffer.alloc(20, 40) });
    expect(() => decodeRecords(damaged(0))).toThrow('the record batch at offset 0 cannot be read');
    for (const compression of [1, 2, 3]) {
      expect(() => decodeRecords(damaged(compression))).toThrow('a compressed record batch cannot be unpacked');
    }
    expect(() => decodeRecords(damaged(5))).toThrow('records compressed with method 5');
    const old = encodeBatch({ records: [{}] });
    old[16] = 1;
    expect(() => splitBatches(old)).toThrow('a format older than Kafka 0.11');
  });
});

describe('kafkajsMessages', () => {
  it('ends a thinned or emptied batch with a control record at its last offset', () => {
    const messages = kafkajsMessages(
      Buffer.concat([
        encodeBatch({ baseOffset: 0, lastOffsetDelta: 4, records: [{ value: Buffer.from('v') }] }),
        encodeBatch({ baseOffset: 5, lastOffsetDelta: 2, records: [] }),
      ]),
    );
    expect(messages.map(({ offset, isControlRecord }) => [offset, isControlRecord])).toEqual([
      ['0', false],
      ['4', true],
      ['7', true],
    ]);
  });

  it('folds doubled headers as kafkajs does, and keeps the record as it was', () => {
    const headers = ['b', 'a', 'b', 'b'].map((name, at) => ({ name, value: Buffer.from(String(at)) }));
    const [message] = kafkajsMessages(encodeBatch({ records: [{ headers }] }));
    expect(message?.headers).toEqual({
      b: [Buffer.from('0'), Buffer.from('2'), Buffer.from('3')],
      a: Buffer.from('1'),
    });
    expect(message?.record?.headers).toEqual(headers);
  });
});

describe('compressed topics', () => {
  const texts = Array.from({ length: 3000 }, (_, i) => `${i} ${'lorem ipsum dolor '.repeat(i % 7)}${Math.sin(i)}`);

  it.for(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'written by librdkafka with %s are read as they were',
    async (codec, context) => {
      if (spawnSync('kcat', ['-V']).status !== 0) return context.skip('kcat is not installed');
      const topic = await freshTopic();
      const args = ['-P', '-b', await kafkaBootstrap(), '-t', topic, '-z', codec, '-X', 'linger.ms=50'];
      execFileSync('kcat', args, { input: `${texts.join('\n')}\n` });
      const client = await clientOf();
      const reading = readAll(client, topic);
      if (codec === 'zstd' && !('zstdDecompressSync' in zlib)) {
        await expect(reading).rejects.toMatchObject({
          kind: 'configuration',
          hint: 'run pgtally on Node 22.15 or later',
          message: expect.stringContaining(`(topic \`${topic}\`, partition 0)`),
        });
      } else {
        expect(values(await reading)).toEqual(texts);
      }
      client.close();
    },
  );

  it.each(['snappy', 'lz4'])('written by the Java client with %s are read as they were', async (codec) => {
    const topic = await freshTopic();
    const { java, classPath } = await kafkaLibraries();
    const main = 'org.apache.kafka.tools.ConsoleProducer';
    const args = ['--bootstrap-server', await kafkaBootstrap(), '--topic', topic, '--compression-codec', codec];
    execFileSync(java, ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', classPath, main, ...args], {
      input: `${texts.join('\n')}\n`,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const client = await clientOf();
    expect(values(await readAll(client, topic))).toEqual(texts);
    client.close();
  });
});
