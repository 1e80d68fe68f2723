// Where the logs of a topic's partitions begin and end, and where a reader's start lies in them.
import { Failure } from '../model/failure.ts';
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import { EARLIEST, LATEST, offsetsRequest } from './protocols.ts';
import type { Isolation, StartOffset } from './record.ts';

export interface PartitionOffsets {
  readonly partition: number;
  /** The first offset that is still there. */
  readonly logStart: number;
  /** Where read_committed readers end: before the first open transaction. */
  readonly lastStable: number;
  /** The offset the next record will get, as far as it is replicated. */
  readonly highWatermark: number;
  /** Kafka's name of what kept the leader from answering; the offsets are then -1. */
  readonly error?: string;
}

export interface ResolvedStart {
  readonly partition: number;
  readonly offset: number;
  /** The end for the reader's isolation. */
  readonly end: number;
  readonly logStart: number;
  readonly highWatermark: number;
  /** `OFFSET_OUT_OF_RANGE`, or what kept the leader from answering. */
  readonly error?: string;
}

/**
 * Log start, last stable offset and high watermark of the topic's partitions, each asked of its leader. A partition that
 * cannot be asked has an `error`; rejects with a Failure when the topic does not exist or no broker answers.
 */
export async function listOffsets(cluster: Cluster, topic: string): Promise<PartitionOffsets[]> {
  const { leaders, partitions, problem } = await partitionLeaders(cluster, topic);
  const found = new Map<number, PartitionOffsets>();
  await Promise.all(
    [...new Set(leaders.values())].map(async (node) => {
      const led = partitions.filter((partition) => leaders.get(partition) === node);
      for (const offsets of await offsetsOf(cluster, node, topic, led)) found.set(offsets.partition, offsets);
    }),
  );
  const nothing = { logStart: -1, lastStable: -1, highWatermark: -1, error: problem?.code ?? 'LEADER_NOT_AVAILABLE' };
  return partitions.map((partition) => found.get(partition) ?? { partition, ...nothing });
}

/**
 * The offsets at which reading of partitions led by `node` starts. An offset given as a number must lie between log start
 * and high watermark (the end itself is allowed). Rejects with a Failure when the broker does not answer.
 */
export async function resolveStarts(
  cluster: Cluster,
  node: number,
  topic: string,
  wanted: readonly { readonly partition: number; readonly start: StartOffset }[],
  isolation: Isolation,
): Promise<ResolvedStart[]> {
  const instants = wanted.flatMap(({ partition, start }) =>
    typeof start === 'object' ? [{ partition, at: start.timestamp }] : [],
  );
  const [bounds, byInstant] = await Promise.all([
    offsetsOf(
      cluster,
      node,
      topic,
      wanted.map(({ partition }) => partition),
    ),
    instants.length === 0 ? new Map<number, Answered>() : ask(cluster, node, topic, instants, isolation),
  ]);
  return bounds.map((bound): ResolvedStart => {
    const { partition, logStart, highWatermark, lastStable } = bound;
    const end = isolation === 'read_committed' ? lastStable : highWatermark;
    const start = wanted.find((one) => one.partition === partition)?.start ?? 'end';
    const instant = byInstant.get(partition);
    const resolved = { partition, end, logStart, highWatermark };
    const error = bound.error ?? instant?.error;
    if (error !== undefined) return { ...resolved, offset: -1, error };
    if (start === 'beginning') return { ...resolved, offset: logStart };
    // No record at or after the instant: -1.
    if (typeof start === 'object')
      return { ...resolved, offset: instant && instant.offset >= 0 ? instant.offset : end };
    if (start === 'end') return { ...resolved, offset: end };
    const inside = start >= logStart && start <= highWatermark;
    return { ...resolved, offset: start, ...(inside ? {} : { error: 'OFFSET_OUT_OF_RANGE' }) };
  });
}

/** The Failure for an offset that is not in the log any more, or not yet: with both numbers, never a reset. */
export function outOfRange(topic: string, partition: number, offset: number, bounds: ResolvedStart): Failure {
  const { logStart, highWatermark } = bounds;
  const what =
    offset < logStart
      ? `below its log start ${logStart}: the records between were deleted before they were read`
      : `above its end ${highWatermark}: the topic was made anew or lost records`;
  return new Failure(`kafka: offset ${offset} of \`${topic}\` partition ${partition} is ${what}`, {
    kind: 'topic',
    code: 'OFFSET_OUT_OF_RANGE',
    hint: `choose an offset from ${logStart} to ${highWatermark}`,
  });
}

export interface PartitionLeaders {
  /** Broker ids, of the partitions that have a leader. */
  readonly leaders: ReadonlyMap<number, number>;
  /** All that the topic has. */
  readonly partitions: readonly number[];
  /** Why some have no leader. */
  readonly problem: Failure | undefined;
}

/**
 * The leaders of a topic's partitions, by a fresh Metadata request. Rejects with a Failure when the topic does not exist or
 * may not be seen.
 */
export async function partitionLeaders(cluster: Cluster, topic: string): Promise<PartitionLeaders> {
  const { topics } = await cluster.metadata([topic]);
  const found = topics.find(({ name }) => name === topic);
  const doing = `reading \`${topic}\``;
  const headless = found?.partitions.find(({ leader }) => leader === undefined);
  if (!found || (found.errorCode !== 0 && found.partitions.length === 0)) {
    throw codeFailure(errorName(found?.errorCode ?? UNKNOWN_TOPIC), doing, topic);
  }
  const leaders = new Map<number, number>();
  for (const { partition, leader } of found.partitions) if (leader !== undefined) leaders.set(partition, leader);
  return {
    leaders,
    partitions: found.partitions.map(({ partition }) => partition),
    problem: headless && codeFailure('LEADER_NOT_AVAILABLE', doing, topic),
  };
}

const UNKNOWN_TOPIC = 3;

interface Answered {
  readonly offset: number;
  readonly error?: string;
}

async function offsetsOf(
  cluster: Cluster,
  node: number,
  topic: string,
  partitions: readonly number[],
): Promise<PartitionOffsets[]> {
  const at = (instant: number) => partitions.map((partition) => ({ partition, at: instant }));
  const [starts, stable, high] = await Promise.all([
    ask(cluster, node, topic, at(EARLIEST), 'read_uncommitted'),
    ask(cluster, node, topic, at(LATEST), 'read_committed'),
    ask(cluster, node, topic, at(LATEST), 'read_uncommitted'),
  ]);
  return partitions.map((partition) => {
    const answers = [starts.get(partition), stable.get(partition), high.get(partition)];
    const error = answers
      .map((one) => (one ? one.error : 'UNKNOWN_TOPIC_OR_PARTITION'))
      .find((one) => one !== undefined);
    const [logStart = -1, lastStable = -1, highWatermark = -1] = answers.map((one) => one?.offset);
    return { partition, logStart, lastStable, highWatermark, ...(error === undefined ? {} : { error }) };
  });
}

async function ask(
  cluster: Cluster,
  node: number,
  topic: string,
  partitions: readonly { readonly partition: number; readonly at: number }[],
  isolation: Isolation,
): Promise<Map<number, Answered>> {
  const { responses } = await cluster.request(node, offsetsRequest(topic, partitions, isolation));
  const answers = new Map<number, Answered>();
  for (const { partition, errorCode, offset } of responses.flatMap((response) => response.partitions)) {
    answers.set(partition, { offset: Number(offset), ...(errorCode === 0 ? {} : { error: errorName(errorCode) }) });
  }
  return answers;
}
