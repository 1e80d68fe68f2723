// `pgtally topics list | create | describe | delete`. No other command creates a topic.
import { createInterface } from 'node:readline/promises';
import { type Cluster, newCluster } from '../kafka/cluster.ts';
import { createTopic, deleteTopic, describeTopic, listTopics as list } from '../kafka/topics.ts';
import { Failure } from '../model/failure.ts';
import type { IngestJob, Project, TopicSettings } from '../model/project.ts';
import type { CommandContext } from './context.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, reportError, UsageError } from './failure.ts';
import { loadSettings, parseCount } from './open.ts';
import { formatTable } from './table.ts';
import { withKafka } from './with-kafka.ts';

type Options = Readonly<Record<string, unknown>>;

export async function listTopics(context: CommandContext): Promise<number> {
  const { output } = context;
  return withCluster(context, async (cluster) => {
    const topics = await list(cluster);
    if (output.json) for (const topic of topics) await output.data(JSON.stringify(topic));
    else if (topics.length === 0) output.note('no topics: `pgtally topics create` makes those that the jobs name');
    else {
      const rows = topics.map((topic) => [
        topic.name,
        String(topic.partitions),
        String(topic.replication),
        topic.leaderless.length > 0 ? `no leader: ${topic.leaderless.join(', ')}` : '',
      ]);
      await output.data(formatTable(['TOPIC', 'PARTITIONS', 'REPLICATION', ''], rows));
    }
    return EXIT_OK;
  });
}

export async function createTopics(context: CommandContext, [name]: string[], options: Options): Promise<number> {
  const { output } = context;
  const changes = topicOptions(options);
  return withCluster(context, async (cluster, project) => {
    const wanted = name === undefined ? topicsOfJobs(project) : [declared(project, name)];
    const existing = new Set((await list(cluster)).map((topic) => topic.name));
    let code: number = EXIT_OK;
    for (const topic of wanted) {
      if (name === undefined && existing.has(topic.name)) {
        output.note(`kept     ${topic.name} (it is there already)`);
        continue;
      }
      try {
        await createTopic(cluster, { ...topic, ...changes, config: { ...topic.config, ...changes.config } });
        output.note(`created  ${topic.name}`);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind !== 'topic') throw error;
        code = Math.max(code, reportError(error, output));
      }
    }
    return code;
  });
}

export async function describe(context: CommandContext, [name = '']: string[]): Promise<number> {
  const { output } = context;
  return withCluster(context, async (cluster) => {
    const topic = await describeTopic(cluster, name);
    if (output.json) {
      await output.data(JSON.stringify(topic));
      return EXIT_OK;
    }
    const rows = topic.partitions.map((one) => [
      String(one.partition),
      one.leader === undefined ? 'none' : String(one.leader),
      one.replicas.join(','),
      one.inSync.join(','),
    ]);
    await output.data(formatTable(['PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC'], rows));
    for (const [key, { value, own }] of Object.entries(topic.config ?? {})) {
      if (own || output.verbose) await output.data(`${key}=${value ?? ''}`);
    }
    return EXIT_OK;
  });
}

export async function remove(context: CommandContext, [name = '']: string[], options: Options): Promise<number> {
  const { io, output } = context;
  if (options.yes !== true) {
    if (io.stderr.isTTY !== true)
      throw new UsageError(`deleting \`${name}\` deletes its records too`, 'add --yes if that is meant');
    const question = createInterface({ input: io.stdin, output: io.stderr });
    const answer = await question.question(`Delete topic ${name} with everything in it? Type its name: `);
    question.close();
    if (answer.trim() !== name) {
      output.complain('not deleted');
      return EXIT_FAILED;
    }
  }
  return withCluster(context, async (cluster) => {
    await deleteTopic(cluster, name);
    output.note(`deleted  ${name}`);
    return EXIT_OK;
  });
}

async function withCluster(
  context: CommandContext,
  work: (cluster: Cluster, project: Project) => Promise<number>,
): Promise<number> {
  const project = loadSettings(context);
  if (!project) return EXIT_USAGE;
  return withKafka(project, async (client) => {
    const cluster = newCluster(client);
    return work(cluster, project).finally(() => cluster.close());
  });
}

/** Each topic once; where several jobs name it, the declaration that says most. One that is read has the partitions that are. */
function topicsOfJobs(project: Project): TopicSettings[] {
  const found = new Map<string, TopicSettings>();
  for (const job of project.jobs) {
    const topic = job.kind === 'publish' ? job.topic : topicThatIsRead(job);
    const before = found.get(topic.name);
    const partitions = Math.max(topic.partitions ?? 0, before?.partitions ?? 0);
    found.set(topic.name, {
      ...topic,
      ...before,
      ...(partitions > 0 ? { partitions } : {}),
      config: { ...topic.config, ...before?.config },
    });
  }
  return [...found.values()];
}

function topicThatIsRead({ topic, partitions = [] }: IngestJob): TopicSettings {
  const most = Math.max(-1, ...partitions);
  return { name: topic, ...(most < 0 ? {} : { partitions: most + 1 }), config: {} };
}

function declared(project: Project, name: string): TopicSettings {
  return topicsOfJobs(project).find((topic) => topic.name === name) ?? { name, config: {} };
}

function topicOptions(options: Options): Partial<TopicSettings> {
  const config: Record<string, string> = {};
  for (const setting of (options.set as readonly string[] | undefined) ?? []) {
    const at = setting.indexOf('=');
    if (at < 1) throw new UsageError(`--set: \`${setting}\` is not KEY=VALUE`, 'as in --set retention.ms=86400000');
    config[setting.slice(0, at)] = setting.slice(at + 1);
  }
  return {
    config,
    ...(options.partitions === undefined ? {} : { partitions: parseCount(options.partitions, '--partitions') }),
    ...(options.replication === undefined ? {} : { replication: parseCount(options.replication, '--replication') }),
  };
}
