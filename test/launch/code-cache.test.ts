// The code cache of the built command: what one start keeps the next one uses, and nothing of it is trusted blindly.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { openCodeCache } from '../../src/launch/code-cache.ts';
import { temporaryFolder } from '../stack/guard.ts';
import { runPgtally } from '../stack/run-pgtally.ts';

const FOLDER = `pgtally-code-${process.getuid?.()}`;

/** A start that loads some of the program; resolves to the inode of each file kept below `root`. */
async function start(root: string, env: Readonly<Record<string, string>> = {}): Promise<Record<string, number>> {
  const result = await runPgtally(['schema', '--of', 'job'], { env: { TMPDIR: root, ...env } });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(result.stdout)).toHaveProperty('$schema');
  return kept(root);
}

function kept(root: string): Record<string, number> {
  const folder = path.join(root, FOLDER);
  if (!existsSync(folder)) return {};
  return Object.fromEntries(readdirSync(folder).map((name) => [name, statSync(path.join(folder, name)).ino]));
}

test('what one start keeps, the next one takes as it is; only the user can read it', async () => {
  const root = temporaryFolder('code-cache');
  const first = await start(root);
  expect(Object.keys(first).some((name) => name.startsWith('program.js.'))).toBe(true);
  expect(Object.keys(first).filter((name) => name.endsWith('.part'))).toEqual([]);
  // What V8 refuses would be gone.
  expect(await start(root)).toEqual(first);
  expect(statSync(path.join(root, FOLDER)).mode & 0o777).toBe(0o700);
  for (const name of Object.keys(first)) expect(statSync(path.join(root, FOLDER, name)).mode & 0o777).toBe(0o600);
});

test("a Node with other options has files of its own, and leaves the others' alone", async () => {
  const root = temporaryFolder('code-cache');
  const plain = await start(root);
  const others = await start(root, { NODE_OPTIONS: '--stack-trace-limit=20' });
  expect(Object.keys(others)).toHaveLength(2 * Object.keys(plain).length);
  expect(others).toMatchObject(plain);
  expect(await start(root)).toEqual(others);
  expect(await start(root, { NODE_OPTIONS: '--stack-trace-limit=20' })).toEqual(others);
});

test.each([
  [
    'a byte is another one',
    (whole: Buffer) => whole.fill(whole.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1, (whole.length >> 1) + 1),
  ],
  ['the end is missing', (whole: Buffer) => whole.subarray(0, whole.length >> 1)],
  ['it is empty', () => Buffer.alloc(0)],
  ['it holds nothing but zeros', (whole: Buffer) => Buffer.alloc(whole.length)],
])('a file in which %s is replaced', async (_what, damage) => {
  const root = temporaryFolder('code-cache');
  const names = Object.keys(await start(root));
  const sound = names.map((name) => readFileSync(path.join(root, FOLDER, name)));
  for (const [index, name] of names.entries())
    writeFileSync(path.join(root, FOLDER, name), damage(Buffer.from(sound[index] ?? '')));
  const damaged = kept(root);
  const mended = await start(root);
  expect(Object.keys(mended)).toEqual(names);
  for (const name of names) expect(mended[name]).not.toBe(damaged[name]);
  expect(await start(root)).toEqual(mended);
});

test('what V8 refuses is not asked again', async () => {
  const root = temporaryFolder('code-cache');
  const first = await start(root);
  const [name = ''] = Object.keys(first).filter((one) => one.startsWith('program.js.'));
  const file = path.join(root, FOLDER, name);
  // Sound as a file, and of another version of V8.
  const stored = readFileSync(file);
  stored.writeUInt32LE((stored.readUInt32LE(8) ^ 1) >>> 0, 8);
  stored.writeUInt32LE(crc32(stored.subarray(4)), 0);
  writeFileSync(file, stored);
  const second = await start(root);
  expect(Object.keys(second)).toEqual(Object.keys(first).filter((one) => one !== name));
  const third = await start(root);
  expect(Object.keys(third)).toEqual(Object.keys(first));
  expect(await start(root)).toEqual(third);
});

test.each([
  [
    'that others may write to',
    (folder: string) => {
      mkdirSync(folder);
      chmodSync(folder, 0o777);
    },
  ],
  [
    'that others may read',
    (folder: string) => {
      mkdirSync(folder);
      chmodSync(folder, 0o755);
    },
  ],
  [
    'that is a link',
    (folder: string) => {
      mkdirSync(`${folder}-elsewhere`, { mode: 0o700 });
      symlinkSync(`${folder}-elsewhere`, folder);
    },
  ],
  ['that is a file', (folder: string) => writeFileSync(folder, '', { mode: 0o700 })],
])('a folder %s is not used', async (_what, make) => {
  const root = temporaryFolder('code-cache');
  make(path.join(root, FOLDER));
  const result = await runPgtally(['schema'], { env: { TMPDIR: root } });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  if (statSync(path.join(root, FOLDER)).isDirectory()) expect(kept(root)).toEqual({});
});

test('without a folder for temporary files, or when it is not wanted, nothing is kept', async () => {
  const root = temporaryFolder('code-cache');
  expect(await start(root, { NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual({});
  expect(await start(path.join(root, 'file', 'below'), { NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual({});
  writeFileSync(path.join(root, 'file'), '');
  expect(await start(path.join(root, 'file', 'below'))).toEqual({});
});

test('what is older than a month goes when something new is kept', async () => {
  const root = temporaryFolder('code-cache');
  const [first = '', second = '', ...others] = Object.keys(await start(root));
  const age = (name: string, days: number): void => {
    const then = Date.now() / 1000 - days * 86_400;
    utimesSync(path.join(root, FOLDER, name), then, then);
  };
  age(first, 31);
  age(second, 29);
  await start(root);
  expect(Object.keys(kept(root))).toEqual([first, second, ...others]);
  await start(root, { NODE_OPTIONS: '--stack-trace-limit=20' });
  expect(Object.keys(kept(root))).not.toContain(first);
  expect(Object.keys(kept(root))).toEqual(expect.arrayContaining([second, ...others]));
});

test('functions that were never called are in the cache', () => {
  const cache = openCodeCache(temporaryFolder('code-cache'));
  const functions = Array.from({ length: 100 }, (_, i) => `function f${i}(a){return a.b+${i}}`).join('');
  const source = (last: number): Buffer => Buffer.from(`${functions}// ${last}`);
  const compile = (content: Buffer, cachedData?: Buffer): Script =>
    new Script(content.toString(), cachedData === undefined ? {} : { cachedData });
  expect(cache.read('/some/file.js', source(1))).toBeUndefined();
  cache.write('/some/file.js', source(1), () => compile(source(1)));
  const kept = cache.read('/some/file.js', source(1));
  // The flag that compiled them is off again.
  expect(kept?.length).toBeGreaterThan(2 * compile(source(2)).createCachedData().length);
  expect(compile(source(1), kept).cachedDataRejected).toBe(false);
  // Another content is another entry, whatever the file is called.
  expect(cache.read('/some/file.js', source(2))).toBeUndefined();
  cache.drop('/some/file.js', source(1));
  expect(cache.read('/some/file.js', source(1))).toBeUndefined();
});
