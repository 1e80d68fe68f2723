import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../stack/for-tests.ts';
import { freePorts } from '../stack/ports.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { jsonLines, type TestProject, testProject } from './project.ts';

const READER = `reader_${Math.random().toString(36).slice(2)}`;
const WRITER = `writer_${Math.random().toString(36).slice(2)}`;
/** May write to the tables of ingest jobs, but not create any. */
const KEEPER = `keeper_${Math.random().toString(36).slice(2)}`;

/** `plain` has what the job needs, `bare` has no table, `narrow` has a column of another type. */
const databases: Record<'plain' | 'bare' | 'narrow', TestDatabase> = {} as never;

beforeAll(async () => {
  const names = ['plain', 'bare', 'narrow'] as const;
  await Promise.all(
    names.map(async (name) => {
      databases[name] = await freshDatabase();
    }),
  );
  const { plain, bare, narrow } = databases;
  await plain.sql(
    `create role ${READER} login password 'secret-canary'; create role ${WRITER} login; create role ${KEEPER} login`,
  );
  for (const database of [plain, bare, narrow]) await database.sql(`revoke create on schema public from public`);
  await plain.sql(`
    create table main (group_id text, number bigint); create table hidden (id int);
    create table target (id bigint generated always as identity, group_id text not null, payload json not null, at timestamptz not null);
    create function parts(text) returns setof text language sql as $$ select unnest(array['a', 'b']) $$;
    create aggregate longest(text) (sfunc = text_larger, stype = text);
    grant select on main to ${READER}, ${WRITER}; grant insert on main, target to ${WRITER}, ${KEEPER};
    grant create on database ${plain.name} to ${WRITER}`);
  await narrow.sql(`create table main (group_id text, number integer); grant select on main to ${READER}`);
});

afterAll(async () => {
  const all = Object.values(databases);
  for (const database of all) await database.sql(`drop owned by ${READER}, ${WRITER}, ${KEEPER} cascade`);
  await databases.plain.sql(`drop role ${READER}, ${WRITER}, ${KEEPER}`);
  for (const database of all) await database.drop();
});

interface Target {
  readonly name: string;
  readonly database?: keyof typeof databases;
  readonly role?: string;
  readonly port?: number;
}

/** A project of these servers, each at a loopback address of its own. */
async function projectOn(
  targets: readonly Target[],
  jobs: Readonly<Record<string, string>>,
  settings = '',
): Promise<TestProject> {
  const project = await testProject({ servers: 0, jobs });
  const servers = targets.map(({ name, database = 'plain', role, port }, index) => {
    const { name: dbname, user, port: own } = databases[database];
    const url = `postgres://${role ?? user}@127.0.0.${index + 1}:${port ?? own}/${dbname}`;
    return `  - {name: ${name}, url: "${url}", tls: {mode: disable}}\n`;
  });
  project.write('pgtally.yaml', `kafka: {brokers: ["127.0.0.1:1"]}\n${settings}servers:\n${servers.join('')}`);
  return project;
}

const COUNTS = `query: |
  select group_id, number as rows
  from main
topic: COUNTS
key: group_id
`;

/** Cells of a table's line, by its header. */
function tableOf(stdout: string): Record<string, string>[] {
  const [header = '', ...lines] = stdout.trimEnd().split('\n');
  const titles = [...header.matchAll(/\S+/g)].map((match) => ({ title: match[0], start: match.index }));
  return lines.map((line) =>
    Object.fromEntries(
      titles.map(({ title, start }, i) => [title, line.slice(start, titles[i + 1]?.start ?? undefined).trim()]),
    ),
  );
}

describe('check --servers', () => {
  test('shows each server in a table and what is wrong by cause, and exits 1', async () => {
    const [closed = 0] = await freePorts(1);
    const project = await projectOn(
      [
        { name: 'good', role: READER },
        { name: 'bare-1', role: READER, database: 'bare' },
        { name: 'bare-2', role: READER, database: 'bare' },
        { name: 'boss' },
        { name: 'dead-1', role: READER, port: closed },
        { name: 'dead-2', role: READER, port: closed },
      ],
      { 'counts.yaml': COUNTS },
    );
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    const table = tableOf(result.stdout);
    expect(table.map(({ SERVER, ROLE, JOBS, FINDINGS }) => [SERVER, ROLE, JOBS, FINDINGS])).toEqual([
      ['good', READER, '1/1', ''],
      ['bare-1', READER, '0/1', '1 job fails'],
      ['bare-2', READER, '0/1', '1 job fails'],
      ['boss', databases.plain.user, '1/1', 'is a superuser'],
      ['dead-1', READER, '-', 'connection refused'],
      ['dead-2', READER, '-', 'connection refused'],
    ]);
    expect(table[0]).toMatchObject({
      VERSION: expect.stringMatching(/^\d+(\.\d+|\w+)$/),
      LATENCY: expect.stringMatching(/^\d+\.\d ms$/),
      'READ-ONLY': 'no',
      CLOCK: expect.stringMatching(/^([+-]\d+|0) ms$/),
      DELAY: '-',
    });
    expect(result.stderr).toContain(`
error: 2 servers: connection refused (dead-1, dead-2)
hint: dead-1: is Postgres running at 127.0.0.5:${closed}?

warning: boss: role \`${databases.plain.user}\` is a superuser
hint: a job's role needs no more than \`create role NAME login password '…'; grant usage on schema SCHEMA to NAME; grant select on TABLE to NAME\`

jobs/counts.yaml:3:8: error: 2 servers: relation "main" does not exist (bare-1, bare-2)
    from main
         ^^^^
hint: name the schema (\`schema.table\`), or set the role's \`search_path\`

2 errors, 1 warning

4 of 6 servers reached; jobs that can run on them: 2 of 4
`);
  });

  test('a column of another type on one server is a warning that names the servers', async () => {
    const project = await projectOn(
      [
        { name: 'a', role: READER },
        { name: 'b', role: READER, database: 'narrow' },
        { name: 'c', role: READER },
      ],
      { 'counts.yaml': COUNTS },
    );
    const result = await project.pgtally('check', '--servers');
    expect(result.stderr).toContain(
      'warning: column `rows` of job `counts` is not the same everywhere: `bigint` on 2 servers (a, c), `integer` on b\n',
    );
    expect(result.code).toBe(0);
    const lines = jsonLines((await project.pgtally('check', '--servers', '--json')).stdout);
    expect(lines.filter(({ kind }) => kind === 'types')).toEqual([
      {
        kind: 'types',
        job: 'counts',
        column: 'rows',
        types: [
          { type: 'bigint', servers: ['a', 'c'] },
          { type: 'integer', servers: ['b'] },
        ],
      },
    ]);
  });

  test('a column that a star brings on some servers only is told as missing on the others', async () => {
    await databases.bare.sql(`create table wide (id int); grant select on wide to ${READER}`);
    await databases.plain.sql(`create table wide (id int, extra text); grant select on wide to ${READER}`);
    const project = await projectOn(
      [
        { name: 'a', role: READER },
        { name: 'b', role: READER, database: 'bare' },
      ],
      { 'wide.yaml': 'query: select * from wide\ntopic: WIDE\n' },
    );
    const result = await project.pgtally('check', '--servers', '--json');
    expect(jsonLines(result.stdout).find(({ kind }) => kind === 'types')).toMatchObject({
      column: 'extra',
      types: [
        { type: 'text', servers: ['a'] },
        { type: null, servers: ['b'] },
      ],
    });
  });

  test('a right that the role lacks is found without running the query', async () => {
    const project = await projectOn([{ name: 'a', role: READER }], {
      'hidden.yaml': 'query: select id, pg_sleep(30) from hidden\ntopic: HIDDEN\n',
    });
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      `error: a: job \`hidden\`: permission denied for table hidden\nhint: grant it, for example \`grant select on TABLE to ${READER}\`\n`,
    );
  });

  test.each([
    ['key: parts(group_id)', '`parts` is a function that returns a set here, but the key', 'parts'],
    ['headers: {h: longest(group_id)}', '`longest` is an aggregate here, but header `h`', 'longest'],
  ])(
    '%s is refused by what the server knows of the function, at its place, as a run refuses it',
    async (line, message, word) => {
      const project = await projectOn([{ name: 'a', role: READER }], {
        'calls.yaml': `query: select group_id from main\ntopic: CALLS\n${line}\n`,
      });
      for (const command of [
        ['check', '--servers'],
        ['run', 'calls', '--dry-run'],
      ]) {
        const result = await project.pgtally(...command);
        expect(result.code).toBe(1);
        const at = line.indexOf(word);
        expect(result.stderr).toContain(`jobs/calls.yaml:3:${at + 1}: error: a: ${message}`);
        expect(result.stderr).toContain(`\n  ${line}\n  ${' '.repeat(at)}${'^'.repeat(word.length)}\n`);
      }
    },
  );

  test('--json is a line for each server and each job on it, with the error at its place', async () => {
    const [closed = 0] = await freePorts(1);
    const project = await projectOn(
      [
        { name: 'good', role: READER },
        { name: 'bare', role: READER, database: 'bare' },
        { name: 'dead', role: READER, port: closed },
      ],
      { 'counts.yaml': COUNTS },
    );
    const result = await project.pgtally('check', '--servers', '--json', '--quiet');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(jsonLines(result.stdout)).toEqual([
      {
        kind: 'server',
        server: 'good',
        ok: true,
        version: expect.any(String),
        latency_ms: expect.any(Number),
        role: READER,
        read_only: false,
        standby: false,
        clock_offset_ms: expect.any(Number),
        clock_uncertainty_ms: expect.any(Number),
        replay_delay_ms: null,
        excess: [],
        may_create_in: [],
      },
      {
        kind: 'job',
        job: 'counts',
        server: 'good',
        ok: true,
        columns: [
          { name: 'group_id', type: 'text' },
          { name: 'rows', type: 'bigint' },
        ],
        warnings: [],
      },
      expect.objectContaining({ kind: 'server', server: 'bare', ok: true }),
      {
        kind: 'job',
        job: 'counts',
        server: 'bare',
        ok: false,
        columns: [],
        warnings: [],
        error: {
          kind: 'sql',
          message: 'relation "main" does not exist',
          code: '42P01',
          hint: expect.any(String),
          file: 'jobs/counts.yaml',
          line: 3,
          column: 8,
        },
      },
      {
        kind: 'server',
        server: 'dead',
        ok: false,
        error: {
          kind: 'connection',
          message: 'connection refused',
          code: 'ECONNREFUSED',
          hint: `is Postgres running at 127.0.0.3:${closed}?`,
        },
      },
      { kind: 'missing', table: 'main', servers: ['bare'], jobs: ['counts'] },
    ]);
  });

  test('a wrong password is told with its server and the role, and is shown nowhere', async () => {
    const locked = await startPostgres({
      access: 'host all postgres 127.0.0.0/8 trust\nhost all all 127.0.0.0/8 scram-sha-256\n',
    });
    try {
      const project = await testProject({ servers: 0, jobs: {} });
      project.write(
        'pgtally.yaml',
        `kafka: {brokers: ["127.0.0.1:1"]}\nservers:\n  - {name: vault, url: "postgres://nobody@127.0.0.1:${locked.port}/postgres", password: wrong-canary}\n`,
      );
      for (const flags of [[], ['--json'], ['-v']]) {
        const result = await project.pgtally('check', '--servers', ...flags);
        expect(result.code).toBe(1);
        expect(result.stdout + result.stderr).toContain('password authentication failed for user');
        expect(result.stdout + result.stderr).toContain('check the password of `nobody` for this server');
        expect(result.stdout + result.stderr).not.toContain('wrong-canary');
      }
    } finally {
      await locked.discard();
    }
  });
});

describe('defaults.privileged: refuse', () => {
  const settings = 'defaults: {privileged: refuse}\n';
  const targets: Target[] = [{ name: 'reads', role: READER }, { name: 'writes', role: WRITER }, { name: 'boss' }];

  test('makes rights that no job needs an error of check --servers', async () => {
    const project = await projectOn(targets, { 'counts.yaml': COUNTS }, settings);
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      new RegExp(`error: writes: role \`${WRITER}\` may write to \`(main|target)\`: refused by \`privileged: refuse\``),
    );
    expect(result.stderr).toContain(
      `error: boss: role \`${databases.plain.user}\` is a superuser: refused by \`privileged: refuse\``,
    );
    expect(result.stderr).not.toContain('reads:');
    const lines = jsonLines((await project.pgtally('check', '--servers', '--json')).stdout);
    expect(lines.filter(({ kind }) => kind === 'server')).toMatchObject([
      { server: 'reads', ok: true },
      { server: 'writes', ok: false, error: { code: 'PRIVILEGED' } },
      { server: 'boss', ok: false, error: { code: 'PRIVILEGED' } },
    ]);
  });

  test('lets no run through by such a role, and others publish', async () => {
    await databases.plain.sql(`insert into main values ('P0', 1)`);
    const project = await projectOn(targets, { 'counts.yaml': COUNTS }, settings);
    const result = await project.pgtally('run', 'counts', '--dry-run');
    expect(result.code).toBe(1);
    expect(jsonLines(result.stdout)).toEqual([
      expect.objectContaining({ key: 'P0', payload: '{"group_id":"P0","rows":1}' }),
    ]);
    expect(result.stderr).toContain('boss: role');
    expect(result.stderr).toContain(`writes: role \`${WRITER}\` may write to`);
    expect(result.stderr).toContain("hint: a job's role needs no more than");
  });

  test('is not the default: a superuser is warned about, and runs', async () => {
    const project = await projectOn([{ name: 'boss' }], { 'counts.yaml': COUNTS });
    expect(await project.pgtally('run', 'counts', '--dry-run')).toMatchObject({ code: 0 });
    expect(await project.pgtally('check', '--servers')).toMatchObject({ code: 0 });
  });
});

describe('check --servers of an ingest job', () => {
  const ingest = (columns: string, into = 'target'): Readonly<Record<string, string>> => ({
    'fill.yaml': `schedule: "@hourly"\ningest:\n  topic: FEED\n  into: ${into}\n  columns:\n${columns}`,
  });
  const COLUMNS = `    group_id: "'P' || partition"\n    payload: envelope\n    at: '"timestamp"'\n`;

  test('has its insert planned, and a role that may write its table is no finding', async () => {
    const project = await projectOn([{ name: 'w', role: WRITER }], ingest(COLUMNS));
    const result = await project.pgtally('check', '--servers');
    expect(result.stderr).not.toContain('error:');
    expect(result.stderr).not.toContain('may write');
    expect(result.code).toBe(0);
    expect(tableOf(result.stdout)).toMatchObject([{ SERVER: 'w', JOBS: '1/1' }]);
  });

  test('fails where the role may not create the table of offsets, and prints the SQL that makes it', async () => {
    const project = await projectOn([{ name: 'k', role: KEEPER }], ingest(COLUMNS));
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      `error: k: job \`fill\`: there is no table \`pgtally.offsets\`, and role \`${KEEPER}\` may not create it\nhint: run this in database \`${databases.plain.name}\` as its owner:\ncreate schema`,
    );
    // What is printed is what is missing.
    const sql = result.stderr.slice(result.stderr.indexOf('create schema'), result.stderr.indexOf('\n\n1 error'));
    await databases.plain.sql(sql);
    expect(await project.pgtally('check', '--servers')).toMatchObject({ code: 0 });
    await databases.plain.sql(`revoke update on pgtally.offsets from ${KEEPER}`);
    const revoked = await project.pgtally('check', '--servers');
    expect(revoked.code).toBe(1);
    expect(revoked.stderr).toContain(
      `error: k: job \`fill\`: role \`${KEEPER}\` may not use table \`pgtally.offsets\``,
    );
    await databases.plain.sql('drop schema pgtally cascade');
  });

  test('fails on a server whose transactions only read', async () => {
    await databases.plain.sql(`alter role ${KEEPER} set default_transaction_read_only = on`);
    const project = await projectOn([{ name: 'k', role: KEEPER }], ingest(COLUMNS));
    const result = await project.pgtally('check', '--servers');
    await databases.plain.sql(`alter role ${KEEPER} reset default_transaction_read_only`);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('error: k: job `fill`: the server only reads: messages cannot be written to it');
  });

  test.each([
    [
      'a missing table',
      ingest(COLUMNS, 'nowhere'),
      'relation "nowhere" does not exist',
      '4:9',
      '  into: nowhere',
      'nowhere',
    ],
    [
      'a missing column',
      ingest(`    group: key\n`),
      'column "group" of relation "target" does not exist',
      '6:5',
      '    group: key',
      'group',
    ],
    [
      'a column of the wrong type',
      ingest(`    group_id: key\n    payload: lower(headers)\n`),
      'function lower(jsonb) does not exist',
      '7:14',
      '    payload: lower(headers)',
      'lower',
    ],
    [
      'a set',
      ingest(`    group_id: parts(key)\n`),
      '`parts` is a function that returns a set here, but column `group_id` is computed for each row by itself',
      '6:15',
      '    group_id: parts(key)',
      'parts',
    ],
  ])('%s is shown at its place', async (_, jobs, message, place, line, word) => {
    const project = await projectOn([{ name: 'w', role: WRITER }], jobs);
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`jobs/fill.yaml:${place}: error: w: ${message}`);
    const at = line.indexOf(word);
    expect(result.stderr).toContain(`\n  ${line}\n  ${' '.repeat(at)}${'^'.repeat(word.length)}\n`);
  });

  test('a column that may not be null and gets no value is warned about', async () => {
    const project = await projectOn(
      [{ name: 'w', role: WRITER }],
      ingest(`    group_id: key\n    payload: envelope\n`),
    );
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(0);
    expect(result.stderr).toContain(
      'warning: w: job `fill`: column `at` of `target` may not be null and has no default',
    );
    expect(result.stderr).not.toContain('`id`');
  });

  test('a role without the right to insert fails', async () => {
    const project = await projectOn([{ name: 'r', role: READER }], ingest(COLUMNS));
    const result = await project.pgtally('check', '--servers');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('error: r: job `fill`: permission denied for table target');
  });
});
