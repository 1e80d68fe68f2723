// Whether a topic may enter a producer. kafkajs asks for the metadata of all topics a producer ever used at once and fails for
// the worst of them, so a missing or leaderless topic would take the producer, and everyone who shares it, down.
import type { Failure } from '../model/failure.ts';
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import type { TopicMetadata } from './metadata.ts';

/** Rejects with a Failure (`topic`; retryable for a leaderless partition) unless the topic can be published to now. */
export async function requireUsable(cluster: Cluster, topic: string): Promise<void> {
  const { topics } = await cluster.metadata([topic]);
  const failure = topics.map(whyUnusable).find((found) => found !== undefined);
  if (failure) throw failure;
}

/** Why nothing can be published to a topic as its metadata is, if so. */
export function whyUnusable({ name, errorCode, partitions, operations }: TopicMetadata): Failure | undefined {
  const doing = 'publishing';
  if (errorCode !== 0) return codeFailure(errorName(errorCode), doing, name);
  const leaderless = partitions.filter(({ leader }) => leader === undefined).map(({ partition }) => partition);
  if (leaderless.length > 0) {
    const which = leaderless.length === 1 ? `partition ${leaderless[0]}` : `partitions ${leaderless.join(', ')}`;
    return codeFailure('LEADER_NOT_AVAILABLE', doing, name, `${which} of ${partitions.length}`);
  }
  // KIP-430: what the user may do, before it is tried at the cost of a producer.
  if (operations && !operations.includes('write')) return codeFailure('TOPIC_AUTHORIZATION_FAILED', doing, name);
  return undefined;
}
