// What a producer must know of a topic before rows are encoded for it: how many partitions, how large a batch. Asked once for
// many runs; connections and the answers are kept for a while.
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import { type Cluster, newCluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import { configsRequest } from './protocols.ts';

export interface TopicShape {
  readonly partitions: number;
  /** The topic's `max.message.bytes`: of a whole batch. */
  readonly maxMessageBytes: Bytes;
}

export interface TopicShapes {
  /** Rejects with a Failure: `topic` (missing, forbidden) or as every request (`kafka`, `authentication`, `tls`). */
  readonly shapeOf: (topic: string) => Promise<TopicShape>;
  /** Asks anew at the next use. */
  readonly forget: (topic: string) => void;
  close(): void;
}

export interface TopicShapesOptions {
  /** How long an answer holds. Default 30 s. */
  readonly keep?: Milliseconds;
}

/** Kafka's default, for topics whose configuration the user may not see; the broker refuses what is too large anyway. */
const DEFAULT_MAX_MESSAGE_BYTES: Bytes = 1_048_588;
const UNKNOWN_TOPIC = 3;

export function createTopicShapes(client: KafkaClient, options: TopicShapesOptions = {}): TopicShapes {
  const keep = options.keep ?? 30_000;
  const cluster = newCluster(client);
  const shapes = new Map<string, { readonly shape: Promise<TopicShape>; readonly until: number }>();
  return {
    shapeOf: (topic) => {
      const known = shapes.get(topic);
      if (known && known.until > performance.now()) return known.shape;
      const asked = { shape: askShape(cluster, topic), until: performance.now() + keep };
      shapes.set(topic, asked);
      asked.shape.catch(() => {
        // A failure holds only for those who asked at the same time.
        if (shapes.get(topic) === asked) shapes.delete(topic);
      });
      return asked.shape;
    },
    forget: (topic) => void shapes.delete(topic),
    close: () => cluster.close(),
  };
}

async function askShape(cluster: Cluster, topic: string): Promise<TopicShape> {
  const [{ topics }, { resources }] = await Promise.all([
    cluster.metadata([topic]),
    cluster.request('any', configsRequest([{ type: 'topic', name: topic, configNames: ['max.message.bytes'] }])),
  ]);
  const found = topics.find(({ name }) => name === topic);
  if (!found || found.partitions.length === 0) {
    throw codeFailure(errorName(found?.errorCode ?? UNKNOWN_TOPIC), 'publishing', topic);
  }
  const configured = Number(resources[0]?.configEntries[0]?.configValue ?? DEFAULT_MAX_MESSAGE_BYTES);
  return { partitions: found.partitions.length, maxMessageBytes: configured };
}
