import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/postgres/connect.ts';
import { findExcessRights, inspectServer } from '../../src/postgres/privileges.ts';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { targetAt } from './targets.ts';

const options = { applicationName: 'pgtally/privileges-test' };
let database: TestDatabase;
const suffix = Math.random().toString(36).slice(2);
const role = (name: string) => `${name}_${suffix}`;
const ROLES = ['reader', 'writer', 'column_writer', 'owner', 'file_reader', 'programmer', 'creator', 'writes_all'];

beforeAll(async () => {
  database = await freshDatabase();
  await database.sql(`
    ${ROLES.map((name) => `create role ${role(name)} login;`).join('\n')}
    revoke create on schema public from public;
    create table main (id int, note text); create view seen as select * from main;
    grant select on main to ${ROLES.map(role).join(', ')};
    grant delete on main to ${role('writer')};
    grant update (note) on main to ${role('column_writer')};
    create table owned (id int); alter table owned owner to ${role('owner')};
    grant pg_read_server_files to ${role('file_reader')};
    grant pg_execute_server_program, pg_write_server_files to ${role('programmer')};
    grant pg_write_all_data to ${role('writes_all')};
    grant create on schema public to ${role('creator')}; grant create on database ${database.name} to ${role('creator')};
    alter role ${role('reader')} set default_transaction_read_only = on`);
});

afterAll(async () => {
  for (const name of ROLES) await database.sql(`drop owned by ${role(name)} cascade`);
  await database.drop();
});

async function asRole<T>(
  name: string,
  work: (connection: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(targetAt({ ...database, user: name }, database.name), options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

describe('the rights of a role', () => {
  test.each([
    ['reader', []],
    ['writer', ['may write to `main`']],
    ['column_writer', ['may write to `main`']],
    ['owner', ['may write to `owned`']],
    ['file_reader', ['is a member of pg_read_server_files']],
    ['programmer', ['is a member of pg_execute_server_program', 'is a member of pg_write_server_files']],
    ['creator', []],
    ['writes_all', ['is a member of pg_write_all_data', expect.stringMatching(/^may write to/)]],
  ])('that a job never needs, for %s: %j', async (name, expected) => {
    expect(await asRole(role(name), (connection) => findExcessRights(connection))).toEqual(expected);
  });

  test('of a superuser are all of them', async () => {
    expect(await asRole(database.user, (connection) => findExcessRights(connection))).toEqual(['is a superuser']);
  });

  test('can be asked for in the read-only transaction of a run', async () => {
    const rights = await asRole(role('writer'), async (connection) => {
      await connection.begin({ statementTimeout: 5_000, lockTimeout: 1_000, idleTimeout: 5_000 });
      return findExcessRights(connection);
    });
    expect(rights).toEqual(['may write to `main`']);
  });
});

describe('a report on a server', () => {
  test('says what it is, who we are and how far its clock is off', async () => {
    const report = await asRole(role('reader'), (connection) => inspectServer(connection));
    expect(report).toMatchObject({
      role: role('reader'),
      standby: false,
      readOnly: true,
      replayDelay: undefined,
      excess: [],
      mayCreateIn: [],
    });
    expect(report.version).toMatch(/^\d+(\.\d+|beta\d|rc\d)$/);
    // One machine, one clock: what is measured is the error of the measurement.
    expect(Math.abs(report.clockOffset)).toBeLessThanOrEqual(report.clockUncertainty + 1);
    expect(report.latency).toBeGreaterThan(0);
  });

  test('says where a role may create', async () => {
    const report = await asRole(role('creator'), (connection) => inspectServer(connection));
    expect(report).toMatchObject({ readOnly: false, mayCreateIn: [`database ${database.name}`, 'schema public'] });
  });
});
