// Which broker each partition of a reader is fetched from: finds leaders, looks up starts, moves partitions when leaders move,
// waits longer while they stay away. Fetching itself is fetch-lane.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import { type FetchLane, type LaneSettings, openLane } from './fetch-lane.ts';
import { outOfRange, type PartitionLeaders, partitionLeaders, resolveStarts } from './offsets.ts';
import type { PartitionFeed } from './partition-feed.ts';
import type { StartOffset } from './record.ts';

export interface PlacementOptions extends LaneSettings {
  readonly cluster: Cluster;
  readonly startOf: (partition: number) => StartOffset;
  /** `end`: as found when the partition's reading begins. */
  readonly untilOf: (partition: number) => number | 'end' | undefined;
  /** How long a partition may be unreadable. */
  readonly patience: Milliseconds;
  readonly onInterrupted: (failure: Failure) => void;
  readonly onFailure: (failure: Failure) => void;
  readonly onProgress: () => void;
}

export interface Placement {
  /** Places partitions for the first time. Rejects with what will not mend by itself, or when no broker answers. */
  begin(feeds: readonly PartitionFeed[], known: PartitionLeaders): Promise<void>;
  wake(): void;
  close(): void;
}

/** A partition without a broker to read it from: since when, and when it is tried again. */
interface Trouble {
  readonly since: number;
  readonly attempts: number;
  readonly due: number;
}

/** An unknown topic may be a broker that has only just started. */
const MISSING_FOR: Milliseconds = 10_000;
const FIRST_RETRY: Milliseconds = 50;
const LONGEST_RETRY: Milliseconds = 1000;

/** A leader elsewhere is no interruption: it is followed. */
const MOVED = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
]);
/** No waiting mends these. */
const FINAL = new Set([
  'OFFSET_OUT_OF_RANGE',
  'CORRUPT_MESSAGE',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'INVALID_TOPIC_EXCEPTION',
]);

export function createPlacement(options: PlacementOptions): Placement {
  const { cluster, topic, isolation } = options;
  const lanes = new Map<number, FetchLane>();
  const troubled = new Map<PartitionFeed, Trouble>();
  const homeless = new Set<PartitionFeed>();
  const closing = new AbortController();
  let reported = '';
  let searching = false;
  let closed = false;

  const report = (failure: Failure): void => {
    if (closed || failure.message === reported) return;
    reported = failure.message;
    options.onInterrupted(failure);
  };

  const lose = (feed: PartitionFeed, failure: Failure): void => {
    if (closed) return;
    const now = performance.now();
    const { since = now, attempts = 0 } = troubled.get(feed) ?? {};
    const patience = failure.code === 'UNKNOWN_TOPIC_OR_PARTITION' ? MISSING_FOR : options.patience;
    if (FINAL.has(failure.code ?? '') || failure.kind === 'configuration' || now - since > patience) {
      options.onFailure(failure);
      return;
    }
    if (attempts > 0 || !MOVED.has(failure.code ?? '')) report(failure);
    const wait = attempts === 0 ? 0 : Math.min(FIRST_RETRY * 2 ** (attempts - 1), LONGEST_RETRY);
    troubled.set(feed, { since, attempts: attempts + 1, due: now + wait });
    homeless.add(feed);
    if (!searching) void search();
  };

  /** Places homeless partitions as they come due, until none is left. */
  const search = async (): Promise<void> => {
    searching = true;
    while (homeless.size > 0 && !closed) {
      const now = performance.now();
      const wait = Math.min(...[...homeless].map((feed) => (troubled.get(feed)?.due ?? now) - now));
      // In short naps: another partition may come due sooner. Only `close` ends one early, and the loop sees that.
      if (wait > 0)
        await sleep(Math.min(wait, FIRST_RETRY), undefined, { signal: closing.signal }).catch(() => undefined);
      const due = [...homeless].filter((feed) => (troubled.get(feed)?.due ?? 0) <= performance.now());
      if (due.length > 0 && !closed) for (const [feed, failure] of await place(due)) lose(feed, failure);
    }
    searching = false;
  };

  /** Gives each partition to the lane of its leader; returns those that could not be placed, with the reason. */
  const place = async (
    feeds: readonly PartitionFeed[],
    known?: PartitionLeaders,
  ): Promise<Map<PartitionFeed, Failure>> => {
    const unplaced = new Map<PartitionFeed, Failure>();
    try {
      const { leaders, partitions } = known ?? (await partitionLeaders(cluster, topic));
      for (const feed of feeds) {
        if (leaders.has(feed.partition)) continue;
        const name = partitions.includes(feed.partition) ? 'LEADER_NOT_AVAILABLE' : 'UNKNOWN_TOPIC_OR_PARTITION';
        unplaced.set(feed, codeFailure(name, `reading partition ${feed.partition}`, topic));
      }
      await Promise.all(
        [...new Set(leaders.values())].map(async (node) => {
          const led = feeds.filter(({ partition }) => leaders.get(partition) === node);
          if (led.length === 0) return;
          const failures = await startFeeds(node, led).catch(
            (error: unknown) => new Map(led.map((feed) => [feed, error as Failure])),
          );
          for (const feed of led) {
            const failure = failures.get(feed);
            if (failure) unplaced.set(feed, failure);
            else if (!closed) {
              homeless.delete(feed);
              laneOf(node).add(feed);
            }
          }
        }),
      );
    } catch (error) {
      for (const feed of feeds) unplaced.set(feed, error as Failure);
    }
    return unplaced;
  };

  /** Looks up where feeds that were never started begin and end. */
  const startFeeds = async (node: number, feeds: readonly PartitionFeed[]): Promise<Map<PartitionFeed, Failure>> => {
    const failures = new Map<PartitionFeed, Failure>();
    const fresh = feeds.filter(({ fetchOffset }) => fetchOffset === undefined);
    if (fresh.length === 0) return failures;
    const wanted = fresh.map(({ partition }) => ({ partition, start: options.startOf(partition) }));
    const found = await resolveStarts(cluster, node, topic, wanted, isolation);
    for (const feed of fresh) {
      const { partition } = feed;
      const start = options.startOf(partition);
      const bounds = found.find((one) => one.partition === partition);
      const error = bounds ? bounds.error : 'UNKNOWN_TOPIC_OR_PARTITION';
      if (bounds && error === undefined) {
        const until = options.untilOf(partition);
        feed.start(bounds.offset, until === 'end' ? bounds.end : until);
      } else if (bounds && error === 'OFFSET_OUT_OF_RANGE') {
        failures.set(feed, outOfRange(topic, partition, Number(start), bounds));
      } else {
        failures.set(feed, codeFailure(error ?? '', `reading partition ${partition}`, topic));
      }
    }
    return failures;
  };

  /** The broker says an offset is not in its log. It may lag behind the leader it has just become: the log's bounds decide. */
  const checkRange = async (feed: PartitionFeed): Promise<Failure> => {
    const { partition, fetchOffset = 0 } = feed;
    const { leaders } = await partitionLeaders(cluster, topic);
    const leader = leaders.get(partition);
    if (leader === undefined) return codeFailure('LEADER_NOT_AVAILABLE', `reading partition ${partition}`, topic);
    const [bounds] = await resolveStarts(cluster, leader, topic, [{ partition, start: fetchOffset }], isolation);
    if (bounds?.error === 'OFFSET_OUT_OF_RANGE') {
      // Asked for the beginning and given nothing yet, while the log was cut: the beginning is elsewhere, nothing is skipped.
      const moved = feed.untouched && options.startOf(partition) === 'beginning' && fetchOffset < bounds.logStart;
      if (!moved) return outOfRange(topic, partition, fetchOffset, bounds);
      feed.start(bounds.logStart, undefined);
    }
    return codeFailure('OFFSET_NOT_AVAILABLE', `reading partition ${partition}`, topic);
  };

  const laneOf = (node: number): FetchLane => {
    let lane = lanes.get(node);
    if (!lane) {
      lane = openLane({
        ...options,
        node,
        onRead: (feed) => {
          if (troubled.delete(feed)) reported = '';
        },
        onRefused: (feed, code) => {
          const name = errorName(code);
          const refusal = codeFailure(name, `reading partition ${feed.partition}`, topic);
          if (name !== 'OFFSET_OUT_OF_RANGE') return lose(feed, refusal);
          checkRange(feed).then(
            (failure) => lose(feed, failure),
            (error: unknown) => lose(feed, error as Failure),
          );
        },
        onUnreachable: lose,
      });
      lanes.set(node, lane);
    }
    return lane;
  };

  return {
    begin: async (feeds, known) => {
      const unplaced = await place(feeds, known);
      // A leaderless partition is waited for; the others are read meanwhile.
      for (const failure of unplaced.values()) if (!failure.retryable || unplaced.size === feeds.length) throw failure;
      for (const [feed, failure] of unplaced) lose(feed, failure);
    },
    wake: () => {
      for (const lane of lanes.values()) lane.wake();
    },
    close: () => {
      closed = true;
      closing.abort();
      for (const lane of lanes.values()) lane.close();
      cluster.close();
    },
  };
}
