// Kafka clients for the tests of writing, and rows with every kind of key, value and header.
import { createKafkaClient, type KafkaClient, type KafkaClientOptions } from '../../../src/kafka/client.ts';
import { murmur2Partition } from '../../../src/kafka/murmur2.ts';
import { type EncodedBatch, encodeRecords, type RecordFields } from '../../../src/kafka/record-batch.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import type { ConsumedRecord } from '../../stack/for-tests.ts';

export function clientOf(
  bootstrap: string,
  compression: KafkaSettings['compression'] = 'none',
  options: KafkaClientOptions = {},
): KafkaClient {
  return createKafkaClient({ brokers: bootstrap.split(','), clientId: 'test', compression }, options);
}

export interface Row extends RecordFields {
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

/** Row number `i` of an endless variety: keys null, empty, unicode, long; tombstones; headers doubled, empty, null. */
export function variedRow(i: number): Row {
  const kind = i % 10;
  const text =
    kind === 0
      ? null
      : kind === 1
        ? ''
        : kind === 2
          ? `zażółć-日本-😀${i}`
          : kind === 3
            ? `k${'x'.repeat(i % 300)}${i}`
            : `k${String(i).padStart(11, '0')}`;
  const value =
    i % 7 === 3 && text !== null
      ? null
      : i % 11 === 0
        ? Buffer.alloc(0)
        : Buffer.from(JSON.stringify({ id: i, hash: ((i * 2654435761) >>> 0).toString(16), unit: 'ü'.repeat(i % 90) }));
  const headers =
    i % 5 === 0
      ? ([
          ['job', Buffer.from(`j${i % 17}`)],
          ['empty', Buffer.alloc(0)],
          ['none', null],
          ['job', Buffer.from('again')],
        ] as const)
      : [];
  return { key: text === null ? null : Buffer.from(text), value, headers };
}

/** Where a row goes: by its key, else to the last partition. */
export function partitionOf(row: RecordFields, partitions: number): number {
  return row.key === null ? partitions - 1 : murmur2Partition(row.key, partitions);
}

/** Batches of at most `count` records. */
export function batchesOf(rows: readonly RecordFields[], partitions: number, count: number): EncodedBatch[] {
  const byPartition = Array.from({ length: partitions }, () => [] as RecordFields[]);
  for (const row of rows) byPartition[partitionOf(row, partitions)]?.push(row);
  return byPartition.flatMap((list, partition) =>
    Array.from({ length: Math.ceil(list.length / count) }, (_, i) =>
      encodeRecords(partition, list.slice(i * count, (i + 1) * count)),
    ),
  );
}

/** Rows as they should be read back, in one text a row, by partition. */
export function expectedLines(rows: readonly Row[], partitions: number): string[] {
  const lines = rows.map((row) => [partitionOf(row, partitions), describeRow(row)] as const);
  return Array.from({ length: partitions }, (_, partition) =>
    lines.filter(([of]) => of === partition).map(([of, line]) => `${of} ${line}`),
  ).flat();
}

export function readLines(records: readonly ConsumedRecord[]): string[] {
  return records.map(({ partition, key, value, headers }) => {
    const bytes = headers.map(([name, text]) => [name, text === null ? null : Buffer.from(text)] as const);
    return `${partition} ${describeRow({ key, value, headers: bytes })}`;
  });
}

function describeRow({ key, value, headers }: Row): string {
  const field = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString());
  return JSON.stringify([field(key), field(value), headers.map(([name, bytes]) => [name, field(bytes)])]);
}
