// The exact records of a run as envelopes, without Kafka: what was encoded for the topic is decoded again and printed.
import { formatEnvelope } from '../kafka/envelope.ts';
import type { EncodedBatch } from '../kafka/record-batch.ts';
import { decodeRecords, type FetchedBatch } from '../kafka/record-batch-decoder.ts';
import type { Committer } from '../ledger/types.ts';
import type { TopicSettings } from '../model/project.ts';
import type { TopicShape } from './attempt.ts';
import type { Destination } from './destination.ts';

/** Kafka's default for `max.message.bytes`. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

/** Prints each record on a line; `print` gives false once nobody reads any more. */
export function openDryRun(topic: TopicSettings, print: (envelope: string) => Promise<boolean>): Destination {
  const show = (batches: readonly EncodedBatch[]): Promise<void> => printBatches(topic, batches, print);
  const committer: Committer = {
    commit: async () => ({ status: 'committed' }),
    // What would be streamed is printed as it comes.
    openStream: async () => ({
      send: show,
      commit: async () => ({ status: 'committed' }),
      abort: async () => undefined,
    }),
  };
  return {
    committer,
    topicShape: async () => declaredShape(topic),
    async deliver({ batches }) {
      await show(batches);
      return undefined;
    },
    close: async () => undefined,
  };
}

/** The topic as its job declares it, with Kafka's defaults. */
function declaredShape(topic: TopicSettings): TopicShape {
  const declared = Number(topic.config['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES);
  return {
    partitions: topic.partitions ?? 1,
    maxMessageBytes: Number.isNaN(declared) ? DEFAULT_MAX_MESSAGE_BYTES : declared,
  };
}

async function printBatches(
  topic: TopicSettings,
  batches: readonly EncodedBatch[],
  print: (envelope: string) => Promise<boolean>,
): Promise<void> {
  for (const batch of batches) {
    // Only where the job declares its partitions are they known.
    const partition = topic.partitions === undefined ? null : batch.partition;
    for (const { key, value, headers } of decodeRecords(asFetched(batch))) {
      const line = formatEnvelope({ topic: topic.name, partition, offset: null, timestamp: null, key, value, headers });
      if (!(await print(line))) return;
    }
  }
}

function asFetched(batch: EncodedBatch): FetchedBatch {
  return {
    baseOffset: 0,
    lastOffset: batch.count - 1,
    baseTimestamp: 0,
    maxTimestamp: 0,
    timestampType: 'create',
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    leaderEpoch: -1,
    transactional: false,
    control: false,
    recordCount: batch.count,
    compression: 0,
    payload: batch.bytes,
  };
}
