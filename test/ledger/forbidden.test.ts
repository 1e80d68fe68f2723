// A topic that the user may not write to, on a broker with an authorizer: it must cost no other run anything.
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKafkaClient, type KafkaClient } from '../../src/kafka/client.ts';
import { newCluster } from '../../src/kafka/cluster.ts';
import { createTopic } from '../../src/kafka/topics.ts';
import { createLedger, type RunningLedger } from '../../src/ledger/ledger.ts';
import { ensureLedgerTopics } from '../../src/ledger/ledger-topics.ts';
import { type KafkaNode, startKafka } from '../stack/kafka-broker.ts';
import { testRecord, testRows, valuesOf } from './on-kafka.ts';

const SETTINGS = { topic: 'ledger', shards: 1 };
let broker: KafkaNode;
let client: KafkaClient;
let ledger: RunningLedger;
/** How often the shard was lost: what a run's failure would cost all others. */
let losses = 0;

beforeAll(async () => {
  broker = await startKafka({
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': true,
    },
  });
  client = createKafkaClient({ brokers: [broker.bootstrap], clientId: 'test', compression: 'none' });
  const cluster = newCluster(client);
  for (const name of ['good', 'forbidden', 'later']) await createTopic(cluster, { name, partitions: 1, config: {} });
  cluster.close();
  await forbid('forbidden');
  await ensureLedgerTopics(client, SETTINGS);
  ledger = createLedger({
    client,
    settings: SETTINGS,
    log: (_level, message) => void (message === 'lost a shard' && losses++),
  });
  await ledger.start();
  while (!ledger.owns('job', 's')) await new Promise((resolve) => setTimeout(resolve, 20));
});

afterAll(async () => {
  await ledger.stop();
  client.close();
  await broker.discard();
});

async function forbid(topic: string): Promise<void> {
  const admin = client.kafka.admin();
  await admin.connect();
  const acl = (operation: AclOperationTypes, permissionType: AclPermissionTypes) => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:ANONYMOUS',
    host: '*',
    operation,
    permissionType,
  });
  await admin.createAcls({
    acl: [acl(AclOperationTypes.ALL, AclPermissionTypes.ALLOW), acl(AclOperationTypes.WRITE, AclPermissionTypes.DENY)],
  });
  await admin.disconnect();
}

function commit(job: string, topic: string, slot: number) {
  const rows = testRows(topic, [`${job} ${slot}`]);
  return ledger.committer(job, 's').commit({ job, server: 's', rows, records: [testRecord(slot)] });
}

it('is refused before it reaches the producer that others share', async () => {
  losses = 0;
  for (let slot = 1; slot <= 5; slot++) {
    const [good, bad] = await Promise.all([commit('good', 'good', slot), commit('bad', 'forbidden', slot)]);
    expect(good.status).toBe('committed');
    expect(bad).toMatchObject({ status: 'refused', failure: { kind: 'topic', code: 'TOPIC_AUTHORIZATION_FAILED' } });
  }
  expect(await valuesOf('good', { bootstrap: broker.bootstrap })).toEqual(
    [1, 2, 3, 4, 5].map((slot) => `good ${slot}`),
  );
  expect(losses).toBe(0);
});

it('that is forbidden while it is in use costs the shard one taking, and from then on nothing', async () => {
  expect((await commit('later', 'later', 10)).status).toBe('committed');
  await forbid('later');
  losses = 0;
  for (let slot = 11; slot <= 15; slot++) {
    const [good, bad] = await Promise.all([commit('good', 'good', slot), commit('later', 'later', slot)]);
    expect(good.status).toBe('committed');
    expect(bad).toMatchObject({ status: 'refused', failure: { code: 'TOPIC_AUTHORIZATION_FAILED' } });
  }
  expect(losses).toBe(1);
  expect(await valuesOf('later', { bootstrap: broker.bootstrap })).toEqual(['later 10']);
});
