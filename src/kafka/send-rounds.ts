// Which batches go into one send: kafkajs takes one batch of a partition at a time, and makes one request for each broker of
// all it is given, copying it several times.
import type { Bytes } from '../model/units.ts';
import type { EncodedBatch } from './record-batch.ts';
import type { TopicBatches } from './written.ts';

/** Bytes of records in one send; a single larger batch is a send of its own. */
const MOST: Bytes = 4 * 1024 * 1024;

/**
 * The batches in sends to be made one after the other: at most one batch of a topic-partition in each, in their order. The
 * first send holds `one` batch or, as the others, `all` that may be in it.
 */
export function splitForSending(
  topics: readonly TopicBatches[],
  first: 'one' | 'all',
  most: Bytes = MOST,
): TopicBatches[][] {
  const sends: { batches: Map<string, EncodedBatch[]>; bytes: Bytes; closed: boolean }[] = [];
  /** The first send that a partition's next batch may join. */
  const nextOf = new Map<string, number>();
  for (const { topic, batches } of topics) {
    for (const batch of batches) {
      const name = `${topic}/${batch.partition}`;
      let index = nextOf.get(name) ?? 0;
      for (; index < sends.length; index++) {
        const send = sends[index]!;
        if (!send.closed && send.bytes + batch.bytes.length <= most) break;
      }
      sends[index] ??= { batches: new Map(), bytes: 0, closed: first === 'one' && sends.length === 0 };
      const send = sends[index]!;
      const others = send.batches.get(topic);
      if (others) others.push(batch);
      else send.batches.set(topic, [batch]);
      send.bytes += batch.bytes.length;
      nextOf.set(name, index + 1);
    }
  }
  return sends.map(({ batches }) => [...batches].map(([topic, list]) => ({ topic, batches: list })));
}
