// What a test file asks for: fresh topics and databases on the shared servers, and topics read back by Kafka's own
// Java client. Everything is named uniquely, so that files run side by side.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import postgres from 'postgres';
import { inject } from 'vitest';
import { loadKafkajs } from '../../src/kafka/kafkajs.ts';
import type { PostgresAddress } from './postgres-server.ts';
import { askForServer, type SharedServers } from './shared-servers.ts';
import { askTopicReader, type ConsumedRecord } from './topic-reader.ts';
import { uniqueDatabase, uniqueTopic } from './unique-names.ts';

export type { ConsumedRecord } from './topic-reader.ts';

export interface TestDatabase extends PostgresAddress {
  readonly name: string;
  /** A connection URL; `host` is any loopback address (127.0.0.2 …), by which the server is a server of its own. */
  url(host?: string): string;
  /** Runs SQL, several statements if need be, on a connection of its own; the rows of the last one. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** `host:port` of the run's Kafka; starts it when it is the first to ask. */
export async function kafkaBootstrap(): Promise<string> {
  return (await shared('kafka')).bootstrap;
}

/** A new topic. `config` holds topic settings such as `cleanup.policy`. Returns its name. */
export async function freshTopic(
  options: { partitions?: number; config?: Readonly<Record<string, string>>; name?: string } = {},
): Promise<string> {
  const topic = uniqueTopic(inject('runMark'), options.name);
  const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
  const topics = [{ topic, numPartitions: options.partitions ?? 1, replicationFactor: 1, configEntries }];
  const client = await admin();
  await client.createTopics({ topics, waitForLeaders: false });
  while (!(await isReady(client, topic))) await sleep(5);
  return topic;
}

/**
 * Whether every partition's leader serves it. Metadata alone names a leader some milliseconds before that broker knows
 * (it applies a change to its metadata first, to its partitions next), and a producer that is refused then may double
 * records when it tries again.
 */
async function isReady(client: Admin, topic: string): Promise<boolean> {
  try {
    await client.fetchTopicOffsets(topic);
    return true;
  } catch (error) {
    // kafkajs wraps what may be tried again in an error that may not, when it has no retries left.
    const { cause, retriable } = error as { cause?: { retriable?: boolean }; retriable?: boolean };
    if (retriable || cause?.retriable) return false;
    throw error;
  }
}

/** Whether the run's Kafka has a topic of that name. */
export async function topicExists(topic: string): Promise<boolean> {
  return (await (await admin()).listTopics()).includes(topic);
}

export interface ReadOptions {
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
  /** Only this one. Default: all. */
  readonly partition?: number;
  /** Of another Kafka than the shared one. */
  readonly bootstrap?: string;
  /** More settings of the Java consumer: TLS, SASL. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** All records of a topic up to its end as of now, by partition and offset, as Kafka's Java client reads them. */
export async function readTopic(topic: string, options: ReadOptions = {}): Promise<ConsumedRecord[]> {
  const { port } = await shared('topicReader');
  return askTopicReader(port, topic, options.partition, {
    'bootstrap.servers': options.bootstrap ?? (await kafkaBootstrap()),
    'isolation.level': options.isolation ?? 'read_committed',
    'allow.auto.create.topics': 'false',
    ...options.properties,
  });
}

/** A new, empty database of the run's Postgres, made from `template0`, which is quick. */
export async function freshDatabase(): Promise<TestDatabase> {
  const address = await shared('postgres');
  const name = uniqueDatabase(inject('runMark'));
  await onDatabase(address, 'postgres', (sql) => sql.unsafe(`create database ${name} template template0`));
  const userInfo = `${encodeURIComponent(address.user)}${address.password && `:${encodeURIComponent(address.password)}`}`;
  return {
    ...address,
    name,
    url: (host = address.host) => `postgres://${userInfo}@${host}:${address.port}/${name}`,
    sql: (text) => onDatabase(address, name, (sql) => runScript(sql, text)),
    drop: async () => {
      await onDatabase(address, 'postgres', (sql) => sql.unsafe(`drop database if exists ${name} with (force)`));
    },
  };
}

async function onDatabase<T>(
  address: PostgresAddress,
  database: string,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const { host, port, user, password } = address;
  const sql = postgres({ host, port, user, password, database, max: 1, fetch_types: false, onnotice: () => {} });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

async function runScript(sql: postgres.Sql, text: string): Promise<Record<string, unknown>[]> {
  // Several statements come back as a list of results, one comes as its rows.
  const result: unknown[] = await sql.unsafe(text);
  const last = Array.isArray(result[0]) ? result.at(-1) : result;
  return [...(last as Record<string, unknown>[])];
}

const addresses = new Map<keyof SharedServers, Promise<unknown>>();

function shared<Name extends keyof SharedServers>(name: Name): Promise<SharedServers[Name]> {
  const known = addresses.get(name) ?? askForServer(inject('sharedServersPort'), name);
  addresses.set(name, known);
  return known as Promise<SharedServers[Name]>;
}

let connectedAdmin: Promise<Admin> | undefined;

/**
 * One admin client a thread; it ends with the thread. Of kafkajs as pgtally corrects it: its own wakes the thread each
 * millisecond while it is idle, and for ever in tests that fake timers.
 */
function admin(): Promise<Admin> {
  connectedAdmin ??= (async () => {
    const { Kafka, logLevel } = loadKafkajs().library;
    const client = new Kafka({
      clientId: 'test',
      brokers: [await kafkaBootstrap()],
      logLevel: logLevel.NOTHING,
    }).admin();
    await client.connect();
    return client;
  })();
  return connectedAdmin;
}
