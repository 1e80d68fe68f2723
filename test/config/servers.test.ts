import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../src/config/load.ts';
import type { Server } from '../../src/model/project.ts';
import { type Env, type Files, JOB, load, loadRight, writeFiles } from './folder.ts';

const KAFKA = 'kafka: {brokers: [localhost:9092]}\n';

/** The servers of a list under `servers`. */
function serversOf(list: string, env: Env = {}, files: Files = {}): readonly Server[] {
  return loadRight({ 'pgtally.yaml': `${KAFKA}servers:\n${list}`, 'jobs/a.yaml': JOB, ...files }, env).servers;
}

function serverOf(fields: string, env: Env = {}): Server {
  const [server] = serversOf(`  - {name: a, ${fields}}\n`, env);
  if (!server) throw new Error('no server');
  return server;
}

const URL = 'url: postgres://u@h/d';

describe('a url', () => {
  it.each([
    ['postgres://u@h/d', { host: 'h', port: 5432, user: 'u', database: 'd' }],
    ['postgresql://u@10.0.0.1:6432/d', { host: '10.0.0.1', port: 6432, user: 'u', database: 'd' }],
    ['postgres://u@[::1]:6432/d', { host: '::1', port: 6432, user: 'u', database: 'd' }],
    ['postgres://u%40x:p%2Fw@h/d%20e', { host: 'h', user: 'u@x', password: { value: 'p/w' }, database: 'd e' }],
    ['postgres://u:p@ss@h/d', { host: 'h', user: 'u', password: { value: 'p@ss' } }],
    [
      'postgres://u@h/d?sslmode=require&application_name=x%20y',
      { parameters: { application_name: 'x y' }, tls: { mode: 'require' } },
    ],
    ['postgres://u@h/d?options=-c%20search_path%3Dapp', { parameters: { options: '-c search_path=app' } }],
  ])('%s', (url, expected) => {
    expect(serverOf(`url: "${url}"`)).toMatchObject(expected);
  });

  it('takes what a variable holds in its user and password part as it is', () => {
    const env = { USER_NAME: 'u@corp', PW: 'a/b@c:d#e?f%g {n}' };
    const [server] = serversOf(`  - name: a\n    url: postgres://\${USER_NAME}:\${PW}@h/d\n`, env);
    expect(server).toMatchObject({ user: 'u@corp', password: { value: env.PW }, host: 'h', database: 'd' });
  });

  it('may be a variable as a whole, or have variables for host, port and database', () => {
    expect(serverOf(`url: "\${URL}"`, { URL: 'postgres://u:p%40@h:1/d' })).toMatchObject({
      password: { value: 'p@' },
      port: 1,
    });
    expect(serverOf(`url: "postgres://u@\${H}:\${P}/\${D:-app}"`, { H: 'h', P: '7' })).toMatchObject({
      host: 'h',
      port: 7,
      database: 'app',
    });
  });

  it('warns of a password that stands in the file, not of one from a variable', () => {
    const config = (url: string) => ({
      'pgtally.yaml': `${KAFKA}servers: [{name: a, url: "${url}"}]\n`,
      'jobs/a.yaml': JOB,
    });
    expect(load(config('postgres://u:p@h/d')).problems.map(({ message }) => message)).toEqual([
      '`url` holds a password',
    ]);
    expect(load(config(`postgres://u:\${PW}@h/d`), { PW: 'p' }).problems).toEqual([]);
    expect(load(config(`\${URL}`), { URL: 'postgres://u:p@h/d' }).problems).toEqual([]);
  });
});

describe('a password', () => {
  const env = { PGPASSWORD: 'from-env', HOME: '/nowhere' };

  it('comes from the first source that is given', () => {
    expect(serverOf(`${URL}, password: p`, env).password).toEqual({ value: 'p' });
    expect(serverOf(`${URL}, password_file: secrets/p`, env).password).toEqual({
      file: expect.stringMatching(/^\/.*\/secrets\/p$/),
    });
    expect(serverOf(`${URL}, passfile: /etc/pgpass`, env)).toMatchObject({ passfile: '/etc/pgpass' });
    expect(serverOf(`${URL}, passfile: /etc/pgpass`, env)).not.toHaveProperty('password');
    expect(serverOf(URL, env).password).toEqual({ value: 'from-env' });
    expect(serverOf(URL, {})).not.toHaveProperty('password');
  });

  it('that is empty is none', () => {
    expect(serverOf(`${URL}, password: "\${PW:-}"`, env).password).toEqual({ value: 'from-env' });
  });

  it('is looked up in `~/.pgpass` or `PGPASSFILE` where such a file is there', () => {
    const home = writeFiles({ '.pgpass': '*:*:*:*:x\n', other: '' });
    expect(serverOf(URL, { HOME: home })).toMatchObject({ passfile: join(home, '.pgpass') });
    expect(serverOf(URL, { HOME: home, PGPASSFILE: join(home, 'other') })).toMatchObject({
      passfile: join(home, 'other'),
    });
    expect(serverOf(URL, { HOME: '/nowhere' })).not.toHaveProperty('passfile');
  });
});

describe('TLS', () => {
  it.each([
    ['', {}, { mode: 'prefer' }],
    ['tls: {mode: disable}', {}, { mode: 'disable' }],
    ['tls: {ca: /ca}', {}, { mode: 'verify-full', ca: '/ca' }],
    ['tls: {mode: verify-ca, ca: /ca, cert: /c, key: /k}', {}, { mode: 'verify-ca', ca: '/ca', cert: '/c', key: '/k' }],
    ['tls: {ca: system}', {}, { mode: 'verify-full' }],
    ['', { PGSSLMODE: 'require', PGSSLROOTCERT: '/ca' }, { mode: 'require', ca: '/ca' }],
    [
      'tls: {mode: prefer}',
      { PGSSLMODE: 'require', PGSSLCERT: '/c', PGSSLKEY: '/k' },
      { mode: 'prefer', cert: '/c', key: '/k' },
    ],
  ])('with %s and %j', (tls, env, expected) => {
    expect(serverOf(tls === '' ? URL : `${URL}, ${tls}`, env).tls).toEqual(expected);
  });

  it('takes libpq parameters of the url', () => {
    const url = 'url: "postgres://u@h/d?sslmode=verify-ca&sslrootcert=/ca&sslcert=/c&sslkey=/k"';
    expect(serverOf(url).tls).toEqual({ mode: 'verify-ca', ca: '/ca', cert: '/c', key: '/k' });
  });
});

describe('a range', () => {
  it('makes a server of each number, in name, url, labels and databases', () => {
    const list =
      '  - {name: "e-{n}", for: {n: 9..11}, url: "postgres://u@10.0.0.{n}/app", labels: {rack: "r{n}"}, databases: ["d{n}", x]}\n';
    const servers = serversOf(list);
    expect(servers.map(({ name, host, database, labels }) => [name, host, database, labels.rack])).toEqual([
      ['e-9/d9', '10.0.0.9', 'd9', 'r9'],
      ['e-9/x', '10.0.0.9', 'x', 'r9'],
      ['e-10/d10', '10.0.0.10', 'd10', 'r10'],
      ['e-10/x', '10.0.0.10', 'x', 'r10'],
      ['e-11/d11', '10.0.0.11', 'd11', 'r11'],
      ['e-11/x', '10.0.0.11', 'x', 'r11'],
    ]);
  });

  it('keeps leading zeros and combines several variables, the last one running fastest', () => {
    const servers = serversOf('  - {name: "a{r}-{n}", for: {r: 1..2, n: 08..10}, url: "postgres://u@h{n}/d"}\n');
    expect(servers.map(({ name }) => name)).toEqual(['a1-08', 'a1-09', 'a1-10', 'a2-08', 'a2-09', 'a2-10']);
    expect(servers[0]?.host).toBe('h08');
  });

  it('of thousands is loaded', () => {
    expect(serversOf('  - {name: "s{n}", for: {n: 1..5000}, url: "postgres://u@h{n}/d"}\n')).toHaveLength(5000);
  });
});

describe('included files', () => {
  it('add their servers at their place, with paths from their own folder', () => {
    const list =
      '  - {name: first, url: postgres://u@h/d}\n  - include: fleet/**/*.yaml\n  - {name: last, url: postgres://u@h/d}\n';
    const project = loadRight(
      {
        'pgtally.yaml': `${KAFKA}servers:\n${list}`,
        'fleet/b.yaml': `- {name: b, url: postgres://u@h/d, password: "\${PW}", tls: {ca: ca.pem}}\n`,
        'fleet/eu/a.yaml': '- {name: c, url: postgres://u@h/d, password_file: p}\n',
        'fleet/.hidden.yaml': 'not: read\n',
        'fleet/empty.yaml': '',
        'jobs/a.yaml': JOB,
      },
      { PW: 'x' },
    );
    expect(project.servers.map(({ name }) => name)).toEqual(['first', 'b', 'c', 'last']);
    const [, b, c] = project.servers;
    expect(b).toMatchObject({ password: { value: 'x' }, tls: { ca: join(project.folder, 'fleet/ca.pem') } });
    expect(c).toMatchObject({ password: { file: join(project.folder, 'fleet/eu/p') } });
    expect(project.files).toContain(join(project.folder, 'fleet/eu/a.yaml'));
    expect(project.folders).toContain(join(project.folder, 'fleet/eu'));
  });

  it('are found anew when the project is loaded again', () => {
    const cwd = writeFiles({
      'pgtally.yaml': `${KAFKA}servers: [{include: s/*.yaml}]\n`,
      's/a.yaml': '- {name: a, url: postgres://u@h/d}\n',
    });
    const names = () => loadProject({ cwd, env: {} }).project?.servers.map(({ name }) => name);
    expect(names()).toEqual(['a']);
    mkdirSync(join(cwd, 's'), { recursive: true });
    writeFileSync(join(cwd, 's/b.yaml'), '- {name: b, url: postgres://u@h/d}\n');
    expect(names()).toEqual(['a', 'b']);
  });
});
