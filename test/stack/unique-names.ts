// Names of topics and databases that no other test, and no other run on the same servers, uses; and their removal.

import { randomBytes } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import postgres from 'postgres';
import type { PostgresAddress } from './postgres-server.ts';

/** A mark for one test run, part of every name it makes. */
export function newRunMark(): string {
  return `r${randomBytes(4).toString('hex')}`;
}

export function uniqueTopic(runMark: string, name = 'topic'): string {
  return `${name}-${runMark}-${randomBytes(5).toString('hex')}`;
}

export function uniqueDatabase(runMark: string): string {
  return `test_${runMark}_${randomBytes(5).toString('hex')}`;
}

/** Deletes the topics that bear the mark: on a Kafka that others use too, a run leaves nothing behind. */
export async function deleteTopics(bootstrap: string, runMark: string): Promise<void> {
  const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((topic) => topic.includes(`-${runMark}-`));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await admin.disconnect();
}

/** Drops the databases that bear the mark. */
export async function dropDatabases(address: PostgresAddress, runMark: string): Promise<void> {
  const { host, port, user, password } = address;
  const sql = postgres({ host, port, user, password, database: 'postgres', max: 1, fetch_types: false });
  const names = await sql<{ datname: string }[]>`
    select datname from pg_database where starts_with(datname, ${`test_${runMark}_`})`;
  for (const { datname } of names) await sql.unsafe(`drop database if exists ${datname} with (force)`);
  await sql.end();
}
