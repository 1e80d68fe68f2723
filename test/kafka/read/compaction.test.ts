import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { type KafkaNode, startKafka } from '../../stack/kafka-broker.ts';
import { type Consumed, withCorrected, withStock } from './stock-kafkajs.ts';
import { clientOf, readAll, values } from './support.ts';

describe('compaction', () => {
  let broker: KafkaNode;
  let compacting: KafkaClient;
  beforeAll(async () => {
    broker = await startKafka({ properties: { 'log.cleaner.backoff.ms': 100 } });
    compacting = await clientOf(broker.bootstrap);
  });
  afterAll(async () => {
    compacting.close();
    await broker.discard();
  });

  /** A topic whose first segment is one batch without a record: its only key was written again in the next segment. */
  async function topicWithEmptiedBatch(): Promise<string> {
    const topic = 'compacted';
    const admin = compacting.kafka.admin();
    await admin.connect();
    const config = {
      'cleanup.policy': 'compact',
      'segment.bytes': '1048576',
      'max.message.bytes': '900000',
      'min.cleanable.dirty.ratio': '0.001',
    };
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] });
    await admin.disconnect();
    // More than half a segment each, so that the next one opens a new segment and the cleaner cannot merge them.
    const padding = 'x'.repeat(600_000);
    for (const [key, value] of [
      ['k', 'first'],
      ['k', 'second'],
      // Only to close the segment before it: the cleaner never touches the last one.
      ['other', 'third'],
    ]) {
      const producer = compacting.kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      await producer.send({
        topic,
        messages: [{ key, value: `${value} ${padding}` } as { key: string; value: string }],
      });
      await producer.disconnect();
    }
    for (const end = Date.now() + 20_000; Date.now() < end; ) {
      const [first] = await readAll(compacting, topic, { isolation: 'read_uncommitted', limit: 1 });
      if (first && first.offset > 0) return topic;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the cleaner did not empty the first batch within 20 s');
  }

  it('leaves an empty batch, which kafkajs fetches for ever', { timeout: 40_000 }, async () => {
    const topic = await topicWithEmptiedBatch();
    const firstWords = (texts: readonly (string | null | undefined)[]) => texts.map((text) => text?.split(' ')[0]);
    const expected = firstWords(values(await readAll(compacting, topic)));
    expect(expected).toEqual(['second', 'third']);
    const options = { bootstrap: broker.bootstrap, topic, expected: expected.length };
    const stock = await withStock<Consumed>('consume', { ...options, patience: 2000 });
    expect(stock.values).toEqual([]);
    // At full speed: it would be 20 if each waited for records.
    expect(stock.fetches).toBeGreaterThan(100);
    const corrected = await withCorrected<Consumed>('consume', options);
    expect(firstWords(corrected.values)).toEqual(expected);
  });
});
