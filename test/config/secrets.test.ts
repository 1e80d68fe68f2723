import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findSecretValues, findUrlSecrets } from '../../src/config/secrets.ts';
import { JOB, messages } from './folder.ts';

const CANARY = 'CANARY';

/** The text with each secret as `*`. */
function masked(text: string): string {
  let result = text;
  for (const { start, end } of [...findSecretValues(text)].reverse()) {
    result = `${result.slice(0, start)}*${result.slice(end)}`;
  }
  return result;
}

describe('a secret', () => {
  it.each([
    ['password: hunter2 # mine', 'password: *'],
    ["{password: 'it''s', name: a}", '{password: *, name: a}'],
    ['{password: hunter2, name: a}', '{password: *, name: a}'],
    ['{password: hun,ter2, name: a}', '{password: *, name: a}'],
    ['password: |\n  hunter2\n  hunter3\nname: a', 'password: *\nname: a'],
    ['  password:\n    hunter2\n  name: a', '  password:\n    *\n  name: a'],
    ['- password: a\n- name: b', '- password: *\n- name: b'],
    ['"password": "x"', '"password": *'],
    ['password : x', 'password : *'],
    ['pasword: x', 'pasword: *'],
    ['name: a\npassword x', 'name: a\npass*'],
    ['labels: {role: shard}', 'labels: {role: *}'],
    [`password: \${PASSWORD} # was hunter2`, `password: \${PASSWORD} *`],
    [`password: \${PASSWORD:-hunter2}`, 'password: *'],
    ['url: postgres://u:p@ss/w@h/d', 'url: postgres://*@h/d'],
    ['url: postgres://u:hunter2', 'url: *'],
    ['{url: "host=h password=\'a b\'", name: a}', '{url: *, name: a}'],
    ['url: postgres://u@h/d?sslpassword=x&a=b', 'url: postgres://*@h/d?sslpassword=*&a=b'],
  ])('is hidden in %s', (text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  it.each([
    `password: \${PASSWORD}`,
    `{password: \${PASSWORD}, name: a}`,
    'password_file: /run/secrets/a',
    'passfile: ~/.pgpass',
    'url: postgres://h:5432/d',
    'brokers: [kafka-1:9092, kafka-2:9092]',
    'for: {n: 1..3}',
    'tls: {mode: verify-full, ca: a.pem, cert: b.pem, key: c.pem}',
  ])('is not seen in %s', (text) => {
    expect(masked(text)).toBe(text);
  });

  it('of a URL is hidden in a job file, and nothing else is', () => {
    const text = "query: select dblink('postgres://u:p@h/d', 'password: x') as password\n";
    expect(findUrlSecrets(text).map(({ start, end }) => text.slice(start, end))).toEqual(['u:p']);
  });

  it('is in no message, whichever character of pgtally.yaml or a server file is lost or slipped in', () => {
    const config = `kafka:
  brokers: [localhost:9092]
  sasl: {mechanism: plain, username: u, password: ${CANARY}1}
servers:
  - name: a
    url: postgres://u:${CANARY}2@10.0.0.1:5432/app?sslmode=require
  - {name: b, url: "postgres://u@h/d", password: "${CANARY} 3", labels: {x: y}}
  - name: c
    password: >-
      ${CANARY}4
    url: postgres://u@h/d
  - include: servers/*.yaml
status:
  token: ${CANARY}5
`;
    const servers = `- name: d
  password: '${CANARY}6'
  url: postgres://u@h/d
`;
    const slips = [
      '',
      ' ',
      ':',
      ': ',
      '"',
      "'",
      '\n',
      '{',
      '}',
      '[',
      ',',
      '#',
      ' #',
      '\t',
      '*',
      '&',
      '!',
      '%',
      '@',
      '|',
      '\\',
      '$',
      '/',
    ];
    fc.assert(
      fc.property(fc.boolean(), fc.nat(), fc.nat(2), fc.constantFrom(...slips), (inConfig, position, lost, slip) => {
        const text = inConfig ? config : servers;
        const at = position % text.length;
        const broken = text.slice(0, at) + slip + text.slice(at + lost);
        const files = inConfig
          ? { 'pgtally.yaml': broken, 'servers/s.yaml': servers }
          : { 'pgtally.yaml': config, 'servers/s.yaml': broken };
        expect(messages({ ...files, 'jobs/a.yaml': JOB })).not.toContain(CANARY);
      }),
      { numRuns: 400 },
    );
  });
});
