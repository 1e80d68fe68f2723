import { symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFiles, matchesGlob, matchesServer } from '../../src/config/glob.ts';
import { writeFiles } from './folder.ts';

describe('a glob', () => {
  it.each([
    ['edge-1', 'edge-1', true],
    ['edge-*', 'edge-', true],
    ['edge-*', 'edge-1/app', false],
    ['*/app', 'edge-1/app', true],
    ['edge-?', 'edge-12', false],
    ['edge-??', 'edge-12', true],
    ['a.b', 'axb', false],
    ['a+(b)[c]{d}^$|\\', 'a+(b)[c]{d}^$|\\', true],
    ['?', '😀', true],
    ['*', '', true],
  ])('%s and %s: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('of servers means all databases of a server, unless it names one', () => {
    expect(matchesServer('edge-*', 'edge-1/app')).toBe(true);
    expect(matchesServer('edge-1', 'edge-1/app')).toBe(true);
    expect(matchesServer('edge-1/app', 'edge-1/app')).toBe(true);
    expect(matchesServer('edge-1/b*', 'edge-1/app')).toBe(false);
    expect(matchesServer('app', 'edge-1/app')).toBe(false);
  });
});

describe('files are found', () => {
  const files = {
    'jobs/a.yaml': '',
    'jobs/b.yml': '',
    'jobs/.c.yaml': '',
    'jobs/x/d.yaml': '',
    'jobs/x/y/e.yaml': '',
    'jobs/.git/f.yaml': '',
    'other.yaml': '',
  };

  it.each([
    ['jobs/*.yaml', ['jobs/a.yaml']],
    ['jobs/.*.yaml', ['jobs/.c.yaml']],
    ['jobs/**/*.yaml', ['jobs/a.yaml', 'jobs/x/d.yaml', 'jobs/x/y/e.yaml']],
    ['./jobs/?.y*ml', ['jobs/a.yaml', 'jobs/b.yml']],
    ['*/x/*.yaml', ['jobs/x/d.yaml']],
    ['jobs/a.yaml', ['jobs/a.yaml']],
    ['jobs', []],
    ['jobs/a.yaml/*', []],
    ['nowhere/*.yaml', []],
    ['jobs/../other.yaml', ['other.yaml']],
    ['\0', []],
  ])('by %j', (pattern, expected) => {
    const folder = writeFiles(files);
    expect(findFiles(folder, pattern).files.map((path) => relative(folder, path))).toEqual(expected);
    expect(findFiles('/', join(folder, pattern)).files.map((path) => relative(folder, path))).toEqual(expected);
  });

  it('behind links, but not in circles', () => {
    const folder = writeFiles(files);
    symlinkSync('.', join(folder, 'jobs/circle'));
    symlinkSync('a.yaml', join(folder, 'jobs/link.yaml'));
    const found = (pattern: string) => findFiles(folder, pattern).files.map((path) => relative(folder, path));
    expect(found('jobs/*.yaml')).toEqual(['jobs/a.yaml', 'jobs/link.yaml']);
    expect(found('jobs/**/a.yaml')).toEqual(['jobs/a.yaml']);
    expect(found('jobs/circle/a.yaml')).toEqual(['jobs/circle/a.yaml']);
  });
});
