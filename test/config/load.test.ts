import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../src/config/load.ts';
import type { IngestJob, Job, PublishJob } from '../../src/model/project.ts';
import { CONFIG, type Files, JOB, load, loadRight, messages, writeFiles } from './folder.ts';

function jobOf(text: string, files: Files = {}): Job {
  const [job] = loadRight({ 'jobs/a.yaml': text, ...files }).jobs;
  if (!job) throw new Error('no job');
  return job;
}

function publishJobOf(text: string, files: Files = {}): PublishJob {
  const job = jobOf(text, files);
  if (job.kind !== 'publish') throw new Error('no publish job');
  return job;
}

function ingestJobOf(text: string): IngestJob {
  const job = jobOf(text);
  if (job.kind !== 'ingest') throw new Error('no ingest job');
  return job;
}

describe('a project that says no more than it must', () => {
  it('has every default', () => {
    const { folder, kafka, ledger, limits, status, privileged, files, folders } = loadRight({ 'jobs/a.yaml': JOB });
    expect(kafka).toEqual({ brokers: ['localhost:9092'], clientId: 'pgtally', compression: 'none' });
    expect(ledger).toEqual({ topic: 'pgtally.ledger', shards: 8 });
    expect(limits).toEqual({
      concurrency: 64,
      memory: 64 * 1024 ** 2,
      connections: 2000,
      keep: 60_000,
      buffer: 8 * 1024 ** 2,
      stopGrace: 1000,
    });
    expect(status).toEqual({ listen: '127.0.0.1:8087', hosts: [], maxFailedServers: 0.1 });
    expect(privileged).toBe('warn');
    expect(files).toEqual([join(folder, 'pgtally.yaml'), join(folder, 'jobs/a.yaml')]);
    expect(folders).toEqual([join(folder, 'jobs')]);
  });

  it('has jobs with every default, named after their file', () => {
    const job = publishJobOf(JOB);
    expect(job).toMatchObject({
      kind: 'publish',
      name: 'a',
      selector: { all: true },
      timeout: 30_000,
      retries: 5,
      topic: { name: 'T', config: {} },
      headers: [],
      nullKey: 'error',
      delay: 0,
      catchupWindow: 3_600_000,
      splay: 0,
      concurrency: 32,
      delivery: 'exactly_once',
    });
    expect(job.timezone.value).toBe('UTC');
    expect(job.servers.map(({ name }) => name)).toEqual(['shard-1', 'warehouse']);
    expect(job).not.toHaveProperty('overlap');
    expect(job).not.toHaveProperty('schedule');
    expect(job).not.toHaveProperty('key');
  });
});

describe('settings', () => {
  it('are read from pgtally.yaml, with variables of any type and inside braces', () => {
    const config = `kafka:
  brokers: [\${BROKERS}, c:3]
  compression: \${COMPRESSION:-gzip}
  tls: {ca: ca.pem, cert: /c, key: /k, server_name: kafka}
  sasl: {mechanism: scram-sha-512, username: u, password: \${PW}}
ledger: {shards: \${SHARDS}, replication: "\${REPLICATION:-2}"}
limits: {keep: \${KEEP:-5m}}
status: {listen: 0.0.0.0:1, token: \${TOKEN:-a, b: [c] # d}, hosts: [x], max_failed_servers: 25%}
defaults: {privileged: refuse}
`;
    const env = { BROKERS: 'a:1, b:2', PW: '{x}: y, # z', SHARDS: '16' };
    const { kafka, ledger, limits, status, privileged, folder } = loadRight({ 'pgtally.yaml': config }, env);
    expect(kafka).toEqual({
      brokers: ['a:1', 'b:2', 'c:3'],
      clientId: 'pgtally',
      compression: 'gzip',
      tls: { ca: join(folder, 'ca.pem'), cert: '/c', key: '/k', serverName: 'kafka' },
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: { value: '{x}: y, # z' } },
    });
    expect(ledger).toEqual({ topic: 'pgtally.ledger', shards: 16, replication: 2 });
    expect(limits.keep).toBe(300_000);
    expect(status).toEqual({ listen: '0.0.0.0:1', token: 'a, b: [c] # d', hosts: ['x'], maxFailedServers: 0.25 });
    expect(privileged).toBe('refuse');
  });

  it.each([
    ['tls: true', {}],
    ['tls: false', undefined],
    [`tls: \${TLS}`, {}],
  ])('of Kafka may be %s', (tls, expected) => {
    const config = `kafka:\n  brokers: [a:1]\n  ${tls}\n`;
    expect(loadRight({ 'pgtally.yaml': config }, { TLS: 'true' }).kafka.tls).toEqual(expected);
  });

  it('may have a SASL password in a file', () => {
    const config = 'kafka: {brokers: [a:1], sasl: {mechanism: plain, username: u, password_file: p}}\n';
    const { kafka, folder } = loadRight({ 'pgtally.yaml': config });
    expect(kafka.sasl?.password).toEqual({ file: join(folder, 'p') });
  });

  it('that hold an empty token hold none', () => {
    const config = `kafka: {brokers: [a:1]}\nstatus: {token: \${TOKEN:-}}\n`;
    expect(loadRight({ 'pgtally.yaml': config }, {}).status).not.toHaveProperty('token');
  });

  it('are never changed by what a variable holds', () => {
    const config = `kafka: {brokers: ["\${B}"]}\n`;
    expect(messages({ 'pgtally.yaml': config }, { B: 'a:1"]}\nledger: {shards: 1}\n#' })).toContain(
      'is not the address of a broker',
    );
  });
});

describe('a job', () => {
  it('has its own values before the defaults of the project, and these before the built-in ones', () => {
    const config = `${CONFIG}defaults: {timezone: Europe/Berlin, timeout: 5s, overlap: queue, concurrency: 1}\n`;
    const job = publishJobOf(`${JOB}timeout: 7s\n`, { 'pgtally.yaml': config });
    expect(job).toMatchObject({ timeout: 7000, overlap: 'queue', concurrency: 1, retries: 5 });
    expect(job.timezone).toMatchObject({ value: 'Europe/Berlin', file: { path: 'pgtally.yaml' } });
  });

  it('keeps each SQL text with its place, also behind defaults, lists, maps and aliases', () => {
    const text = `name: x
query: |-
  select 1 as a,
    2 as b
topic: T
key:
  - a
  - &b "b::text"
headers: {h: *b}
value: >-
  json_build_object('a',
  a)
`;
    const job = publishJobOf(text);
    expect(job.query.value).toBe('select 1 as a,\n  2 as b');
    const at = (offset: number, length: number) => text.slice(offset, offset + length);
    expect(at(job.query.toFileOffset(job.query.value.indexOf('2 as b')), 6)).toBe('2 as b');
    expect(job.key).toMatchObject({ list: true, expressions: [{ value: 'a' }, { value: 'b::text' }] });
    const header = job.headers[0];
    expect(header).toMatchObject({ name: 'h', expression: { value: 'b::text' } });
    expect(at(header?.expression.toFileOffset(3) ?? 0, 4)).toBe('text');
    expect(job.value && at(job.value.toFileOffset(job.value.value.indexOf('a)')), 2)).toBe('a)');
  });

  it('tells one key from a list of one', () => {
    expect(publishJobOf(`${JOB}key: a\n`).key).toMatchObject({ list: false, expressions: [{ value: 'a' }] });
    expect(publishJobOf(`${JOB}key: [a]\n`).key).toMatchObject({ list: true, expressions: [{ value: 'a' }] });
  });

  it('may describe its topic', () => {
    const topic =
      'topic: {name: T, partitions: 6, replication: 3, config: {cleanup.policy: compact, retention.ms: 604800000}}';
    expect(publishJobOf(`query: select 1\n${topic}\n`).topic).toEqual({
      name: 'T',
      partitions: 6,
      replication: 3,
      config: { 'cleanup.policy': 'compact', 'retention.ms': '604800000' },
    });
  });

  it('never has variables replaced in it', () => {
    expect(publishJobOf(`query: "select '\${HOME}'"\ntopic: T\n`).query.value).toBe(`select '\${HOME}'`);
  });

  it('that ingests has its own fields', () => {
    const text = `servers: warehouse
stream: true
ingest:
  topic: PGSHARD
  from: end
  partitions: [0, 2]
  into: app.main
  columns: {group_id: "'P' || partition", payload: envelope}
  on_error: dead_letter
`;
    expect(ingestJobOf(text)).toMatchObject({
      kind: 'ingest',
      stream: true,
      topic: 'PGSHARD',
      from: 'end',
      partitions: [0, 2],
      into: { value: 'app.main' },
      columns: [
        { name: { value: 'group_id' }, expression: { value: "'P' || partition" } },
        { name: { value: 'payload' }, expression: { value: 'envelope' } },
      ],
      onError: 'dead_letter',
      servers: [{ name: 'warehouse' }],
    });
    const least = 'servers: warehouse\ningest: {topic: T, into: t, columns: {a: value}}\n';
    expect(ingestJobOf(least)).toMatchObject({ stream: false, from: 'stored', onError: 'stop' });
    expect(ingestJobOf(least)).not.toHaveProperty('partitions');
  });
});

describe('the servers of a job', () => {
  const config = `kafka: {brokers: [a:1]}
servers:
  - {name: s-1, url: postgres://u@h/d, labels: {role: shard, zone: 1}}
  - {name: s-2, url: postgres://u@h/d, labels: {role: shard, zone: 2}}
  - {name: edge, url: postgres://u@h/d, databases: [app, billing], labels: {role: edge, zone: 2}}
`;
  it.each([
    ['s-1', ['s-1']],
    ['s-*', ['s-1', 's-2']],
    ['s-?', ['s-1', 's-2']],
    ['"*"', ['s-1', 's-2', 'edge/app', 'edge/billing']],
    ['edge', ['edge/app', 'edge/billing']],
    ['edge/billing', ['edge/billing']],
    ['e*/app', ['edge/app']],
    ['[edge/app, s-1]', ['s-1', 'edge/app']],
    ['{role: shard}', ['s-1', 's-2']],
    ['{role: shard, zone: 2}', ['s-2']],
    ['{zone: [2, 7]}', ['s-2', 'edge/app', 'edge/billing']],
  ])('are with %s: %j', (selector, expected) => {
    const job = jobOf(`servers: ${selector}\n${JOB}`, { 'pgtally.yaml': config });
    expect(job.servers.map(({ name }) => name)).toEqual(expected);
  });

  it('are not complained about while a server is wrong', () => {
    const text = messages({
      'pgtally.yaml': `${CONFIG}  - {name: x, url: nonsense}\n`,
      'jobs/a.yaml': `servers: x\n${JOB}`,
    });
    expect(text).toContain('must begin with `postgres://`');
    expect(text).not.toContain('no server matches');
  });

  it('are complained about while something else is wrong', () => {
    const text = messages({ 'pgtally.yaml': `${CONFIG}nonsense: 1\n`, 'jobs/a.yaml': `servers: x\n${JOB}` });
    expect(text).toContain('unknown field `nonsense`');
    expect(text).toContain('no server matches `x`');
  });
});

describe('files', () => {
  it('of jobs may hold several documents, empty ones among them', () => {
    const text = `---\nname: a\n${JOB}---\n# nothing\n---\nname: b\n${JOB}...\n`;
    expect(loadRight({ 'jobs/x.yaml': text }).jobs.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('of jobs are found by other globs, each once', () => {
    const config = `${CONFIG}jobs: [jobs/a.yaml, "**/*.yaml", team-*/jobs/*.yml]\n`;
    const deep = { 'jobs/a.yaml': JOB, 'jobs/deep/er/b.yaml': JOB, 'team-x/jobs/c.yml': JOB, '.git/d.yaml': JOB };
    const { project, problems } = load({ 'pgtally.yaml': config, ...deep });
    // `**` finds pgtally.yaml too, which is no job.
    expect(project).toBeUndefined();
    expect([...new Set(problems.map(({ file }) => file?.path))]).toEqual(['pgtally.yaml']);
    const named = loadRight({ 'pgtally.yaml': config.replace('**/*.yaml', 'jobs/**/*.yaml'), ...deep });
    expect(named.jobs.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('are shown relative to the working directory, and by their whole path outside of it', () => {
    const cwd = writeFiles({ 'jobs/a.yaml': 'x: 1\n' });
    const paths = (options: { cwd: string; configPath: string }) =>
      loadProject({ ...options, env: {} }).problems.map(({ file }) => file?.path);
    expect(paths({ cwd, configPath: 'pgtally.yaml' })[0]).toBe('jobs/a.yaml');
    expect(paths({ cwd: '/usr', configPath: join(cwd, 'pgtally.yaml') })[0]).toBe(join(cwd, 'jobs/a.yaml'));
  });

  it('that are not there are named, with what to do', () => {
    const cwd = writeFiles({});
    const first = (configPath?: string) => loadProject({ cwd: join(cwd, 'nowhere'), configPath, env: {} }).problems[0];
    expect(first()).toEqual({
      severity: 'error',
      message: `cannot read \`pgtally.yaml\`: there is no such file`,
      hint: 'start a project with `pgtally init`, or name a file with `-c`',
    });
    expect(first('other.yaml')).toEqual({
      severity: 'error',
      message: 'cannot read `other.yaml`: there is no such file',
    });
    expect(first(cwd)?.message).toBe(`cannot read \`${cwd}\`: it is a folder`);
  });

  it('that cannot be read, or are no text, are problems at the glob that names them', () => {
    const folder = writeFiles({ 'pgtally.yaml': `${CONFIG}jobs: jobs/*.yaml\n`, 'jobs/a.yaml': JOB });
    writeFileSync(join(folder, 'jobs/b.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]));
    const { problems } = loadProject({ cwd: folder, env: {} });
    expect(problems).toMatchObject([
      {
        message: '`jobs/b.yaml` is not UTF-8 text',
        file: { path: 'pgtally.yaml' },
        hint: 'save it with the encoding UTF-8',
      },
    ]);
    if (process.getuid?.() === 0) return;
    chmodSync(join(folder, 'jobs/a.yaml'), 0o000);
    expect(loadProject({ cwd: folder, env: {} }).problems.map(({ message }) => message)).toContain(
      'cannot read `jobs/a.yaml`: permission denied',
    );
  });

  it('that are something else altogether do not fill the screen', () => {
    const { problems } = load({
      'jobs/a.yaml': Array.from({ length: 20_000 }, (_, i) => `x${i % 15_000}: y\n`).join(''),
    });
    expect(problems.length).toBeLessThan(50);
    expect(problems.map(({ message }) => message)).toContain('and 19980 more such names');
    const deep = load({ 'jobs/a.yaml': `${JOB}key: ${'['.repeat(20_000)}\n` });
    expect(deep.problems.map(({ message }) => message)).toEqual(['this is nested too deeply']);
  });

  it('of jobs are checked also while pgtally.yaml is no YAML', () => {
    const text = messages({ 'pgtally.yaml': 'kafka: [\n', 'jobs/a.yaml': `${JOB}x: 1\n` });
    expect(text).toContain('unknown field `x`');
    expect(text).not.toContain('no server');
  });

  it('may begin with a byte order mark and have Windows line ends', () => {
    const job = publishJobOf('\ufeffquery: |\r\n  select 1\r\n  as a\r\ntopic: T\r\n');
    expect(job.query.value).toBe('select 1\nas a\n');
    const { file } = job.query;
    expect(file.text[job.query.toFileOffset(job.query.value.indexOf('as'))]).toBe('a');
  });
});
