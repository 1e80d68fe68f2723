// Fetching from one broker: a single request at a time for all partitions it leads, never for one whose callback lags. A
// partition that cannot be read here any more is given back; who leads it now is reader.ts's question.
import type { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { Cluster } from './cluster.ts';
import type { PartitionFeed } from './partition-feed.ts';
import { type FetchedPartition, fetchRequest } from './protocols.ts';
import type { Isolation } from './record.ts';

export interface LaneSettings {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly isolation: Isolation;
  /** How long the broker waits for records. */
  readonly maxWait: Milliseconds;
  /** Of an answer, and of what waits for callbacks. */
  readonly maxBytes: Bytes;
  /** Of one partition in an answer. */
  readonly partitionBytes: Bytes;
  /** Called after each answer. */
  readonly onProgress: () => void;
}

export interface LaneOptions extends LaneSettings {
  readonly node: number;
  /** A partition was read, if only to find nothing. */
  readonly onRead: (feed: PartitionFeed) => void;
  /** The broker answered with an error code for a partition; the lane has let it go. */
  readonly onRefused: (feed: PartitionFeed, code: number) => void;
  /** The request failed; told for each partition it was for, which the lane has let go. */
  readonly onUnreachable: (feed: PartitionFeed, failure: Failure) => void;
}

export interface FetchLane {
  add(feed: PartitionFeed): void;
  /** A callback made room, or somebody began to wait. */
  wake(): void;
  /** Ends after the request under way; closing the cluster ends that at once. */
  close(): void;
}

/** While a partition is held back by its callback, the others' long wait may not keep it from being fetched again. */
const WAIT_WHILE_HELD: Milliseconds = 20;

/** For an answer beyond its wait for records. After one that did not come in time: twice as long, for a quarter as much. */
const FETCH_TIMEOUT: Milliseconds = 4500;
const MOST_CAUTION = 4;
/** `code` of a request whose answer did not come in time. */
const TIMED_OUT = 'KafkaJSRequestTimeoutError';

/** A lane without partitions; it fetches as soon as it has some. */
export function openLane(options: LaneOptions): FetchLane {
  const feeds = new Set<PartitionFeed>();
  let turn = 0;
  /** How often in a row, more or less, an answer did not come whole in time: the line may be slow. */
  let caution = 0;
  let closed = false;
  let signal: (() => void) | undefined;

  const idle = () =>
    new Promise<void>((resolve) => {
      signal = resolve;
    });

  const accept = (answers: readonly FetchedPartition[], begun: number) => {
    const byPartition = new Map([...feeds].map((feed) => [feed.partition, feed]));
    for (const answer of answers) {
      const feed = byPartition.get(answer.partition);
      if (!feed) continue;
      if (answer.errorCode === 0) {
        options.onRead(feed);
        feed.accept(answer, begun, options.node);
      } else {
        feeds.delete(feed);
        options.onRefused(feed, answer.errorCode);
      }
    }
  };

  const timeout = () => FETCH_TIMEOUT * 2 ** caution;

  const makeRequest = (ready: readonly PartitionFeed[], room: Bytes) => {
    // Only the first partition of a request is sure to get a whole batch, so each is first in its turn (KIP-74).
    const first = turn++ % ready.length;
    const order = [...ready.slice(first), ...ready.slice(0, first)];
    const held = ready.length < feeds.size;
    const maxWait = order.some(({ awaited }) => awaited) ? 0 : held ? WAIT_WHILE_HELD : options.maxWait;
    return fetchRequest({
      topic: options.topic,
      isolation: options.isolation,
      maxWait,
      maxBytes: Math.ceil(room / 4 ** caution),
      timeout: maxWait + timeout(),
      partitions: order.map(({ partition, fetchOffset }) => ({
        partition,
        offset: fetchOffset ?? 0,
        maxBytes: Math.ceil(options.partitionBytes / 4 ** caution),
      })),
    });
  };

  const run = async () => {
    while (!closed) {
      for (const feed of feeds) if (feed.ended) feeds.delete(feed);
      options.onProgress();
      let answered: { readonly partitions: readonly FetchedPartition[] } | undefined;
      const room = options.maxBytes - [...feeds].reduce((total, { waitingBytes }) => total + waitingBytes, 0);
      const ready = room > 0 ? [...feeds].filter((feed) => !feed.full) : [];
      if (ready.length === 0) {
        await idle();
        continue;
      }
      const begun = performance.now();
      try {
        answered = await options.cluster.request(options.node, makeRequest(ready, room));
        if (performance.now() - begun < timeout() / 2) caution = Math.max(0, caution - 1);
      } catch (error) {
        const failure = error as Failure;
        if (failure.code === TIMED_OUT) caution = Math.min(caution + 1, MOST_CAUTION);
        const lost = [...feeds];
        feeds.clear();
        for (const feed of lost) options.onUnreachable(feed, failure);
      }
      if (answered && !closed) accept(answered.partitions, begun);
    }
  };

  // `run` handles every failure of a request; what it throws beyond that is a defect and must be seen.
  void run();
  return {
    add: (feed) => {
      feeds.add(feed);
      signal?.();
    },
    wake: () => signal?.(),
    close: () => {
      closed = true;
      signal?.();
    },
  };
}
