// What the tests of ingest share: a project with one ingest job, run in this process; messages written by kafkajs itself.
import type { Message } from 'kafkajs';
import { expect, onTestFinished } from 'vitest';
import { ingestByHand } from '../../src/ingest/by-hand.ts';
import type { IngestResult } from '../../src/ingest/run-types.ts';
import { createKafkaClient, type KafkaClient } from '../../src/kafka/client.ts';
import { openProject } from '../../src/project/open-project.ts';
import { type TestProject, testProject } from '../cli/project.ts';
import { kafkaBootstrap } from '../stack/for-tests.ts';

export interface IngestProject extends TestProject {
  /** One run to the end of the topic, in this process. */
  run(): Promise<IngestResult & { readonly warnings: readonly string[] }>;
  /** Changes the job's file. */
  rewrite(job: string): void;
  rows(query: string): Promise<Record<string, unknown>[]>;
}

/** A job file `ingest.yaml` on a fresh database. */
export async function ingestProject(job: string): Promise<IngestProject> {
  const project = await testProject({ jobs: { 'ingest.yaml': job } });
  return {
    ...project,
    rewrite: (text) => project.write('jobs/ingest.yaml', text),
    rows: (query) => project.database.sql(query),
    async run() {
      const opened = await openProject({ cwd: project.folder, env: {} });
      const prepared = opened.jobs[0];
      if (!opened.project || prepared?.kind !== 'ingest') throw new Error(JSON.stringify(opened.problems));
      const warnings: string[] = [];
      const result = await ingestByHand({
        project: opened.project,
        prepared,
        stopping: new AbortController().signal,
        onWarning: (message) => warnings.push(message),
      });
      return { ...result, warnings };
    },
  };
}

/** A client of the run's Kafka; closed when the test ends. */
export async function kafka(): Promise<KafkaClient> {
  const client = createKafkaClient({ brokers: [await kafkaBootstrap()], clientId: 'test', compression: 'none' });
  onTestFinished(() => client.close());
  return client;
}

/** Writes to one partition; one send, because kafkajs may repeat a send over several. */
export async function send(
  client: KafkaClient,
  topic: string,
  partition: number,
  messages: readonly (string | Message)[],
): Promise<void> {
  const producer = client.kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const full = messages.map((message) => ({
    ...(typeof message === 'string' ? { value: message } : message),
    partition,
  }));
  await producer.send({ topic, messages: full });
  await producer.disconnect();
}

/** `0`, `1`, … as texts. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}

/** Deletes the records of a partition below `offset`. */
export async function deleteRecords(
  client: KafkaClient,
  topic: string,
  partition: number,
  offset: number,
): Promise<void> {
  const admin = client.kafka.admin();
  await admin.connect();
  // deleteTopicRecords of kafkajs fails unless its metadata were loaded by another call.
  await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  await admin.disconnect();
}

/** Waits until a partition ends at `offset` for committed reading: the end of a transaction is written after the answer to it. */
export async function untilEnd(client: KafkaClient, topic: string, partition: number, offset: number): Promise<void> {
  const admin = client.kafka.admin();
  await admin.connect();
  const end = async (): Promise<number> =>
    Number((await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition)?.high);
  await expect.poll(end, { timeout: 10_000 }).toBe(offset);
  await admin.disconnect();
}
