// Reading partitions of a topic without a consumer group, by Fetch requests of our own: no joining, no rebalance, positions
// kept by the caller. What a reader may see is committed.ts, one partition's flow partition-feed.ts, brokers fetch-placement.ts.
import type { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import { newCluster } from './cluster.ts';
import { codeFailure } from './errors.ts';
import { createPlacement } from './fetch-placement.ts';
import { partitionLeaders } from './offsets.ts';
import { createFeed, type PartitionFeed, type PartitionRecords } from './partition-feed.ts';
import type { Isolation, StartOffset } from './record.ts';

export interface ReaderOptions {
  readonly topic: string;
  /** Default: all that the topic has when reading begins. */
  readonly partitions?: readonly number[];
  /** For all partitions, or of each (a partition left out starts at the beginning). */
  readonly from: StartOffset | ReadonlyMap<number, StartOffset>;
  /** Where each partition's reading ends; `end` is the end for the isolation, as found when it begins. Default: never. */
  readonly until?: 'end' | ReadonlyMap<number, number>;
  /** Records of a partition after which its reading ends. */
  readonly limit?: number;
  /** Default `read_committed`. */
  readonly isolation?: Isolation;
  /** One call at a time for a partition; while its promise is pending the partition is fetched ahead once, then held back. */
  readonly onRecords: (records: PartitionRecords) => void | Promise<void>;
  /** Reading was interrupted and goes on by itself: a broker is down, a leader is missing. Told once for each trouble. */
  readonly onInterrupted?: (failure: Failure) => void;
  /** How long one partition may be unreadable before `done` rejects. Default: for ever. */
  readonly patience?: Milliseconds;
  /** How long the broker waits for records before it answers that there are none. Default 500 ms. */
  readonly maxWait?: Milliseconds;
  /** Of an answer, and of what waits for callbacks. Default 8 MiB. */
  readonly maxBytes?: Bytes;
  /** Of one partition in an answer; a larger record batch still comes, whole. Default 1 MiB. */
  readonly partitionBytes?: Bytes;
}

export interface TopicReader {
  readonly partitions: readonly number[];
  /** The offset to go on from: after the last record whose callback is done, and past what no reader sees. */
  position(partition: number): number;
  /**
   * Whether all that was committed before `since` (performance.now) was handed over and handled: the partition was read to
   * its end by a fetch begun at or after that moment. While it does not hold, the next fetch waits for no records.
   */
  fresh(partition: number, since: number): boolean;
  /** Resolves when `fresh` holds; rejects with a Failure (`cancelled`) when reading ends before. */
  untilFresh(partition: number, since: number): Promise<void>;
  /**
   * Resolves when every partition came to its `until` or `limit`, or after `stop`; rejects with what ended the reading: a
   * Failure (offset out of range, topic deleted, patience at an end) or the callback's own error.
   */
  readonly done: Promise<void>;
  /** Ends reading at once; resolves when callbacks under way are done, so a callback may call but not await it. Never rejects. */
  stop(): Promise<void>;
}

/** Patience of `readToEnd`: longer than a broker takes to be replaced as leader (9 s). */
const PATIENCE: Milliseconds = 20_000;

/**
 * Connects and begins to read. Rejects with a Failure when no broker answers, the topic or a partition does not exist, an
 * offset is out of range or the user may not read; what goes wrong later is told to `onInterrupted` or rejects `done`.
 */
export async function openReader(client: KafkaClient, options: ReaderOptions): Promise<TopicReader> {
  const { topic, isolation = 'read_committed', from, until } = options;
  const cluster = newCluster(client);
  const feeds = new Map<number, PartitionFeed>();
  let stopping = false;
  let finish!: () => void;
  let fail!: (error: unknown) => void;
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // A rejection before anyone awaits `done` must not end the process.
  done.catch(() => undefined);

  const stop = async (): Promise<void> => {
    stopping = true;
    placement.close();
    await Promise.all([...feeds.values()].map((feed) => feed.close()));
    finish();
  };
  const abort = (error: unknown): void => {
    fail(error);
    void stop();
  };
  const stopWhenEnded = (): void => {
    if (!stopping && [...feeds.values()].every(({ ended }) => ended)) void stop();
  };
  const placement = createPlacement({
    cluster,
    topic,
    isolation,
    maxWait: options.maxWait ?? 500,
    maxBytes: options.maxBytes ?? 8 * 1024 ** 2,
    partitionBytes: options.partitionBytes ?? 1024 ** 2,
    patience: options.patience ?? Number.POSITIVE_INFINITY,
    startOf: (partition) => (isEach(from) ? (from.get(partition) ?? 'beginning') : from),
    untilOf: (partition) => (typeof until === 'object' ? until.get(partition) : until),
    onInterrupted: (failure) => options.onInterrupted?.(failure),
    onFailure: abort,
    onProgress: stopWhenEnded,
  });

  try {
    const found = await partitionLeaders(cluster, topic);
    for (const partition of partitionsToRead(topic, found.partitions, options.partitions)) {
      const feed = createFeed({
        topic,
        partition,
        isolation,
        limit: options.limit ?? Number.POSITIVE_INFINITY,
        onRecords: options.onRecords,
        onChange: () => {
          stopWhenEnded();
          placement.wake();
        },
        onFailure: abort,
      });
      feeds.set(partition, feed);
    }
    await placement.begin([...feeds.values()], found);
  } catch (error) {
    await stop();
    throw error;
  }
  stopWhenEnded();

  const feedOf = (partition: number): PartitionFeed => {
    const feed = feeds.get(partition);
    if (feed) return feed;
    throw new RangeError(`partition ${partition} of ${topic} is not read here`);
  };
  return {
    partitions: [...feeds.keys()],
    position: (partition) => feedOf(partition).position,
    fresh: (partition, since) => feedOf(partition).fresh(since),
    untilFresh: (partition, since) => {
      const fresh = feedOf(partition).untilFresh(since);
      placement.wake();
      return fresh;
    },
    done,
    stop,
  };
}

export interface ReadToEndOptions extends Omit<ReaderOptions, 'until'> {
  /** Stops reading early, without an error. */
  readonly signal?: AbortSignal;
}

/**
 * Reads each partition to its end as of the start (or its `limit`), then disconnects. Gives the offset to go on from, by
 * partition. Rejects with a Failure as `openReader` and its `done` do, or with the callback's error.
 */
export async function readToEnd(client: KafkaClient, options: ReadToEndOptions): Promise<Map<number, number>> {
  const reader = await openReader(client, { patience: PATIENCE, ...options, until: 'end' });
  const stop = () => void reader.stop();
  options.signal?.addEventListener('abort', stop);
  if (options.signal?.aborted) stop();
  try {
    await reader.done;
    return new Map(reader.partitions.map((partition) => [partition, reader.position(partition)]));
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await reader.stop();
  }
}

function isEach(from: ReaderOptions['from']): from is ReadonlyMap<number, StartOffset> {
  return from instanceof Map;
}

/** The partitions wanted, checked against those there are. */
function partitionsToRead(
  topic: string,
  partitions: readonly number[],
  wanted: readonly number[] = partitions,
): readonly number[] {
  const missing = wanted.find((partition) => !partitions.includes(partition));
  if (missing === undefined) return wanted;
  const detail = `partition ${missing} is asked for, but it has ${partitions.length} (0 to ${partitions.length - 1})`;
  throw codeFailure('UNKNOWN_PARTITION', `reading \`${topic}\``, topic, detail);
}
