import { describe, expect, test } from 'vitest';
import { freshTopic, readTopic } from '../stack/for-tests.ts';
import { startPgtally } from '../stack/run-pgtally.ts';
import { type TestProject, testProject } from './project.ts';

const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;

async function produce(project: TestProject, stdin: string | Buffer, ...args: string[]) {
  return startPgtally(['produce', ...args], { cwd: project.folder, stdin }).result;
}

describe('pgtally produce', () => {
  test('sends each line as a value without a key, an empty one and the last one without a line break as well', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    const result = await produce(project, 'one\n\ntwo\r\ngrüße', topic);
    expect(result).toMatchObject({ code: 0, stdout: '', stderr: `4 records to ${topic}\n` });
    expect((await readTopic(topic)).map(({ key, value }) => [key, text(value)])).toEqual([
      [null, 'one'],
      [null, ''],
      [null, 'two\r'],
      [null, 'grüße'],
    ]);
  });

  test('with a delimiter sends key and value, each key where the Java client would send it', async () => {
    const topic = await freshTopic({ partitions: 5 });
    const project = await testProject({ jobs: {} });
    const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
    const lines = [...keys.map((key) => `${key}::a::b`), '::no key but empty', 'no value::'];
    expect((await produce(project, lines.join('\n'), topic, '--key-delimiter', '::')).code).toBe(0);
    const records = await readTopic(topic);
    expect(records).toHaveLength(202);
    expect(new Set(records.map(({ partition }) => partition)).size).toBe(5);
    const found = new Map(records.map(({ key, value, partition }) => [text(key), { value: text(value), partition }]));
    expect(found.get('key-7')?.value).toBe('a::b');
    expect(found.get('')?.value).toBe('no key but empty');
    expect(found.get('no value')?.value).toBe('');
    // By org.apache.kafka.clients.producer's murmur2 for five partitions.
    const again = await freshTopic({ partitions: 5 });
    await produce(project, 'key-7::x\nkey-8::x\n', again, '--key-delimiter', '::');
    for (const { key, partition } of await readTopic(again)) expect(found.get(text(key))?.partition).toBe(partition);
  });

  test('names the line that is wrong, having sent those before it', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    const result = await produce(project, 'a;1\nb;2\nc\nd;4\n', topic, '--key-delimiter', ';');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`2 records were sent to ${topic} before this:`);
    expect(result.stderr).toContain('error: line 3: no `;` between key and value\nhint: ');
    expect(await readTopic(topic)).toHaveLength(2);
    const wrong = await produce(project, '{"key":null,"payload":1}\n', topic, '--envelope');
    expect(wrong.stderr).toContain('error: line 1: not an envelope: `payload` holds something other than text or null');
  });

  test('of what `tail` prints gives a topic that is equal: null, empty, bytes, headers, partitions', async () => {
    const [from, to] = [await freshTopic({ partitions: 3 }), await freshTopic({ partitions: 3 })];
    const project = await testProject({ jobs: {} });
    const lines = [
      { key: 'k', payload: 'v', headers: ['a', '1', 'a', '2', 'empty', '', 'none', null] },
      { key: null, payload: null, partition: 2 },
      { key: '', payload: '', partition: 1 },
      { key_base64: '/wA=', payload_base64: '/v8=', headers_base64: ['h', '/w=='] },
      { key: 'k2', payload: '{"a":"\\"\\\\"}\u0000\n' },
    ];
    const stdin = lines.map((line) => JSON.stringify(line)).join('\n');
    expect((await produce(project, stdin, from, '--envelope')).code).toBe(0);
    const printed = await project.pgtally('tail', from, '--from', 'beginning', '--exit');
    expect(printed.stdout.trim().split('\n')).toHaveLength(5);
    expect((await produce(project, printed.stdout, to, '--envelope')).code).toBe(0);
    const plain = (records: Awaited<ReturnType<typeof readTopic>>) =>
      records.map(({ partition, offset, key, value, headers }) => ({ partition, offset, key, value, headers }));
    expect(plain(await readTopic(to))).toEqual(plain(await readTopic(from)));
    expect((await readTopic(to)).find(({ key }) => text(key) === 'k')?.headers).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['empty', ''],
      ['none', null],
    ]);
  });

  test('refuses a partition that the topic does not have, unless it may choose them', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await testProject({ jobs: {} });
    const line = '{"partition":5,"key":"k","payload":"v"}\n';
    const refused = await produce(project, line, topic, '--envelope');
    expect(refused.stderr).toContain(`error: line 1: partition 5 is not in \`${topic}\`, which has 2 (0 to 1)`);
    expect((await produce(project, line, topic, '--envelope', '--repartition')).code).toBe(0);
    expect(await readTopic(topic)).toHaveLength(1);
  });

  test('does not create a topic, and knows what is too large for one', async () => {
    const project = await testProject({ jobs: {} });
    const missing = await produce(project, 'x\n', 'NOT-THERE');
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('hint: create it: `pgtally topics create NOT-THERE`');
    const topic = await freshTopic({ config: { 'max.message.bytes': '1000' } });
    const large = await produce(project, `a\n${'x'.repeat(2000)}\n`, topic);
    expect(large.code).toBe(1);
    expect(large.stderr).toMatch(/error: .*2.*1000/);
    expect(await readTopic(topic)).toHaveLength(1);
  });

  test('sends what it has while its input is still open, a hundred thousand lines in order', async () => {
    const topic = await freshTopic();
    const project = await testProject({ jobs: {} });
    const command = startPgtally(['produce', topic], { cwd: project.folder, keepStdinOpen: true });
    const child = command.process.stdin;
    child?.write('first\n');
    await expect.poll(async () => (await readTopic(topic)).length, { timeout: 20_000 }).toBe(1);
    const lines = Array.from({ length: 100_000 }, (_, index) => String(index));
    child?.end(lines.join('\n'));
    expect(await command.result).toMatchObject({ code: 0, stderr: `100001 records to ${topic}\n` });
    expect((await readTopic(topic)).slice(1).map(({ value }) => text(value))).toEqual(lines);
  });
});
