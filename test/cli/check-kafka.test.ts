import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKafkaClient } from '../../src/kafka/client.ts';
import { ensureLedgerTopics } from '../../src/ledger/ledger-topics.ts';
import { freshTopic, kafkaBootstrap } from '../stack/for-tests.ts';
import { type KafkaNode, startKafka } from '../stack/kafka-broker.ts';
import { freePorts } from '../stack/ports.ts';
import { jsonLines, type TestProject, testProject } from './project.ts';

let names = 0;
const unique = (name: string): string => `${name}-${Math.random().toString(36).slice(2)}-${++names}`;

interface Setting {
  /** Of `kafka` in pgtally.yaml. */
  readonly kafka?: string;
  readonly ledger?: string;
}

/** A project with one server and a ledger's name of its own. */
async function projectOn(jobs: Readonly<Record<string, string>>, setting: Setting = {}): Promise<TestProject> {
  const kafka = setting.kafka ?? `brokers: ["${await kafkaBootstrap()}"]`;
  const project = await testProject({ servers: 0, jobs });
  project.write(
    'pgtally.yaml',
    `kafka: {${kafka}}\nledger: {topic: ${setting.ledger ?? unique('ledger')}, shards: 2}\n` +
      `servers: [{name: s, url: "${project.database.url()}"}]\n`,
  );
  return project;
}

const publish = (topic: string, more = ''): string => `query: select 1 as a\ntopic: ${topic}\n${more}`;

describe('check --kafka', () => {
  test('shows brokers and topics, and says which topics are missing or take no keyless rows', async () => {
    const fine = await freshTopic({ partitions: 3, config: { 'max.message.bytes': '2097152' } });
    const compacted = await freshTopic({ config: { 'cleanup.policy': 'compact' } });
    const missing = unique('missing');
    const ledger = unique('ledger');
    const jobs = {
      'fine.yaml': publish(fine),
      'keyed.yaml': publish(compacted, 'key: a\n'),
      'keyless.yaml': publish(compacted),
      'missing.yaml': publish(missing),
    };
    const project = await projectOn(jobs, { ledger });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(1);
    const [brokers = '', topics = ''] = result.stdout.split('\n\n');
    expect(brokers).toMatch(/^BROKER +ADDRESS +KAFKA +LATENCY +FINDINGS\n\d+ +\S+:\d+ +\d\.\d or later +\d+\.\d ms$/);
    expect(topics.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['TOPIC', 'PARTITIONS', 'REPLICAS', 'MIN IN SYNC', 'MAX MESSAGE', 'CLEANUP', 'MAY', 'USED BY'],
      [fine, '3', '1', '1', '2 MiB', 'delete', 'read, write', 'fine'],
      [compacted, '1', '1', '1', '1 MiB', 'compact', 'read, write', 'keyed, keyless'],
      [missing, '-', '-', '-', '-', '-', '-', 'missing'],
      [''],
    ]);
    expect(result.stderr).toContain(`
jobs/keyless.yaml:1:1: error: topic \`${compacted}\` is compacted (cleanup.policy=compact) and takes no record without a key, but job \`keyless\` has no \`key\`
  query: select 1 as a
  ^^^^^
hint: give the job a \`key\`, or publish to a topic with cleanup.policy=delete

jobs/missing.yaml:1:1: error: there is no topic \`${missing}\`, which job \`missing\` uses
  query: select 1 as a
  ^^^^^
hint: create it: \`pgtally topics create ${missing}\`

2 errors

1 of 1 broker reached; 2 of 3 topics there; \`pgtally start\` will create ${ledger}, ${ledger}.history, ${ledger}.replicas
`);
  });

  test('says nothing and exits 0 where all is as it should be', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const declared = `{name: ${topic}, partitions: 2, replication: 1, config: {cleanup.policy: delete}}`;
    const project = await projectOn({ 'fine.yaml': publish(declared) });
    const result = await project.pgtally('check', '--kafka');
    expect(result.stderr).not.toMatch(/error:|warning:/);
    expect(result.code).toBe(0);
  });

  test('a topic that is not as its job declares it is a warning', async () => {
    const topic = await freshTopic({ partitions: 2, config: { 'retention.ms': '1000000' } });
    const declared = `{name: ${topic}, partitions: 6, replication: 3, config: {retention.ms: 2000000}}`;
    const project = await projectOn({ 'other.yaml': publish(declared) });
    const result = await project.pgtally('check', '--kafka');
    expect(result.stderr).toContain(
      `warning: topic \`${topic}\` is not as job \`other\` declares it: partitions 2, not 6; replication 1, not 3; retention.ms 1000000, not 2000000\n`,
    );
    expect(result.code).toBe(0);
  });

  test('a topic that wants more replicas in sync than it has can never be written to', async () => {
    const topic = await freshTopic({ config: { 'min.insync.replicas': '2' } });
    const project = await projectOn({ 'stuck.yaml': publish(topic) });
    const result = await project.pgtally('check', '--kafka');
    expect(result.stderr).toContain(
      `error: topic \`${topic}\` can never be written to: its min.insync.replicas is 2, but it has 1 replica\n`,
    );
    expect(result.code).toBe(1);
  });

  test('an ingest job that names a partition beyond the last is an error', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const project = await projectOn({
      'feed.yaml': `schedule: "@hourly"\ningest: {topic: ${topic}, partitions: [0, 5], into: t, columns: {a: value}}\n`,
    });
    const result = await project.pgtally('check', '--kafka');
    expect(result.stderr).toContain(`error: topic \`${topic}\` has no partition 5, which job \`feed\` reads`);
    expect(result.stderr).toContain('hint: its partitions are 0 to 1\n');
    expect(result.code).toBe(1);
  });

  test('--json is a line for the cluster, each broker and each topic', async () => {
    const topic = await freshTopic({ partitions: 3 });
    const ledger = unique('ledger');
    const missing = unique('missing');
    const project = await projectOn({ 'fine.yaml': publish(topic), 'gone.yaml': publish(missing) }, { ledger });
    const result = await project.pgtally('check', '--kafka', '--json', '-q');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(jsonLines(result.stdout)).toEqual([
      {
        kind: 'kafka',
        ok: false,
        cluster: expect.any(String),
        to_create: [ledger, `${ledger}.history`, `${ledger}.replicas`],
        problems: [],
      },
      {
        kind: 'broker',
        broker: expect.any(Number),
        address: expect.stringMatching(/:\d+$/),
        rack: null,
        ok: true,
        release: expect.any(String),
        latency_ms: expect.any(Number),
      },
      {
        kind: 'topic',
        topic,
        exists: true,
        jobs: ['fine'],
        ledger: false,
        partitions: 3,
        replication: 1,
        min_insync_replicas: 1,
        max_message_bytes: 1_048_588,
        cleanup_policy: 'delete',
        operations: expect.arrayContaining(['read', 'write', 'describe']),
        problems: [],
      },
      {
        kind: 'topic',
        topic: missing,
        exists: false,
        jobs: ['gone'],
        ledger: false,
        problems: [
          {
            file: 'jobs/gone.yaml',
            line: 1,
            column: 1,
            severity: 'error',
            message: `there is no topic \`${missing}\`, which job \`gone\` uses`,
            hint: `create it: \`pgtally topics create ${missing}\``,
          },
        ],
      },
      ...['', '.history', '.replicas'].map((end) => ({
        kind: 'topic',
        topic: ledger + end,
        exists: false,
        jobs: [],
        ledger: true,
        problems: [],
      })),
    ]);
  });
});

describe('the ledger in check --kafka', () => {
  test('as pgtally made it is warned about only for its single copy', async () => {
    const ledger = unique('ledger');
    const client = createKafkaClient({
      brokers: (await kafkaBootstrap()).split(','),
      clientId: 'test',
      compression: 'none',
    });
    await ensureLedgerTopics(client, { topic: ledger, shards: 2 });
    client.close();
    const project = await projectOn({}, { ledger });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(0);
    expect(result.stderr).toContain(`warning: topic \`${ledger}\` has one copy of its records\n`);
    expect(result.stderr).not.toContain('will create');
    expect(result.stdout).toMatch(new RegExp(`${ledger} +2 +1 .* the ledger\n`));
  });

  test('that would forget, or has other shards, is an error', async () => {
    const ledger = await freshTopic({ partitions: 3, config: { 'cleanup.policy': 'delete' } });
    const project = await projectOn({}, { ledger });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(
      `error: topic \`${ledger}\` has cleanup.policy \`delete\`: the ledger would forget`,
    );
    expect(result.stderr).toContain(`error: topic \`${ledger}\` has 3 partitions, but \`ledger.shards\` is 2`);
  });
});

describe('a Kafka that cannot be reached', () => {
  test('is exit 1 with its address and what to do', async () => {
    const [closed] = await freePorts(1);
    const project = await projectOn({}, { kafka: `brokers: ["127.0.0.1:${closed}"]` });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(1);
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain(
      `error: kafka: connection refused by 127.0.0.1:${closed}\nhint: check that Kafka runs and that \`kafka.brokers\` in pgtally.yaml names its address and port\n`,
    );
    const lines = jsonLines((await project.pgtally('check', '--kafka', '--json')).stdout);
    expect(lines.at(-1)).toMatchObject({ kind: 'kafka', ok: false, error: { kind: 'kafka', code: 'ECONNREFUSED' } });
  });

  test('by one of its addresses only is a warning that names it', async () => {
    const [closed] = await freePorts(1);
    const project = await projectOn({}, { kafka: `brokers: ["127.0.0.1:${closed}", "${await kafkaBootstrap()}"]` });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(0);
    expect(result.stderr).toContain(
      `warning: 127.0.0.1:${closed} in \`kafka.brokers\` does not answer: connection refused by 127.0.0.1:${closed}\n`,
    );
  });

  test('by the address it gives out is an error about that', async () => {
    const [closed] = await freePorts(1);
    const broker = await startKafka({ listeners: { PLAINTEXT: { advertised: `127.0.0.1:${closed}` } } });
    try {
      const project = await projectOn({}, { kafka: `brokers: ["${broker.bootstrap}"]` });
      const result = await project.pgtally('check', '--kafka');
      expect(result.code).toBe(1);
      expect(result.stderr).toContain(
        `error: broker 1 (127.0.0.1:${closed}): connection refused by 127.0.0.1:${closed}\nhint: the cluster says it is there, but it cannot be reached from here by that address: check its advertised.listeners`,
      );
      expect(result.stdout).toMatch(new RegExp(`^1 +127.0.0.1:${closed} +- +- +connection refused`, 'm'));
    } finally {
      await broker.discard();
    }
  });
});

test('a cluster too small for its transaction log is told before the first run', async () => {
  const broker = await startKafka({ properties: { 'transaction.state.log.replication.factor': 3 } });
  try {
    const project = await projectOn({}, { kafka: `brokers: ["${broker.bootstrap}"]` });
    const result = await project.pgtally('check', '--kafka');
    expect(result.code).toBe(1);
    expect(result.stderr.match(/error: transactions do not work: no broker coordinates/g)).toHaveLength(1);
    expect(result.stderr).toContain('transaction.state.log.replication.factor');
  } finally {
    await broker.discard();
  }
}, 60_000);

describe('what the user may do', () => {
  const CANARY = 'canary-check-kafka';
  let broker: KafkaNode;
  let topic: string;

  beforeAll(async () => {
    const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule';
    const users = ['none', 'sees', 'works'].map((name) => `user_${name}="${CANARY}"`).join(' ');
    broker = await startKafka({
      listeners: { PLAINTEXT: {}, LOGIN: { protocol: 'SASL_PLAINTEXT' } },
      properties: {
        'listener.name.login.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.login.plain.sasl.jaas.config': `${jaas} required ${users};`,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'transaction.max.timeout.ms': 60_000,
      },
    });
    topic = 'ROWS';
    const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true });
    const allow = (
      user: string,
      operation: AclOperationTypes,
      resourceType: AclResourceTypes,
      resourceName: string,
    ) => ({
      resourceType,
      resourceName,
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: `User:${user}`,
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    });
    const { DESCRIBE, WRITE, READ, CREATE, DESCRIBE_CONFIGS } = AclOperationTypes;
    const { TOPIC, TRANSACTIONAL_ID } = AclResourceTypes;
    await admin.createAcls({
      acl: [
        allow('sees', DESCRIBE, TOPIC, topic),
        allow('sees', DESCRIBE, TOPIC, 'pgtally.ledger'),
        allow('works', WRITE, TOPIC, topic),
        allow('works', DESCRIBE_CONFIGS, TOPIC, topic),
        ...[WRITE, READ, CREATE, DESCRIBE_CONFIGS].map((operation) =>
          allow('works', operation, TOPIC, 'pgtally.ledger'),
        ),
        allow('works', WRITE, TRANSACTIONAL_ID, 'pgtally.'),
        allow('works', DESCRIBE, TRANSACTIONAL_ID, 'pgtally.'),
      ],
    });
    await admin.disconnect();
  });
  afterAll(() => broker.discard());

  const checkAs = async (user: string, more = '', password = CANARY) => {
    const kafka = `brokers: ["${broker.listeners.LOGIN}"], sasl: {mechanism: plain, username: ${user}, password: ${password}}`;
    const project = await projectOn({ 'rows.yaml': publish(topic, more) }, { kafka, ledger: 'pgtally.ledger' });
    const result = await project.pgtally('check', '--kafka');
    expect(result.stdout + result.stderr).not.toContain(password);
    return { ...result, project };
  };

  test('nothing: each right that is lacking is told with the command that grants it', async () => {
    const { code, stderr } = await checkAs('none');
    expect(code).toBe(1);
    const acl = `kafka-acls --bootstrap-server ${broker.listeners.LOGIN} --add --allow-principal User:none`;
    expect(stderr).toContain(`error: the user may not see topic \`${topic}\`, which job \`rows\` uses`);
    expect(stderr).toContain(`hint: grant it: \`${acl} --operation Write --topic ${topic}\``);
    expect(stderr).toContain('error: the user may not see topic `pgtally.ledger` of the ledger');
    expect(stderr).toContain(
      'error: the user may not use transactional ids that begin with `pgtally.ledger.`, which `pgtally start` uses',
    );
    expect(stderr).toContain(
      `${acl} --operation Write --operation Describe --transactional-id pgtally.run. --resource-pattern-type prefixed\``,
    );
  });

  test('to see a topic only: it may not write, and its settings are unknown', async () => {
    const { code, stderr, stdout } = await checkAs('sees');
    expect(code).toBe(1);
    expect(stderr).toContain(`error: the user may not write to topic \`${topic}\``);
    expect(stderr).toContain(`warning: the settings of topic \`${topic}\` cannot be seen`);
    expect(stderr).toContain('warning: the user may not create topics on the cluster, and `pgtally.ledger`');
    expect(stdout).toMatch(new RegExp(`^${topic} +1 +1 +- +- +- +- +rows$`, 'm'));
  });

  test('what it needs: nothing is wrong, and a run publishes', async () => {
    const { code, stderr, project } = await checkAs('works');
    expect(stderr).not.toContain('error:');
    expect(code).toBe(0);
    expect(await project.pgtally('run', 'rows')).toMatchObject({ code: 0, stderr: '' });
  });

  test('no transaction as long as a job may take: the timeouts do not fit', async () => {
    const { code, stderr } = await checkAs('works', 'timeout: 5m\n');
    expect(code).toBe(1);
    expect(stderr).toContain("error: the transaction timeout is above the broker's transaction.max.timeout.ms");
    expect(stderr).toContain("hint: lower the job's `timeout` or raise that setting");
  });

  test('with a wrong password: exit 1, and the password is not shown', async () => {
    const { code, stderr } = await checkAs('works', '', 'wrong-canary');
    expect(code).toBe(1);
    expect(stderr).toContain('error: kafka: user name or password refused');
  });
});
