// The three topics a ledger lives in: their names, what they must be like, and their creation by `start`. Topics of jobs are
// created by `pgtally topics create` alone.
import type { KafkaClient } from '../kafka/client.ts';
import { type Cluster, newCluster } from '../kafka/cluster.ts';
import { createTopic, describeCluster, describeTopic, type TopicDescription } from '../kafka/topics.ts';
import { Failure } from '../model/failure.ts';
import type { LedgerSettings, TopicSettings } from '../model/project.ts';

export interface LedgerTopicNames {
  /** State: compacted, one partition a shard. */
  readonly ledger: string;
  /** Each outcome, for 7 days. */
  readonly history: string;
  /** Heartbeats. */
  readonly replicas: string;
}

export function ledgerTopicNames(ledger: string): LedgerTopicNames {
  return { ledger, history: `${ledger}.history`, replicas: `${ledger}.replicas` };
}

export interface Advice {
  readonly message: string;
  readonly hint: string;
}

export interface LedgerTopicsReport {
  /** Topics that do not exist. */
  readonly missing: readonly string[];
  /** What makes the ledger unusable: a policy, a number of partitions. */
  readonly failures: readonly Failure[];
  readonly warnings: readonly Advice[];
}

/** Looks at the topics as they are; creates nothing. Rejects with a Failure when Kafka cannot be asked. */
export async function inspectLedgerTopics(cluster: Cluster, settings: LedgerSettings): Promise<LedgerTopicsReport> {
  const wanted = await wantedTopics(cluster, settings);
  const missing: string[] = [];
  const failures: Failure[] = [];
  const warnings: Advice[] = [];
  for (const { topic, problems } of wanted) {
    const found = await describeIfThere(cluster, topic.name);
    if (!found) {
      missing.push(topic.name);
      continue;
    }
    failures.push(...problems(found));
    warnings.push(...adviceOn(found));
  }
  return { missing, failures, warnings };
}

/**
 * Creates the topics that are missing. Rejects with a Failure (`configuration`) when one that exists is not what the ledger
 * needs, (`topic`) when one may not be created.
 */
export async function ensureLedgerTopics(
  client: KafkaClient,
  settings: LedgerSettings,
): Promise<{ readonly created: readonly string[]; readonly warnings: readonly Advice[] }> {
  const cluster = newCluster(client);
  try {
    const { missing } = await inspectLedgerTopics(cluster, settings);
    const created: string[] = [];
    for (const { topic } of await wantedTopics(cluster, settings)) {
      if (missing.includes(topic.name) && (await createUnlessThere(cluster, topic))) created.push(topic.name);
    }
    const { failures, warnings } = await inspectLedgerTopics(cluster, settings);
    const [failure] = failures;
    if (failure) throw failure;
    return { created, warnings };
  } finally {
    cluster.close();
  }
}

interface WantedTopic {
  readonly topic: TopicSettings;
  readonly problems: (found: TopicDescription) => Failure[];
}

/** Small segments, so that the cleaner gets at what is superseded: it never touches the one being written. */
const COMPACTED = { 'cleanup.policy': 'compact', 'segment.ms': '600000', 'min.cleanable.dirty.ratio': '0.1' };
const SEVEN_DAYS = String(7 * 24 * 60 * 60 * 1000);

async function wantedTopics(cluster: Cluster, settings: LedgerSettings): Promise<WantedTopic[]> {
  const names = ledgerTopicNames(settings.topic);
  const { shards } = settings;
  const replication = settings.replication ?? Math.min(3, (await describeCluster(cluster)).brokers.length);
  // Of three copies one may be lost without losing what was acknowledged, and one more be away without stopping.
  const durable = replication >= 3 ? { 'min.insync.replicas': '2' } : {};
  const topic = (name: string, partitions: number, config: Record<string, string>): TopicSettings => ({
    name,
    partitions,
    replication,
    config: { ...config, ...durable },
  });
  return [
    {
      topic: topic(names.ledger, shards, COMPACTED),
      problems: (found) => [...mustCompact(found), ...mustHaveShards(found, shards)],
    },
    {
      topic: topic(names.history, shards, { 'cleanup.policy': 'delete', 'retention.ms': SEVEN_DAYS }),
      problems: (found) => [
        ...mustNotCompact(found),
        ...(found.partitions.length < shards ? mustHaveShards(found, shards) : []),
      ],
    },
    {
      topic: topic(names.replicas, 1, { ...COMPACTED, 'message.timestamp.type': 'LogAppendTime' }),
      problems: (found) => [...mustCompact(found), ...mustStamp(found)],
    },
  ];
}

async function describeIfThere(cluster: Cluster, name: string): Promise<TopicDescription | undefined> {
  try {
    return await describeTopic(cluster, name);
  } catch (error) {
    if (error instanceof Failure && error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
    throw error;
  }
}

/** False when another replica, started at the same time, was quicker. */
async function createUnlessThere(cluster: Cluster, topic: TopicSettings): Promise<boolean> {
  try {
    await createTopic(cluster, topic);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === 'TOPIC_ALREADY_EXISTS') return false;
    throw error;
  }
}

function mustCompact({ name, config }: TopicDescription): Failure[] {
  const policy = config?.['cleanup.policy']?.value;
  if (config === undefined || policy === 'compact') return [];
  return [
    unfit(
      `topic \`${name}\` has cleanup.policy \`${policy}\`: the ledger would forget what ran`,
      `set it: \`kafka-configs --alter --topic ${name} --add-config cleanup.policy=compact\``,
    ),
  ];
}

function mustNotCompact({ name, config }: TopicDescription): Failure[] {
  const policy = config?.['cleanup.policy']?.value;
  if (!policy?.includes('compact')) return [];
  return [
    unfit(
      `topic \`${name}\` has cleanup.policy \`${policy}\`: it would keep one outcome of each job and server`,
      `set it: \`kafka-configs --alter --topic ${name} --add-config cleanup.policy=delete\``,
    ),
  ];
}

function mustHaveShards({ name, partitions }: TopicDescription, shards: number): Failure[] {
  if (partitions.length === shards) return [];
  return [
    unfit(
      `topic \`${name}\` has ${partitions.length} partitions, but \`ledger.shards\` is ${shards}`,
      `set \`ledger: {shards: ${partitions.length}}\`, or give \`ledger.topic\` another name: shards of a ledger cannot be changed`,
    ),
  ];
}

function mustStamp({ name, config }: TopicDescription): Failure[] {
  const type = config?.['message.timestamp.type']?.value;
  if (config === undefined || type === 'LogAppendTime') return [];
  return [
    unfit(
      `topic \`${name}\` takes timestamps from its writers, whose clocks differ`,
      `set it: \`kafka-configs --alter --topic ${name} --add-config message.timestamp.type=LogAppendTime\``,
    ),
  ];
}

function adviceOn({ name, partitions, config }: TopicDescription): Advice[] {
  const replication = Math.min(...partitions.map(({ replicas }) => replicas.length));
  const advice: Advice[] = [];
  if (replication < 3) {
    const copies = replication === 1 ? 'one copy' : `${replication} copies`;
    advice.push({
      message: `topic \`${name}\` has ${copies} of its records`,
      hint: 'with three, the ledger outlives the loss of a broker',
    });
  } else if (config?.['min.insync.replicas']?.value === '1') {
    advice.push({
      message: `topic \`${name}\` acknowledges what only one broker has (min.insync.replicas 1)`,
      hint: 'set min.insync.replicas to 2',
    });
  }
  if (config === undefined) {
    advice.push({
      message: `the configuration of topic \`${name}\` cannot be seen`,
      hint: 'grant DescribeConfigs on it, so that its policy can be checked',
    });
  }
  return advice;
}

function unfit(message: string, hint: string): Failure {
  return new Failure(message, { kind: 'configuration', hint });
}
