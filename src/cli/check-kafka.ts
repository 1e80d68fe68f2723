// `pgtally check --kafka`: tables of brokers and topics, then what is wrong. What is asked is in inspect-kafka.ts; exit 1 when
// Kafka cannot be reached or something would fail runs.
import { formatProblems, problemToJson } from '../config/frame.ts';
import { createKafkaClient } from '../kafka/client.ts';
import { newCluster } from '../kafka/cluster.ts';
import { leastRelease } from '../kafka/inspect-cluster.ts';
import { Failure } from '../model/failure.ts';
import type { Project } from '../model/project.ts';
import { formatSize } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { replicationOf, settingOf } from '../project/topic-uses.ts';
import { type CheckedKafka, type CheckedTopic, inspectKafka } from '../publish/inspect-kafka.ts';
import { errorOf } from './check-servers-json.ts';
import type { CommandContext } from './context.ts';
import { EXIT_FAILED, EXIT_OK, reportError } from './failure.ts';
import { formatTable } from './table.ts';

/** Asks the cluster about everything the project needs of it. Resolves to the exit code. */
export async function checkKafka(
  context: CommandContext,
  project: Project,
  _jobs: readonly PreparedJob[],
): Promise<number> {
  const { output } = context;
  const client = createKafkaClient(project.kafka);
  const cluster = newCluster(client);
  try {
    const checked = await inspectKafka(client, cluster, project);
    const problems = [
      ...checked.problems,
      ...[...checked.topics, ...checked.ledger].flatMap((topic) => topic.problems),
    ];
    const failed = problems.some(({ severity }) => severity === 'error');
    if (output.json) for (const line of jsonLines(checked, failed)) await output.data(JSON.stringify(line));
    else {
      await output.data(brokerTable(checked));
      const topics = [...checked.topics, ...checked.ledger.filter(({ found }) => found)];
      if (topics.length > 0) await output.data(`\n${topicTable(topics)}`);
      if (problems.length > 0) output.complain(`\n${formatProblems(problems, { color: output.color })}\n`);
      output.note(summary(checked));
    }
    return failed ? EXIT_FAILED : EXIT_OK;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (output.json) await output.data(JSON.stringify({ kind: 'kafka', ok: false, error: errorOf(error) }));
    else reportError(error, output);
    return EXIT_FAILED;
  } finally {
    cluster.close();
    client.close();
  }
}

function brokerTable({ cluster }: CheckedKafka): string {
  return formatTable(
    ['BROKER', 'ADDRESS', 'KAFKA', 'LATENCY', 'FINDINGS'],
    cluster.brokers.map(({ nodeId, host, port, latency, versions, failure }) => [
      String(nodeId),
      `${host}:${port}`,
      releaseOf(versions) ?? '-',
      latency === undefined ? '-' : `${latency.toFixed(1)} ms`,
      failure ? failure.message.replace(/^kafka: /, '') : '',
    ]),
  );
}

function releaseOf(versions: Parameters<typeof leastRelease>[0]): string | undefined {
  const release = leastRelease(versions);
  return release === undefined ? undefined : `${release} or later`;
}

function topicTable(topics: readonly CheckedTopic[]): string {
  return formatTable(
    ['TOPIC', 'PARTITIONS', 'REPLICAS', 'MIN IN SYNC', 'MAX MESSAGE', 'CLEANUP', 'MAY', 'USED BY'],
    topics.map(({ name, jobs, found }) => {
      const users = jobs.length === 0 ? 'the ledger' : jobs.join(', ');
      if (!found) return [name, '-', '-', '-', '-', '-', '-', users];
      const size = settingOf(found, 'max.message.bytes');
      const allowed = found.operations?.filter((operation) => operation === 'read' || operation === 'write');
      return [
        name,
        String(found.partitions.length),
        String(replicationOf(found)),
        settingOf(found, 'min.insync.replicas') ?? '-',
        size === undefined ? '-' : formatSize(Number(size)),
        settingOf(found, 'cleanup.policy') ?? '-',
        allowed?.join(', ') || '-',
        users,
      ];
    }),
  );
}

function summary({ cluster, topics, toCreate }: CheckedKafka): string {
  const reached = cluster.brokers.filter(({ failure }) => !failure).length;
  const there = topics.filter(({ found }) => found).length;
  const parts = [
    `${reached} of ${cluster.brokers.length} ${cluster.brokers.length === 1 ? 'broker' : 'brokers'} reached`,
    `${there} of ${topics.length} ${topics.length === 1 ? 'topic' : 'topics'} there`,
    ...(toCreate.length > 0 ? [`\`pgtally start\` will create ${toCreate.join(', ')}`] : []),
  ];
  return parts.join('; ');
}

/** A line for the cluster with problems of no topic, one for each broker, one for each topic with its own. */
function jsonLines({ cluster, topics, ledger, problems, toCreate }: CheckedKafka, failed: boolean): object[] {
  return [
    {
      kind: 'kafka',
      ok: !failed,
      cluster: cluster.clusterId,
      to_create: toCreate,
      problems: problems.map(problemToJson),
    },
    ...cluster.brokers.map(({ nodeId, host, port, rack, latency, versions, failure }) => ({
      kind: 'broker',
      broker: nodeId,
      address: `${host}:${port}`,
      rack,
      ok: failure === undefined,
      release: leastRelease(versions) ?? null,
      latency_ms: latency === undefined ? null : Math.round(latency * 1000) / 1000,
      error: failure && errorOf(failure),
    })),
    ...[...topics, ...ledger].map(({ name, jobs, found, problems: own }) => ({
      kind: 'topic',
      topic: name,
      exists: found !== undefined,
      jobs,
      ledger: jobs.length === 0,
      ...(found && {
        partitions: found.partitions.length,
        replication: replicationOf(found),
        min_insync_replicas: numberOrNull(settingOf(found, 'min.insync.replicas')),
        max_message_bytes: numberOrNull(settingOf(found, 'max.message.bytes')),
        cleanup_policy: settingOf(found, 'cleanup.policy') ?? null,
        operations: found.operations ?? null,
      }),
      problems: own.map(problemToJson),
    })),
  ];
}

function numberOrNull(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}
