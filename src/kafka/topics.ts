// Topics as people handle them: list, describe, create, delete; and the brokers. Metadata of single partitions is metadata.ts,
// offsets are offsets.ts; nothing here creates a topic but `createTopic`.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../model/failure.ts';
import type { TopicSettings } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import type { Cluster } from './cluster.ts';
import { codeFailure, errorName } from './errors.ts';
import {
  type BrokerAddress,
  type ClusterMetadata,
  metadataRequest,
  type Operation,
  type TopicMetadata,
} from './metadata.ts';
import { listOffsets } from './offsets.ts';
import { configsRequest, createTopicsRequest, deleteTopicsRequest } from './protocols.ts';

export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
  /** Replicas of a partition; the fewest, where they differ. */
  readonly replication: number;
  readonly internal: boolean;
  readonly leaderless: readonly number[];
}

export interface TopicDescription extends TopicMetadata {
  /** By name, as they are in effect; undefined when the user may not see them. */
  readonly config: Readonly<Record<string, TopicConfig>> | undefined;
}

export interface TopicConfig {
  /** Null for what Kafka does not show. */
  readonly value: string | null;
  /** Set on this topic, and not taken from the broker. */
  readonly own: boolean;
}

export interface ClusterDescription {
  readonly clusterId: string | null;
  readonly brokers: readonly BrokerAddress[];
  /** What the user may do on the cluster (KIP-430); undefined from brokers before Kafka 2.3. */
  readonly operations: readonly Operation[] | undefined;
}

/** Brokers that are alive. Rejects with a Failure when none answers. */
export async function describeCluster(cluster: Cluster): Promise<ClusterDescription> {
  const { clusterId, brokers, operations } = await cluster.metadata([]);
  return { clusterId, operations, brokers: [...brokers].sort((a, b) => a.nodeId - b.nodeId) };
}

/** All topics that the user may see, by name; Kafka's own (`__…`) only on request. */
export async function listTopics(
  cluster: Cluster,
  options: { readonly internal?: boolean } = {},
): Promise<TopicSummary[]> {
  const { topics } = await cluster.metadata('all');
  return topics
    .filter(({ internal }) => options.internal || !internal)
    .map(({ name, internal, partitions }) => ({
      name,
      internal,
      partitions: partitions.length,
      replication: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      leaderless: partitions.filter(({ leader }) => leader === undefined).map(({ partition }) => partition),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Partitions with leaders and replicas, and the configuration in effect, also when partitions are leaderless.
 * Rejects with a Failure (`topic`) when it does not exist or may not be seen.
 */
export async function describeTopic(cluster: Cluster, name: string): Promise<TopicDescription> {
  const doing = 'describing it';
  const { topics } = await cluster.metadata([name]);
  const found = topics.find((topic) => topic.name === name);
  if (!found || found.partitions.length === 0) {
    throw codeFailure(errorName(found?.errorCode ?? UNKNOWN_TOPIC), doing, name);
  }
  const { resources } = await cluster.request('any', configsRequest([{ type: 'topic', name }]));
  const [resource] = resources;
  const denied = resource !== undefined && DENIED.has(errorName(resource.errorCode));
  if (resource && resource.errorCode !== 0 && !denied) {
    throw codeFailure(errorName(resource.errorCode), doing, name, resource.errorMessage);
  }
  const entries = resource?.configEntries.map(({ configName, configValue, configSource, isDefault }) => [
    configName,
    { value: configValue, own: configSource === undefined ? !isDefault : configSource === TOPIC_SOURCE },
  ]);
  return {
    ...found,
    config: denied || !entries ? undefined : (Object.fromEntries(entries) as TopicDescription['config']),
  };
}

export interface CreateTopicOptions {
  /** Only asks whether it could be created. */
  readonly validateOnly?: boolean;
  /** For the topic to be usable everywhere. Default 15 s. */
  readonly timeout?: Milliseconds;
}

/**
 * Creates a topic; partitions and replication left out are the broker's defaults. Resolves when every broker knows it and
 * every partition's leader answers: a producer can use it at once. Rejects with a Failure: `topic` when it exists or Kafka
 * refuses it, with Kafka's own reason.
 */
export async function createTopic(
  cluster: Cluster,
  topic: TopicSettings,
  options: CreateTopicOptions = {},
): Promise<void> {
  const { name, partitions = -1, replication = -1, config } = topic;
  const { validateOnly = false, timeout = 15_000 } = options;
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
  const asked = [{ topic: name, numPartitions: partitions, replicationFactor: replication, configEntries }];
  const { controller } = await cluster.metadata([]);
  const { topicErrors } = await cluster.request(controller, createTopicsRequest(asked, validateOnly, ANSWER_WITHIN));
  const [error] = topicErrors;
  if (error && error.errorCode !== 0) throw creationFailure(errorName(error.errorCode), name, error.errorMessage);
  if (validateOnly) return;
  await waitUntil(timeout, `topic \`${name}\` was created, but has no leaders yet`, async () => {
    if (
      !(await everyBroker(
        cluster,
        name,
        ({ partitions: some }) => some.length > 0 && some.every(({ leader }) => leader !== undefined),
      ))
    ) {
      return false;
    }
    // A broker announces a partition a moment before it opens its log.
    return (await listOffsets(cluster, name)).every((offsets) => offsets.error === undefined);
  });
}

/** Deletes a topic and its records. Resolves when no broker knows it any more. Rejects with a Failure. */
export async function deleteTopic(cluster: Cluster, name: string, timeout: Milliseconds = 15_000): Promise<void> {
  const { controller } = await cluster.metadata([]);
  const { topicErrors } = await cluster.request(controller, deleteTopicsRequest([name], ANSWER_WITHIN));
  const [error] = topicErrors;
  if (error && error.errorCode !== 0) {
    const failure = codeFailure(errorName(error.errorCode), 'deleting it', name);
    throw DENIED.has(failure.code ?? '') ? withHint(failure, `the user needs Delete on the topic: ${GRANT}`) : failure;
  }
  await waitUntil(timeout, `topic \`${name}\` is still being deleted`, () =>
    everyBroker(cluster, name, ({ errorCode }) => errorCode === UNKNOWN_TOPIC),
  );
}

const UNKNOWN_TOPIC = 3;
/** A config entry's source: the topic's own (DYNAMIC_TOPIC_CONFIG). */
const TOPIC_SOURCE = 1;
/** Below the client's request timeout. */
const ANSWER_WITHIN: Milliseconds = 4000;
const POLL: Milliseconds = 20;
const GRANT = 'grant it with kafka-acls or ask who runs the cluster';
const DENIED = new Set(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']);

function creationFailure(name: string, topic: string, detail: string | null): Failure {
  const failure = codeFailure(name, '', topic, DENIED.has(name) ? null : detail);
  if (!DENIED.has(name)) return failure;
  return new Failure(`kafka: the user may not create topic \`${topic}\``, {
    kind: 'topic',
    code: name,
    hint: `it needs Create on the topic or the cluster: ${GRANT}`,
  });
}

function withHint(failure: Failure, hint: string): Failure {
  const { kind, retryable, code, cause } = failure;
  return new Failure(failure.message, { kind, retryable, cause, hint, ...(code === undefined ? {} : { code }) });
}

/** Whether each broker that answers says of the topic what `holds` asks; a broker that is down has nothing to say. */
async function everyBroker(cluster: Cluster, name: string, holds: (topic: TopicMetadata) => boolean): Promise<boolean> {
  const { brokers } = await cluster.metadata([]);
  const answers = await Promise.allSettled(
    brokers.map(({ nodeId }) => cluster.request(nodeId, metadataRequest([name]))),
  );
  const views = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  return views.length > 0 && views.every(({ topics }: ClusterMetadata) => topics.every(holds));
}

async function waitUntil(timeout: Milliseconds, otherwise: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Failure(`kafka: ${otherwise} after ${timeout / 1000} s`, {
        kind: 'kafka',
        retryable: true,
        hint: 'see the log of the brokers',
      });
    }
    await sleep(POLL);
  }
}
