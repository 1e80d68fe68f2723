import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findPassword, matchPassfile } from '../../src/postgres/password.ts';
import { targetAt } from './targets.ts';

const folder = mkdtempSync(join(tmpdir(), 'pgtally-password-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const target = { host: 'db.example', port: 5432, database: 'app', user: 'reader' };
const server = targetAt({ host: 'db.example', port: 5432, user: 'reader' }, 'app');

describe('a passfile', () => {
  test.each([
    ['a line that names all four', 'db.example:5432:app:reader:secret', 'secret'],
    ['wildcards', '*:*:*:reader:secret', 'secret'],
    ['the first line that matches', 'other:5432:app:reader:no\n*:*:app:*:first\n*:*:*:*:second\n', 'first'],
    ['no line for another port', 'db.example:5433:app:reader:secret', undefined],
    ['no line for another user', 'db.example:5432:app:writer:secret', undefined],
    ['comments', '#*:*:*:*:no\n*:*:*:*:yes', 'yes'],
    ['lines that are too short', '*:*:*\n\n*:*:*:*:yes', 'yes'],
    ['escaped colons and backslashes in the password', String.raw`*:*:*:*:a\:b\\c`, String.raw`a:b\c`],
    ['bare colons in the password, which is the rest of the line', '*:*:*:*:a:b', 'a:b'],
    ['lines that end as on Windows', '*:*:*:*:secret\r\n', 'secret'],
    ['an escaped star as a star, not a wildcard', String.raw`\*:*:*:*:secret`, undefined],
    ['an empty password', '*:*:*:*:', ''],
  ])('is read with %s', (_what, text, password) => {
    expect(matchPassfile(text, target)).toBe(password);
  });

  test('may name a database with a colon in it', () => {
    expect(matchPassfile(String.raw`*:*:a\:b:*:secret`, { ...target, database: 'a:b' })).toBe('secret');
  });

  test('knows a Unix-domain socket as localhost', () => {
    expect(matchPassfile('localhost:5432:app:reader:secret', { ...target, host: '/run/postgresql' })).toBe('secret');
  });

  test('that others can read is ignored, with what to do', () => {
    const passfile = file('open', '*:*:*:*:canary', 0o644);
    const found = findPassword({ ...server, passfile });
    expect(found.password).toBeUndefined();
    expect(found.note).toContain(`chmod 0600 ${passfile}`);
  });

  test('that is missing, or a folder, is said', () => {
    expect(findPassword({ ...server, passfile: join(folder, 'none') }).note).toContain('ENOENT');
    expect(findPassword({ ...server, passfile: folder }).note).toContain('not a plain file');
  });

  test('is used only when no password is given', () => {
    const passfile = file('pass', '*:*:*:*:from-file');
    expect(findPassword({ ...server, passfile }).password).toBe('from-file');
    expect(findPassword({ ...server, passfile, password: { value: 'given' } }).password).toBe('given');
  });
});

describe('a password file', () => {
  test('is read each time, without its last newline', () => {
    const path = file('secret', ' one \n');
    const withFile = { ...server, password: { file: path } };
    expect(findPassword(withFile).password).toBe(' one ');
    file('secret', 'two\r\n');
    expect(findPassword(withFile).password).toBe('two');
    file('secret', 'three\n\n');
    expect(findPassword(withFile).password).toBe('three\n');
  });

  test('that cannot be read is a failure that names it', () => {
    const path = join(folder, 'gone');
    expect(() => findPassword({ ...server, password: { file: path } })).toThrow(
      expect.objectContaining({ kind: 'authentication', code: 'ENOENT', message: expect.stringContaining(path) }),
    );
  });
});
