// docker-compose.yml against what it names. It is not brought up: that needs a container engine.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { KAFKA_VERSION } from '../stack/kafka-libraries.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { PROBE_PATHS, problemsOf, readYaml, STATUS_PORT, STOP_SECONDS, saidWithoutProject } from './deployment.ts';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases: readonly string[] }>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const [compose] = readYaml<Compose>('docker-compose.yml') as [Compose];
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);

test('every file, volume and network that is named is there', () => {
  for (const [name, { volumes = [], networks = [] }] of services) {
    for (const volume of volumes) {
      const source = volume.split(':')[0] ?? '';
      expect([name, source, source.startsWith('.') ? existsSync(source) : source in compose.volumes]).toEqual([
        name,
        source,
        true,
      ]);
    }
    const names = Array.isArray(networks) ? (networks as readonly string[]) : Object.keys(networks);
    expect(names.filter((network) => network !== 'default' && !(network in compose.networks))).toEqual([]);
  }
});

test('a service waits for services that are there, and for a health that is checked', () => {
  for (const [, { depends_on = {} }] of services) {
    for (const [name, { condition }] of Object.entries(depends_on)) {
      const other = compose.services[name];
      expect([name, other !== undefined]).toEqual([name, true]);
      if (condition === 'service_healthy') expect(other?.healthcheck?.test?.length).toBeGreaterThan(1);
      else expect(condition).toBe('service_completed_successfully');
    }
  }
});

test("pgtally's services give it commands that it knows, and have no rights they do not need", async () => {
  expect(ours.map(([name]) => name).toSorted()).toEqual(['generate', 'pgtally', 'tail', 'topics']);
  for (const [name, { command = [], read_only, cap_drop }] of ours) {
    expect([name, await saidWithoutProject(command)]).toEqual([
      name,
      expect.stringContaining('cannot read `pgtally.yaml`'),
    ]);
    expect([name, read_only, cap_drop]).toEqual([name, true, ['ALL']]);
  }
});

test('with its environment the project passes check, and names the services that are there', async () => {
  const environment = compose.services.pgtally?.environment ?? {};
  const env = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, String(value).replace(/\$\{\w+:-(.*)\}/, '$1')]),
  );
  expect(await problemsOf('.', env)).toEqual([]);
  const used = [...readFileSync('pgtally.yaml', 'utf8').matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
  expect(new Set(used)).toEqual(new Set(Object.keys(environment)));
  const networks = compose.services.postgres?.networks as Record<string, { aliases: string[] }>;
  const aliases = Object.values(networks).flatMap((network) => network.aliases);
  expect(aliases).toEqual([env.SHARD1_HOST, env.SHARD2_HOST, env.SHARD3_HOST]);
  const [kafkaHost, kafkaPort] = String(env.KAFKA_BROKERS).split(':');
  expect(compose.services[kafkaHost ?? '']?.environment?.KAFKA_LISTENERS).toContain(`://:${kafkaPort}`);
});

test('the daemon is asked for its health where it listens, and has time to stop', () => {
  const { environment, healthcheck, ports, stop_grace_period: grace } = compose.services.pgtally ?? {};
  const [host, port] = String(environment?.PGTALLY_LISTEN).split(':');
  expect([host, Number(port)]).toEqual(['0.0.0.0', STATUS_PORT]);
  expect(ports).toEqual([`127.0.0.1:${port}:${port}`]);
  const [, asked = '', path = ''] = /127\.0\.0\.1:(\d+)(\/\w+)/.exec(healthcheck?.test?.join(' ') ?? '') ?? [];
  expect(asked).toBe(port);
  expect(PROBE_PATHS).toContain(path);
  expect(Number.parseInt(String(grace), 10)).toBeGreaterThanOrEqual(STOP_SECONDS);
  for (const [name, service] of ours)
    if (name !== 'pgtally') expect([name, service.healthcheck]).toEqual([name, { disable: true }]);
});

test('its Kafka is the version the tests run on', () => {
  expect(compose.services.kafka?.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
});

test('its databases are made by SQL that works, with what the jobs need', { timeout: 60_000 }, async ({
  onTestFinished,
}) => {
  const server = await startPostgres();
  onTestFinished(() => server.discard());
  // As the postgres image runs it: by psql, for its \connect.
  const script = readFileSync('docker/shards.sql', 'utf8');
  const parts = script.split(/^\\connect (\w+)$/m);
  const run = async (database: string, text: string): Promise<void> => {
    const sql = postgres({
      host: server.host,
      port: server.port,
      user: server.user,
      database,
      max: 1,
      onnotice: () => {},
    });
    try {
      // One statement each: `create database` refuses to be in a transaction with others.
      for (const statement of text
        .replace(/--.*$/gm, '')
        .split(';')
        .filter((part) => part.trim() !== ''))
        await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  await run('postgres', parts[0] ?? '');
  for (let index = 1; index < parts.length; index += 2) await run(parts[index] ?? '', parts[index + 1] ?? '');
  const env = { SHARD_PORT: String(server.port), SHARD_PASSWORD: 'pgtally', PATH: process.env.PATH };
  const printed = execFileSync(process.execPath, [process.env.PGTALLY_TEST_COMMAND ?? '', 'check', '--servers'], {
    env: { ...env, SHARD1_HOST: server.host, SHARD2_HOST: server.host, SHARD3_HOST: server.host },
    encoding: 'utf8',
  });
  expect(printed).toContain('shard-3');
});
