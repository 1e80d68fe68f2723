import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Failure } from '../../src/model/failure.ts';
import type { Server } from '../../src/model/project.ts';
import { connect } from '../../src/postgres/connect.ts';
import type { CopySink } from '../../src/postgres/connection.ts';
import { openTransport } from '../../src/postgres/transport.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { type Authority, installPair, makeAuthority, type Pair } from './certificates.ts';
import { targetAt } from './targets.ts';

const CANARY = 'canary-5b1f7c: ü\\"\'';
const options = { applicationName: 'pgtally/login-test' };
const ACCESS = `
hostssl cert_only all 127.0.0.0/8 cert
hostssl cert_too scram_user 127.0.0.0/8 scram-sha-256 clientcert=verify-ca
hostssl tls_only all 127.0.0.0/8 trust
host tls_only all 127.0.0.0/8 reject
host all scram_user 127.0.0.0/8 scram-sha-256
host all normal_user 127.0.0.0/8 scram-sha-256
host all md5_user 127.0.0.0/8 md5
host all plain_user 127.0.0.0/8 password
host all gss_user 127.0.0.0/8 gss
host all rejected 127.0.0.0/8 reject
host all all 127.0.0.0/8 trust
`;

const folder = mkdtempSync(join(tmpdir(), 'pgtally-login-'));
const failures: Failure[] = [];
let own: PostgresServer;
let installed: Pair;
let authority: Authority;
let foreign: Authority;
let good: Pair;
let client: Pair;

beforeAll(async () => {
  authority = makeAuthority(folder, 'authority');
  foreign = makeAuthority(folder, 'foreign');
  good = authority.sign('good', { commonName: 'db', names: 'DNS:localhost,IP:127.0.0.1' });
  client = authority.sign('client', { commonName: 'cert_user' });
  own = await startPostgres({
    access: ACCESS,
    configuration(serverFolder) {
      installed = { cert: join(serverFolder, 'server.crt'), key: join(serverFolder, 'server.key') };
      const ca = { cert: join(serverFolder, 'ca.crt'), key: join(serverFolder, 'ca.key') };
      installPair(good, installed);
      installPair(authority.pair, ca);
      return `ssl = on\nssl_cert_file = '${installed.cert}'\nssl_key_file = '${installed.key}'\nssl_ca_file = '${ca.cert}'`;
    },
  });
  const admin = await connect(targetAt(own, 'postgres'), options);
  for (const name of ['cert_only', 'cert_too', 'tls_only'])
    await admin.execute(`create database ${name} template template0`, []);
  const quoted = CANARY.replaceAll("'", "''");
  for (const [name, encryption] of [
    ['scram_user', 'scram-sha-256'],
    ['md5_user', 'md5'],
    ['plain_user', 'md5'],
    ['gss_user', 'md5'],
    ['cert_user', 'md5'],
    ['rejected', 'md5'],
  ]) {
    await admin.execute(`set password_encryption = '${encryption}'`, []);
    await admin.execute(`create role ${name} login password '${quoted}'`, []);
  }
  await admin.close();
});

afterAll(async () => {
  await own.discard();
  rmSync(folder, { recursive: true });
});

const at = (overrides: Partial<Server> = {}, database = 'postgres'): Server => targetAt(own, database, overrides);

async function failureOf(server: Server): Promise<Failure> {
  const error = await connect(server, options).then(
    () => 'it connected',
    (reason: unknown) => reason,
  );
  if (!(error instanceof Failure)) throw new Error(`expected a Failure, not ${inspect(error)}`);
  failures.push(error);
  return error;
}

/** What the server says about the connection: its user, and whether it is encrypted. */
async function session(server: Server): Promise<unknown> {
  const connection = await connect(server, options);
  const [row] = await connection.rows(
    'select session_user::text as user, ssl from pg_stat_ssl where pid = pg_backend_pid()',
  );
  await connection.close();
  return row;
}

/** Has the server present another certificate, and waits until it does. */
async function present(pair: Pair): Promise<void> {
  installPair(pair, installed);
  const admin = await connect(at(), options);
  await admin.rows('select pg_reload_conf()');
  await admin.close();
  await vi.waitFor(async () => {
    const raw = await openTransport(at(), AbortSignal.timeout(5_000));
    raw.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
    await new Promise((resolve) => raw.once('data', resolve));
    const secured = connectTls({ socket: raw, rejectUnauthorized: false });
    await new Promise((resolve) => secured.once('secureConnect', resolve));
    const { raw: presented } = secured.getPeerCertificate();
    secured.destroy();
    const pem = readFileSync(pair.cert, 'utf8').replace(/-----[^-]*-----|\s/g, '');
    expect(presented.toString('base64')).toBe(pem);
  });
}

describe('a password', () => {
  test.each(['scram_user', 'md5_user', 'plain_user'])('logs in as %s', async (user) => {
    expect(await session(at({ user, password: { value: CANARY } }))).toEqual({ user, ssl: false });
    // Again, with the derived keys that were kept.
    expect(await session(at({ user, password: { value: CANARY } }))).toEqual({ user, ssl: false });
  });

  test('is normalised as libpq does it before it is proved', async () => {
    const written = 'I\u00ADX\u2168\u00A0x';
    const admin = await connect(at(), options);
    await admin.execute("set password_encryption = 'scram-sha-256'", []);
    await admin.execute(`create role normal_user login password '${written}'`, []);
    await admin.close();
    for (const value of [written, 'IXIX x']) {
      expect(await session(at({ user: 'normal_user', password: { value } }))).toEqual({
        user: 'normal_user',
        ssl: false,
      });
    }
  });

  test.each(['scram_user', 'md5_user', 'plain_user'])('that is wrong is final, for %s', async (user) => {
    const failure = await failureOf(at({ user, password: { value: `${CANARY}x` } }));
    expect(failure).toMatchObject({ kind: 'authentication', code: '28P01', retryable: false });
    expect(failure.hint).toContain(user);
  });

  test('that is asked for and not configured is said, with what to do', async () => {
    const failure = await failureOf(at({ user: 'scram_user' }));
    expect(failure).toMatchObject({
      kind: 'authentication',
      retryable: false,
      message: expect.stringContaining('asks for a password'),
    });
    expect(failure.hint).toContain('password_file');
  });

  test('is read from a file at each connection', async () => {
    const file = join(folder, 'password');
    const server = at({ user: 'scram_user', password: { file } });
    writeFileSync(file, 'old\n');
    expect(await failureOf(server)).toMatchObject({ code: '28P01' });
    writeFileSync(file, `${CANARY}\n`);
    expect(await session(server)).toEqual({ user: 'scram_user', ssl: false });
    rmSync(file);
    expect(await failureOf(server)).toMatchObject({ kind: 'authentication', message: expect.stringContaining(file) });
  });

  test('is looked up in a passfile that only its owner can read', async () => {
    const passfile = join(folder, 'pgpass');
    writeFileSync(passfile, `127.0.0.1:${own.port}:*:scram_user:${CANARY.replace(/[\\:]/g, '\\$&')}\n`, {
      mode: 0o600,
    });
    expect(await session(at({ user: 'scram_user', passfile }))).toEqual({ user: 'scram_user', ssl: false });
    const open = join(folder, 'pgpass-open');
    writeFileSync(open, `*:*:*:*:${CANARY}\n`, { mode: 0o644 });
    expect((await failureOf(at({ user: 'scram_user', passfile: open }))).hint).toContain(`chmod 0600 ${open}`);
  });
});

describe('a login', () => {
  test('by a method that is not supported says which', async () => {
    expect(await failureOf(at({ user: 'gss_user' }))).toMatchObject({
      kind: 'authentication',
      message: expect.stringContaining('GSSAPI'),
    });
  });

  test('that pg_hba.conf rejects is final', async () => {
    const failure = await failureOf(at({ user: 'rejected' }));
    expect(failure).toMatchObject({ kind: 'authentication', code: '28000', retryable: false });
    expect(failure.hint).toContain('pg_hba.conf');
  });

  test('without TLS where the server wants it is final', async () => {
    expect(await failureOf(at({}, 'tls_only'))).toMatchObject({ kind: 'authentication', code: '28000' });
    expect(await session(at({ tls: { mode: 'prefer' } }, 'tls_only'))).toEqual({ user: 'postgres', ssl: true });
  });
});

describe('TLS', () => {
  const ca = join(folder, 'authority.crt');
  const foreignCa = join(folder, 'foreign.crt');

  test.each([
    [{ mode: 'disable' }, false],
    [{ mode: 'prefer' }, true],
    [{ mode: 'require' }, true],
    [{ mode: 'require', ca }, true],
    [{ mode: 'verify-ca', ca }, true],
    [{ mode: 'verify-full', ca }, true],
  ] as const)('%o connects, encrypted: %s', async (tls, ssl) => {
    expect(await session(at({ tls }))).toEqual({ user: 'postgres', ssl });
  });

  test('carries a COPY, a cancel in its middle, and a password', async () => {
    const server = at({ tls: { mode: 'verify-full', ca }, user: 'scram_user', password: { value: CANARY } });
    const connection = await connect(server, options);
    let bytes = 0;
    const count: CopySink = {
      write(chunk) {
        bytes += chunk.length;
        return undefined;
      },
    };
    const rows = await connection.copyOut(
      "copy (select repeat('x', 100) from generate_series(1, 200000)) to stdout",
      count,
    );
    expect([rows, bytes]).toEqual([200_000, 20_200_000]);
    const controller = new AbortController();
    const sink: CopySink = {
      write() {
        controller.abort();
        return undefined;
      },
    };
    const endless = "copy (select generate_series(1, 100000000), repeat('x', 90)) to stdout";
    await expect(connection.copyOut(endless, sink, { signal: controller.signal })).rejects.toMatchObject({
      kind: 'cancelled',
    });
    expect(connection.usable).toBe(true);
    expect(await connection.rows('select 1 as one')).toEqual([{ one: 1 }]);
    await connection.close();
  });

  test.each([
    { mode: 'require', ca: foreignCa },
    { mode: 'prefer', ca: foreignCa },
    { mode: 'verify-ca', ca: foreignCa },
    { mode: 'verify-full', ca: foreignCa },
  ] as const)('refuses a certificate of another authority: %o', async (tls) => {
    const failure = await failureOf(at({ tls }));
    expect(failure).toMatchObject({
      kind: 'tls',
      retryable: false,
      message: expect.stringContaining('issued by `authority`'),
    });
    expect(failure.hint).toContain('tls.ca');
  });

  test('without a CA file trusts the public authorities only', async () => {
    expect(await failureOf(at({ tls: { mode: 'verify-full' } }))).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining('public'),
    });
    expect(await failureOf(at({ tls: { mode: 'verify-ca' } }))).toMatchObject({
      kind: 'tls',
      hint: expect.stringContaining('tls.ca'),
    });
  });

  test('checks the name in verify-full alone, an address as an address', async () => {
    const full = { mode: 'verify-full', ca } as const;
    expect(await session(at({ host: 'localhost', tls: full }))).toEqual({ user: 'postgres', ssl: true });
    const failure = await failureOf(at({ host: '127.0.0.2', tls: full }));
    expect(failure).toMatchObject({ kind: 'tls', retryable: false });
    expect(failure.message).toContain('not for `127.0.0.2` but for DNS:localhost, IP Address:127.0.0.1');
    expect(await session(at({ host: '127.0.0.2', tls: { mode: 'verify-ca', ca } }))).toEqual({
      user: 'postgres',
      ssl: true,
    });
    await present(authority.sign('other', { commonName: 'localhost', names: 'DNS:db.example,DNS:127.0.0.1' }));
    expect(await failureOf(at({ host: 'localhost', tls: full }))).toMatchObject({
      message: expect.stringContaining('DNS:db.example'),
    });
    expect(await failureOf(at({ tls: full }))).toMatchObject({
      message: expect.stringContaining('not for `127.0.0.1`'),
    });
    await present(authority.sign('plain', { commonName: 'localhost' }));
    expect(await session(at({ host: 'localhost', tls: full }))).toEqual({ user: 'postgres', ssl: true });
    await present(good);
  });

  test('refuses an expired certificate with its date, and takes the renewed one', async () => {
    await present(authority.sign('expired', { commonName: 'db', names: 'IP:127.0.0.1', days: -1 }));
    const failure = await failureOf(at({ tls: { mode: 'verify-ca', ca } }));
    expect(failure).toMatchObject({
      kind: 'tls',
      code: 'CERT_HAS_EXPIRED',
      message: expect.stringMatching(/expired on .*\d{4}/),
    });
    expect(failure.hint).toContain('renew');
    expect(await session(at({ tls: { mode: 'require' } }))).toEqual({ user: 'postgres', ssl: true });
    await present(good);
    expect(await session(at({ tls: { mode: 'verify-ca', ca } }))).toEqual({ user: 'postgres', ssl: true });
  });

  test('reads a CA file anew at each connection', async () => {
    const file = join(folder, 'renewed.crt');
    writeFileSync(file, readFileSync(foreignCa, 'utf8'));
    expect(await failureOf(at({ tls: { mode: 'verify-ca', ca: file } }))).toMatchObject({ kind: 'tls' });
    writeFileSync(file, readFileSync(foreignCa, 'utf8') + readFileSync(ca, 'utf8'));
    expect(await session(at({ tls: { mode: 'verify-ca', ca: file } }))).toEqual({ user: 'postgres', ssl: true });
  });

  test('logs in by a client certificate', async () => {
    const tls = { mode: 'verify-full', ca, ...client } as const;
    expect(await session(at({ user: 'cert_user', tls }, 'cert_only'))).toEqual({ user: 'cert_user', ssl: true });
    const both = at({ user: 'scram_user', password: { value: CANARY }, tls }, 'cert_too');
    expect(await session(both)).toEqual({ user: 'scram_user', ssl: true });
  });

  test('without a client certificate where one is wanted says what to set', async () => {
    const failure = await failureOf(at({ user: 'cert_user', tls: { mode: 'require' } }, 'cert_only'));
    expect(failure).toMatchObject({ kind: 'authentication', code: '28000' });
    expect(failure.hint).toContain('`tls.cert`');
  });

  test('with a client certificate of another authority, or another name, is refused', async () => {
    const wrong = foreign.sign('intruder', { commonName: 'cert_user' });
    const failure = await failureOf(at({ user: 'cert_user', tls: { mode: 'require', ...wrong } }, 'cert_only'));
    expect(failure).toMatchObject({ kind: 'tls', retryable: false });
    expect(failure.hint).toContain('client certificate');
    const other = await failureOf(at({ user: 'postgres', tls: { mode: 'require', ...client } }, 'cert_only'));
    expect(other).toMatchObject({ kind: 'authentication', retryable: false });
  });

  test('files that are missing, no PEM, or do not belong together are said by name', async () => {
    const text = join(folder, 'text.crt');
    writeFileSync(text, 'no certificate');
    const broken = join(folder, 'broken.crt');
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----\n');
    const tls = (settings: Partial<Server['tls']>) => failureOf(at({ tls: { mode: 'verify-full', ...settings } }));
    expect(await tls({ ca: join(folder, 'none') })).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining('none` (ENOENT)'),
    });
    expect(await tls({ ca: text })).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining('text.crt` is not a PEM'),
    });
    expect(await tls({ ca: broken })).toMatchObject({ kind: 'tls', message: expect.stringContaining('broken.crt') });
    expect(await tls({ ca, cert: client.cert, key: good.key })).toMatchObject({
      message: expect.stringContaining('does not belong'),
    });
    expect(await tls({ ca, cert: client.cert })).toMatchObject({ message: expect.stringContaining('tls.key') });
  });

  test('is not offered by every server', async () => {
    const plain = await startPostgres();
    try {
      const failure = await connect(targetAt(plain, 'postgres', { tls: { mode: 'require' } }), options).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ kind: 'tls', retryable: false, hint: expect.stringContaining('ssl = on') });
      expect(await session(targetAt(plain, 'postgres', { tls: { mode: 'prefer' } }))).toEqual({
        user: 'postgres',
        ssl: false,
      });
    } finally {
      await plain.discard();
    }
  });
});

test('no failure of all these holds the password', () => {
  expect(failures.length).toBeGreaterThan(20);
  for (const failure of failures) {
    const shown = [
      String(failure),
      failure.stack,
      JSON.stringify(failure),
      inspect(failure, { showHidden: true, depth: 12 }),
    ].join('\n');
    expect(shown).not.toContain('canary');
    expect(shown).not.toContain(Buffer.from(CANARY).toString('base64').slice(0, 12));
  }
});
