// What the ledger's tests on a real broker share: a client, rows, records, and what Kafka's Java client reads back.
import { Kafka, logLevel } from 'kafkajs';
import { afterAll } from 'vitest';
import { createKafkaClient, type KafkaClient } from '../../src/kafka/client.ts';
import { encodeRecords } from '../../src/kafka/record-batch.ts';
import { ledgerTopicNames } from '../../src/ledger/ledger-topics.ts';
import type { CommitUnit } from '../../src/ledger/types.ts';
import type { LedgerRecord } from '../../src/model/run.ts';
import { freshTopic, kafkaBootstrap, type ReadOptions, readTopic } from '../stack/for-tests.ts';

/** A client of the run's Kafka, closed when the file ends. */
export async function testClient(clientIdSuffix = 'test'): Promise<KafkaClient> {
  const settings = { brokers: [await kafkaBootstrap()], clientId: 'pgtally', compression: 'none' } as const;
  const client = createKafkaClient(settings, { clientIdSuffix });
  afterAll(() => client.close());
  return client;
}

export function testRecord(slot: number, fields: Partial<LedgerRecord> = {}): LedgerRecord {
  return {
    slot: new Date(slot * 1000).toISOString().replace('.000Z', 'Z'),
    outcome: 'published',
    rows: 1,
    bytes: 1,
    run: `run-${slot}`,
    trigger: 'schedule',
    started: '2027-01-01T00:00:00Z',
    finished: '2027-01-01T00:00:00Z',
    schedule: 'hash',
    ...fields,
  };
}

/** Rows of one partition each. */
export function testRows(topic: string, values: readonly string[], partition = 0): NonNullable<CommitUnit['rows']> {
  const batches = [
    encodeRecords(
      partition,
      values.map((value) => ({ key: Buffer.from('k'), value: Buffer.from(value) })),
    ),
  ];
  return { topic, batches, bytes: batches[0]?.bytes.length ?? 0 };
}

/** The values of a topic as a read_committed Java consumer sees them, sorted. */
export async function valuesOf(topic: string, options?: ReadOptions): Promise<string[]> {
  return (await readTopic(topic, options)).map(({ value }) => value?.toString() ?? 'null').sort();
}

/** The topics of a new ledger of `shards` partitions. Returns the ledger's name. */
export async function freshLedgerTopics(shards: number): Promise<string> {
  const ledger = await freshTopic({ name: 'ledger', partitions: shards, config: { 'cleanup.policy': 'compact' } });
  const { history, replicas } = ledgerTopicNames(ledger);
  const compact = { name: 'cleanup.policy', value: 'compact' };
  const logAppendTime = { name: 'message.timestamp.type', value: 'LogAppendTime' };
  const admin = new Kafka({ brokers: [await kafkaBootstrap()], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic: history, numPartitions: shards, replicationFactor: 1 },
      { topic: replicas, numPartitions: 1, replicationFactor: 1, configEntries: [compact, logAppendTime] },
    ],
    waitForLeaders: true,
  });
  await admin.disconnect();
  return ledger;
}
