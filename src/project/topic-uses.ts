// Which topics the jobs name, and whether a topic as it is fits what they do with it. Judged from data alone; the topic is
// described by src/kafka, the ledger's own topics are judged in src/ledger.
import type { Operation } from '../kafka/metadata.ts';
import type { TopicDescription } from '../kafka/topics.ts';
import type { Problem } from '../model/problem.ts';
import type { IngestJob, Job, PublishJob } from '../model/project.ts';

export interface TopicUse {
  readonly topic: string;
  readonly publishers: readonly PublishJob[];
  readonly ingesters: readonly IngestJob[];
}

/** Each topic once, in the order in which the jobs name them. */
export function topicUses(jobs: readonly Job[]): TopicUse[] {
  const uses = new Map<string, { topic: string; publishers: PublishJob[]; ingesters: IngestJob[] }>();
  for (const job of jobs) {
    const topic = job.kind === 'publish' ? job.topic.name : job.topic;
    const use = uses.get(topic) ?? { topic, publishers: [], ingesters: [] };
    if (job.kind === 'publish') use.publishers.push(job);
    else use.ingesters.push(job);
    uses.set(topic, use);
  }
  return [...uses.values()];
}

/** `job `a``, `jobs `a`, `b``: those that use a topic. */
export function usersOf({ publishers, ingesters }: TopicUse): string {
  const names = [...publishers, ...ingesters].map(({ name }) => `\`${name}\``);
  return `${names.length === 1 ? 'job' : 'jobs'} ${names.join(', ')}`;
}

export interface TopicContext {
  /** How many brokers the cluster has. */
  readonly brokers: number;
  /** The command that grants operations on a topic. */
  readonly grant: (operations: readonly Operation[], topic: string) => string;
}

/** What is wrong with a topic that exists, each at a job it matters to. Errors are what fails runs. */
export function judgeTopic(use: TopicUse, found: TopicDescription, context: TopicContext): Problem[] {
  return [
    ...judgeRights(use, found, context),
    ...judgeReplicas(use, found, context),
    ...use.publishers.flatMap((job) => [...judgeKeys(job, found), ...judgeDeclaration(job, found)]),
    ...use.ingesters.flatMap((job) => judgePartitions(job, found)),
  ];
}

/** The operations that are needed and not allowed; none where the broker does not tell (before KIP-430). */
export function lackedOperations(found: TopicDescription, needed: readonly Operation[]): Operation[] {
  const { operations } = found;
  return operations ? needed.filter((operation) => !operations.includes(operation)) : [];
}

function judgeRights(use: TopicUse, found: TopicDescription, { grant }: TopicContext): Problem[] {
  const problems: Problem[] = [];
  const topic = `topic \`${use.topic}\``;
  const needed: Operation[] = [
    ...(use.publishers[0] ? ['write' as const] : []),
    ...(use.ingesters[0] ? ['read' as const] : []),
  ];
  for (const operation of lackedOperations(found, needed)) {
    const [job] = operation === 'write' ? use.publishers : use.ingesters;
    const message = `the user may not ${operation === 'write' ? 'write to' : 'read'} ${topic}`;
    problems.push(problemAt('error', job ?? firstJob(use), message, grant([operation], use.topic)));
  }
  if (found.config === undefined) {
    const message = `the settings of ${topic} cannot be seen: its cleanup.policy is not checked, and a max.message.bytes of 1 MiB is assumed`;
    problems.push(problemAt('warning', firstJob(use), message, grant(['describe-configs'], use.topic)));
  }
  return problems;
}

function judgeReplicas(use: TopicUse, found: TopicDescription, { brokers }: TopicContext): Problem[] {
  const problems: Problem[] = [];
  const add = (severity: Problem['severity'], message: string, hint: string): void => {
    problems.push(problemAt(severity, firstJob(use), message, hint));
  };
  const topic = `topic \`${use.topic}\``;
  const { partitions } = found;
  const replication = replicationOf(found);
  const least = Number(settingOf(found, 'min.insync.replicas') ?? 1);
  const leaderless = partitions.filter(({ leader }) => leader === undefined);
  const short = partitions.filter(({ leader, inSync }) => leader !== undefined && inSync.length < least);
  const behind = partitions.filter(({ replicas, inSync }) => inSync.length >= least && inSync.length < replicas.length);
  if (leaderless.length > 0) {
    const ids = [...new Set(leaderless.flatMap(({ replicas }) => replicas))].join(', ');
    add('error', `${numbersOf(leaderless)} of ${topic} has no leader`, `bring back the broker that holds it (${ids})`);
  }
  if (use.publishers.length > 0) {
    if (least > replication) {
      const message = `${topic} can never be written to: its min.insync.replicas is ${least}, but it has ${count(replication, 'replica')}`;
      add(
        'error',
        message,
        'lower min.insync.replicas with kafka-configs, or add replicas with kafka-reassign-partitions',
      );
    } else if (short.length > 0) {
      const message = `${numbersOf(short)} of ${topic} has fewer replicas in sync than its min.insync.replicas of ${least}`;
      add('error', message, 'bring back the brokers that hold it: until then nothing can be written to it');
    } else if (least === replication && replication > 1) {
      const message = `${topic} cannot be written to while one broker is away: its min.insync.replicas is ${least}, its replicas are ${replication}`;
      add('warning', message, `lower min.insync.replicas to ${replication - 1} with kafka-configs`);
    }
    if (replication < Math.min(3, brokers)) {
      const message = `${topic} has ${count(replication, 'replica')}, though there are ${brokers} brokers`;
      add('warning', message, 'records are lost with the brokers that hold them: three replicas survive two');
    }
  }
  if (behind.length > 0) {
    const message = `${numbersOf(behind)} of ${topic} has replicas that are not in sync`;
    add('warning', message, '`pgtally topics describe` shows which: is a broker down or slow?');
  }
  return problems;
}

/** A compacted topic takes no record without a key (broker error 87, INVALID_RECORD). */
function judgeKeys(job: PublishJob, found: TopicDescription): Problem[] {
  const policy = settingOf(found, 'cleanup.policy') ?? '';
  if (!policy.split(',').includes('compact')) return [];
  const compacted = `topic \`${found.name}\` is compacted (cleanup.policy=${policy})`;
  if (!job.key) {
    const message = `${compacted} and takes no record without a key, but job \`${job.name}\` has no \`key\``;
    return [problemAt('error', job, message, 'give the job a `key`, or publish to a topic with cleanup.policy=delete')];
  }
  if (job.nullKey === 'error') return [];
  const message = `${compacted} and takes no record without a key, but job \`${job.name}\` allows NULL keys`;
  return [problemAt('warning', job, message, 'leave `null_key` out: then a NULL key is told with its row')];
}

/** What a job declares holds when pgtally creates the topic, and is no more than a wish for one that is there. */
function judgeDeclaration(job: PublishJob, found: TopicDescription): Problem[] {
  const differences: string[] = [];
  const { partitions, replication, config } = job.topic;
  const differ = (what: string, is: unknown, declared: unknown): void => {
    differences.push(`${what} ${String(is)}, not ${String(declared)}`);
  };
  if (partitions !== undefined && partitions !== found.partitions.length) {
    differ('partitions', found.partitions.length, partitions);
  }
  const actual = replicationOf(found);
  if (replication !== undefined && replication !== actual) differ('replication', actual, replication);
  for (const [name, declared] of Object.entries(config)) {
    const is = settingOf(found, name);
    if (found.config && is !== declared) differ(name, is ?? 'unset', declared);
  }
  if (differences.length === 0) return [];
  const message = `topic \`${found.name}\` is not as job \`${job.name}\` declares it: ${differences.join('; ')}`;
  return [
    problemAt('warning', job, message, 'a declaration is used when pgtally creates the topic: change it, or the topic'),
  ];
}

function judgePartitions(job: IngestJob, found: TopicDescription): Problem[] {
  const missing = (job.partitions ?? []).filter((partition) => partition >= found.partitions.length);
  if (missing.length === 0) return [];
  const message = `topic \`${found.name}\` has no partition ${missing.join(', ')}, which job \`${job.name}\` reads`;
  const last = found.partitions.length - 1;
  return [problemAt('error', job, message, last === 0 ? 'its only partition is 0' : `its partitions are 0 to ${last}`)];
}

/** Replicas of a partition; the fewest, where they differ. */
export function replicationOf({ partitions }: TopicDescription): number {
  return Math.min(...partitions.map(({ replicas }) => replicas.length));
}

/** A setting as it is in effect. */
export function settingOf({ config }: TopicDescription, name: string): string | undefined {
  return config?.[name]?.value ?? undefined;
}

function firstJob({ publishers, ingesters }: TopicUse): Job {
  const [job] = [...publishers, ...ingesters];
  if (!job) throw new Error('a use of a topic has no job');
  return job;
}

/** `partition 3`, `partitions 3, 5` with the verb that follows in mind: the message is about each of them. */
function numbersOf(partitions: readonly { readonly partition: number }[]): string {
  const numbers = partitions.map(({ partition }) => partition).join(', ');
  return partitions.length === 1 ? `partition ${numbers}` : `each of partitions ${numbers}`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** A problem at the place where a job is declared. */
export function problemAt(severity: Problem['severity'], { declared }: Job, message: string, hint: string): Problem {
  return { severity, message, hint, file: declared.file, span: declared.span };
}
