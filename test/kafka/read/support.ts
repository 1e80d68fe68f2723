// What the tests of reading share: clients, topics read whole by our reader, small producers.
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { createKafkaClient } from '../../../src/kafka/client.ts';
import type { PartitionRecords } from '../../../src/kafka/partition-feed.ts';
import { type ReadToEndOptions, readToEnd } from '../../../src/kafka/reader.ts';
import type { FetchedRecord } from '../../../src/kafka/record.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import { kafkaBootstrap } from '../../stack/for-tests.ts';

/** A client of `bootstrap` (default: the shared broker). Close it. */
export async function clientOf(bootstrap?: string, settings: Partial<KafkaSettings> = {}): Promise<KafkaClient> {
  const brokers = (bootstrap ?? (await kafkaBootstrap())).split(',');
  return createKafkaClient({ brokers, clientId: 'test', compression: 'none', ...settings });
}

export type ReadRecord = FetchedRecord & { readonly partition: number };

/** All records that `options` lets a reader see up to the end, in the order of partition and offset. */
export async function readAll(
  client: KafkaClient,
  topic: string,
  options: Partial<ReadToEndOptions> = {},
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  const onRecords = ({ partition, records: some }: PartitionRecords) => {
    for (const record of some) records.push({ ...record, partition });
  };
  await readToEnd(client, { topic, from: 'beginning', onRecords, ...options });
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** Values of records as text. */
export function values(records: readonly { readonly value: Buffer | null }[]): (string | undefined)[] {
  return records.map(({ value }) => value?.toString());
}
