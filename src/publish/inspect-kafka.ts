// What `check --kafka` asks of a cluster, put together: its brokers, transactions, the jobs' topics and the ledger's, each with
// what is wrong with it. Printing is the command's.
import type { KafkaClient } from '../kafka/client.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { type InspectedCluster, inspectCluster } from '../kafka/inspect-cluster.ts';
import { probeTransactions } from '../kafka/probe-transactions.ts';
import { describeTopic, type TopicDescription } from '../kafka/topics.ts';
import { inspectLedgerTopics, ledgerTopicNames } from '../ledger/ledger-topics.ts';
import { streamTimeout } from '../ledger/stream-timeout.ts';
import { Failure } from '../model/failure.ts';
import type { Problem } from '../model/problem.ts';
import type { Project } from '../model/project.ts';
import { grantCommand, judgeCluster, judgeTransactions } from '../project/judge-cluster.ts';
import {
  judgeTopic,
  lackedOperations,
  problemAt,
  type TopicContext,
  type TopicUse,
  topicUses,
  usersOf,
} from '../project/topic-uses.ts';

export interface CheckedTopic {
  readonly name: string;
  /** Names of jobs; none for the ledger's. */
  readonly jobs: readonly string[];
  /** Undefined when it does not exist or may not be seen. */
  readonly found: TopicDescription | undefined;
  readonly problems: readonly Problem[];
}

export interface CheckedKafka {
  readonly cluster: InspectedCluster;
  readonly topics: readonly CheckedTopic[];
  readonly ledger: readonly CheckedTopic[];
  /** Those that no topic has. */
  readonly problems: readonly Problem[];
  /** Ledger topics that `pgtally start` will create. */
  readonly toCreate: readonly string[];
}

/** Rejects with a Failure when Kafka cannot be asked. */
export async function inspectKafka(client: KafkaClient, cluster: Cluster, project: Project): Promise<CheckedKafka> {
  const inspected = await inspectCluster(client, cluster);
  const [transactions, ledger, topics] = await Promise.all([
    checkTransactions(cluster, project),
    checkLedger(cluster, project, inspected),
    Promise.all(topicUses(project.jobs).map((use) => checkTopic(cluster, use, contextOf(project, inspected)))),
  ]);
  const problems = [...judgeCluster(project.kafka, inspected), ...transactions, ...ledger.problems];
  return { cluster: inspected, topics, ledger: ledger.topics, problems, toCreate: ledger.toCreate };
}

function contextOf({ kafka }: Project, { brokers }: InspectedCluster): TopicContext {
  return {
    brokers: brokers.length,
    grant: (operations, topic) => grantCommand(kafka, operations, `--topic ${topic}`),
  };
}

async function checkTopic(cluster: Cluster, use: TopicUse, context: TopicContext): Promise<CheckedTopic> {
  const jobs = [...use.publishers, ...use.ingesters];
  const checked = { name: use.topic, jobs: jobs.map(({ name }) => name) };
  const found = await describe(cluster, use.topic);
  if (!(found instanceof Failure)) return { ...checked, found, problems: judgeTopic(use, found, context) };
  const [job] = jobs;
  if (!job) throw found;
  const missing = found.code === UNKNOWN;
  const message = `${missing ? 'there is no' : 'the user may not see'} topic \`${use.topic}\`, which ${usersOf(use)} ${jobs.length === 1 ? 'uses' : 'use'}`;
  const hint = missing ? (found.hint ?? '') : context.grant([use.publishers[0] ? 'write' : 'read'], use.topic);
  return { ...checked, found: undefined, problems: [problemAt('error', job, message, hint)] };
}

const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
const DENIED = 'TOPIC_AUTHORIZATION_FAILED';

/** The topic, or why it is not there or not to be seen. Rejects when Kafka cannot be asked. */
async function describe(cluster: Cluster, name: string): Promise<TopicDescription | Failure> {
  try {
    return await describeTopic(cluster, name);
  } catch (error) {
    if (error instanceof Failure && (error.code === UNKNOWN || error.code === DENIED)) return error;
    throw error;
  }
}

const NOT_ALLOWED = 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED';

/** Two sorts of transactional ids are used: those of the ledger's shards, and those of `pgtally run`. */
async function checkTransactions(cluster: Cluster, { kafka, ledger, jobs }: Project): Promise<Problem[]> {
  const timeout = Math.max(...jobs.map((job) => streamTimeout(job.timeout)), streamTimeout(0));
  const shards = `${ledger.topic}.`;
  const runs = `${kafka.clientId}.run.`;
  const [ofShards, ofRuns] = await Promise.all(
    [shards, runs].map((prefix) => probeTransactions(cluster, `${prefix}check`, timeout)),
  );
  const problems = judgeTransactions(kafka, shards, '`pgtally start` uses', ofShards);
  // What is wrong with transactions as such has been said once.
  if (ofRuns && ofRuns.code === ofShards?.code && ofRuns.code !== NOT_ALLOWED) return problems;
  return [...problems, ...judgeTransactions(kafka, runs, '`pgtally run` uses', ofRuns)];
}

async function checkLedger(
  cluster: Cluster,
  project: Project,
  { operations }: InspectedCluster,
): Promise<{ topics: CheckedTopic[]; problems: Problem[]; toCreate: readonly string[] }> {
  const { kafka, ledger } = project;
  const names = Object.values(ledgerTopicNames(ledger.topic)) as string[];
  const grant = (needed: Parameters<typeof grantCommand>[1], name: string): string =>
    grantCommand(kafka, needed, `--topic ${name}`);
  const topics = await Promise.all(
    names.map(async (name): Promise<CheckedTopic> => {
      const found = await describe(cluster, name);
      const checked = { name, jobs: [] };
      const refuse = (what: string, hint: string): Problem => ({ severity: 'error', message: what, hint });
      if (found instanceof Failure) {
        const message = `the user may not see topic \`${name}\` of the ledger`;
        const problems = found.code === DENIED ? [refuse(message, grant(['read', 'write'], name))] : [];
        return { ...checked, found: undefined, problems };
      }
      const lacked = lackedOperations(found, ['read', 'write']);
      const message = `the user may not ${lacked.join(' and ')} topic \`${name}\` of the ledger`;
      return { ...checked, found, problems: lacked.length > 0 ? [refuse(message, grant(lacked, name))] : [] };
    }),
  );
  // One that may not be seen has been told, and nothing can be said of the others' form before it is.
  if (topics.some(({ found, problems }) => !found && problems.length > 0))
    return { topics, problems: [], toCreate: [] };
  const { missing, failures, warnings } = await inspectLedgerTopics(cluster, ledger);
  const problems: Problem[] = [
    ...failures.map(({ message, hint }): Problem => ({ severity: 'error', message, ...(hint ? { hint } : {}) })),
    ...warnings.map((advice): Problem => ({ severity: 'warning', ...advice })),
  ];
  if (missing.length > 0 && operations && !operations.includes('create')) {
    const resource = `--topic ${ledger.topic} --resource-pattern-type prefixed`;
    problems.push({
      severity: 'warning',
      message: `the user may not create topics on the cluster, and ${missing.map((name) => `\`${name}\``).join(', ')} of the ledger ${missing.length === 1 ? 'does' : 'do'} not exist`,
      hint: `unless it may create topics of these names, ${grantCommand(kafka, ['create'], resource)}`,
    });
  }
  return { topics, problems, toCreate: missing };
}
