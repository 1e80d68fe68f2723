import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Envelope, formatEnvelope, parseEnvelope } from '../../../src/kafka/envelope.ts';
import { Failure } from '../../../src/model/failure.ts';
import { freshTopic, kafkaBootstrap } from '../../stack/for-tests.ts';
import { clientOf, readAll } from './support.ts';

const plain: Envelope = {
  topic: 'T',
  partition: 0,
  offset: 7,
  timestamp: 1_700_000_000_000,
  headers: [],
  key: Buffer.from('127.0.0.1/32'),
  value: Buffer.from('{"f1":"2027-01-01T00:00:00+00:00","f2":"P0"}'),
};

describe('formatEnvelope', () => {
  it('prints the article’s record as the article shows it', () => {
    expect(formatEnvelope(plain)).toBe(
      '{"topic":"T","partition":0,"offset":7,"tstype":"create","ts":1700000000000,"key":"127.0.0.1/32",' +
        '"payload":"{\\"f1\\":\\"2027-01-01T00:00:00+00:00\\",\\"f2\\":\\"P0\\"}"}',
    );
  });

  it('keeps null apart from empty, and bytes that are no UTF-8 as base64', () => {
    const line = (some: Partial<Envelope>) => formatEnvelope({ ...plain, ...some }).replace(/^.*1700000000000,/, '');
    expect(line({ key: null, value: null })).toBe('"key":null,"payload":null}');
    expect(line({ key: Buffer.alloc(0), value: Buffer.alloc(0) })).toBe('"key":"","payload":""}');
    expect(line({ key: Buffer.from([255]), value: Buffer.from([0xc3, 0x28]) })).toBe(
      '"key_base64":"/w==","payload_base64":"wyg="}',
    );
  });

  it('prints headers in order, all values as base64 when one is no UTF-8', () => {
    const headers = [
      { name: 'b', value: Buffer.from('1') },
      { name: 'a', value: null },
      { name: 'b', value: Buffer.from('2') },
    ];
    expect(formatEnvelope({ ...plain, headers })).toContain(',"headers":["b","1","a",null,"b","2"],"key":');
    const binary = [...headers, { name: 'bin', value: Buffer.from([255]) }];
    expect(formatEnvelope({ ...plain, headers: binary })).toContain(
      ',"headers_base64":["b","MQ==","a",null,"b","Mg==","bin","/w=="],"key":',
    );
  });

  it('has null for the place and time of a record that has none yet', () => {
    expect(formatEnvelope({ ...plain, partition: null, offset: null, timestamp: null })).toContain(
      '"partition":null,"offset":null,"tstype":"create","ts":null,',
    );
  });

  it('prints the bytes that kcat -J prints', async (context) => {
    if (spawnSync('kcat', ['-V']).status !== 0) context.skip('kcat is not installed');
    const topic = await freshTopic({ config: { 'message.timestamp.type': 'LogAppendTime' } });
    const client = await clientOf();
    const producer = client.kafka.producer();
    await producer.connect();
    await producer.send({
      topic,
      messages: [
        { key: 'k', value: '{"a":1}', headers: { z: ['1', '2'], a: '', '"q': 'é"/\\' } },
        { key: null, value: null },
        { key: '', value: '' },
        { key: 'ü€😀', value: 'tab\tnl\n\u0001\u007f\u2028 " \\ / \b\f\r' },
      ],
    });
    await producer.disconnect();
    const bootstrap = await kafkaBootstrap();
    const kcat = execFileSync('kcat', ['-C', '-b', bootstrap, '-t', topic, '-J', '-e', '-q', '-o', 'beginning']);
    const broker = Number(/"broker":(\d+)/.exec(kcat.toString())?.[1]);
    const ours = (await readAll(client, topic)).map((record) => formatEnvelope({ ...record, topic, broker }));
    expect(`${ours.join('\n')}\n`).toBe(kcat.toString());
    client.close();
  });
});

describe('parseEnvelope', () => {
  const bytes = fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((some) => Buffer.from(some)),
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
    ),
  );
  const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const envelope = fc.record({
    topic: fc.string(),
    partition: fc.option(fc.nat()),
    offset: fc.option(number),
    timestamp: fc.option(fc.oneof(number, fc.constant(-1))),
    timestampType: fc.constantFrom('create' as const, 'logappend' as const),
    headers: fc.array(fc.record({ name: fc.string({ unit: 'grapheme' }), value: bytes }), { maxLength: 4 }),
    key: bytes,
    value: bytes,
  });

  it('gives back any record exactly', () => {
    fc.assert(
      fc.property(envelope, ({ timestampType, ...record }) => {
        const line = formatEnvelope({ ...record, timestampType });
        expect(line).not.toContain('\n');
        expect(parseEnvelope(line)).toEqual({
          ...record,
          partition: record.partition ?? undefined,
          offset: record.offset ?? undefined,
          timestamp: record.timestamp ?? undefined,
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a line of kcat, and one with a payload only', () => {
    const line =
      '{"topic":"T","partition":1,"offset":2,"tstype":"create","ts":3,"broker":1,"headers":["a","1"],"key":"k","payload":"v"}';
    expect(parseEnvelope(line)).toEqual({
      topic: 'T',
      partition: 1,
      offset: 2,
      timestamp: 3,
      headers: [{ name: 'a', value: Buffer.from('1') }],
      key: Buffer.from('k'),
      value: Buffer.from('v'),
    });
    expect(parseEnvelope('{"payload":null}')).toMatchObject({ key: null, value: null, headers: [], topic: undefined });
  });

  it.each([
    ['hello', 'not JSON'],
    ['[1]', 'not a JSON object'],
    ['{"key":"k"}', '`payload` is missing'],
    ['{"payload":"v","paylod":"v"}', 'unknown member `paylod`'],
    ['{"payload":{"a":1}}', '`payload` holds something other than text or null'],
    ['{"payload":1}', '`payload` holds something other than text or null'],
    ['{"payload":"\\ud800"}', '`payload` holds something other than text or null'],
    ['{"payload":"v","payload_base64":"dg=="}', 'both `payload` and `payload_base64` are given'],
    ['{"payload_base64":"not base64!"}', '`payload_base64` holds something other than base64 or null'],
    ['{"payload":"v","headers":["a"]}', '`headers` is not a list of names and values in turn'],
    ['{"payload":"v","headers":[1,"a"]}', 'a name in `headers` is not text'],
    ['{"payload":"v","headers":["a",1]}', '`headers` holds something other than text or null'],
    ['{"payload":"v","headers":[],"headers_base64":[]}', 'both `headers` and `headers_base64` are given'],
    ['{"payload":"v","ts":12345678901234567890}', '`ts` is not a whole number from -1 up that is exact in JSON'],
    ['{"payload":"v","partition":-1}', '`partition` is not a whole number'],
    ['{"payload":"v","topic":1}', '`topic` is not text'],
  ])('refuses %s', (line, message) => {
    expect(() => parseEnvelope(line)).toThrow(Failure);
    expect(() => parseEnvelope(line)).toThrow(message);
  });
});
