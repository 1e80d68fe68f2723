import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClient, KafkaLogEntry } from '../../../src/kafka/client.ts';
import { createKafkaClient } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import { createTopicShapes } from '../../../src/kafka/topic-shapes.ts';
import { createTopic, deleteTopic, describeCluster, describeTopic, listTopics } from '../../../src/kafka/topics.ts';
import { Failure } from '../../../src/model/failure.ts';
import type { KafkaSettings } from '../../../src/model/project.ts';
import { type SecuredBroker, startSecuredBroker } from './secured-broker.ts';
import { readAll, values } from './support.ts';

/** Searched for in every message, hint, cause and log line. */
const CANARY = 'canary-Kafka-7f3a';
const WRONG = 'canary-wrong-91bd';

let broker: SecuredBroker;
let tls: NonNullable<KafkaSettings['tls']>;
const logged: KafkaLogEntry[] = [];
beforeAll(async () => {
  broker = await startSecuredBroker(CANARY);
  tls = { ca: broker.authority.pair.cert };
});
afterAll(() => broker.node.discard());

type Sasl = NonNullable<KafkaSettings['sasl']>;
const sasl = (mechanism: Sasl['mechanism'], password = CANARY, username = 'admin'): Sasl => ({
  mechanism,
  username,
  password: { value: password },
});

function clientOf(address: string, some: Partial<KafkaSettings>): KafkaClient {
  const settings: KafkaSettings = { brokers: [address], clientId: 'test', compression: 'none', ...some };
  return createKafkaClient(settings, { onLog: (entry) => void logged.push(entry) });
}

/** What our own connections say, and what kafkajs's say: the same. Neither holds the password, nor does kafkajs's log. */
async function failureOf(address: string, some: Partial<KafkaSettings>): Promise<Failure> {
  const client = clientOf(address, some);
  const cluster = newCluster(client);
  const ours = await describeCluster(cluster).then(
    () => 'connected',
    (error: unknown) => error,
  );
  const producer = client.kafka.producer({ retry: { retries: 0 } });
  // Connecting alone asks a broker nothing that needs a user.
  const used = producer.connect().then(() => producer.send({ topic: 'any', messages: [] }));
  const theirs = await used.then(
    () => 'connected',
    (error: unknown) => client.failure(error, ''),
  );
  await producer.disconnect();
  cluster.close();
  client.close();
  if (!(ours instanceof Failure)) throw new Error(`expected a Failure, got ${inspect(ours)}`);
  expect(theirs).toMatchObject({ message: ours.message, kind: ours.kind, hint: ours.hint });
  const everything = inspect([ours, theirs, logged], { depth: 20 });
  expect(everything).not.toContain(CANARY);
  expect(everything).not.toContain(WRONG);
  return ours;
}

async function works(address: string, some: Partial<KafkaSettings>): Promise<void> {
  const client = clientOf(address, some);
  const cluster = newCluster(client);
  const name = `t-${Math.random().toString(36).slice(2)}`;
  await createTopic(cluster, { name, partitions: 1, config: {} });
  const producer = client.kafka.producer({ retry: { retries: 0 } });
  await producer.connect();
  await producer.send({ topic: name, messages: [{ value: 'v' }] });
  await producer.disconnect();
  expect(values(await readAll(client, name))).toEqual(['v']);
  cluster.close();
  client.close();
}

describe('a listener with TLS and SASL', () => {
  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('is spoken to by %s', async (mechanism) => {
    await works(broker.at('SECURE'), { tls, sasl: sasl(mechanism) });
  });

  it('is reached by a name as well as by an address', async () => {
    await works(broker.at('SECURE').replace('127.0.0.1', 'localhost'), { tls, sasl: sasl('plain') });
  });

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('refuses a wrong password by %s', async (mechanism) => {
    const failure = await failureOf(broker.at('SECURE'), { tls, sasl: sasl(mechanism, WRONG) });
    expect(failure).toMatchObject({
      kind: 'authentication',
      retryable: false,
      message: `kafka: user name or password refused by ${broker.at('SECURE')}`,
      hint: 'check `kafka.sasl` in pgtally.yaml',
    });
  });

  it('refuses an unknown user', async () => {
    const failure = await failureOf(broker.at('SECURE'), { tls, sasl: sasl('scram-sha-512', CANARY, 'nobody') });
    expect(failure).toMatchObject({ kind: 'authentication' });
  });

  it('closes on a client without a user, with a hint', async () => {
    const failure = await failureOf(broker.at('SECURE'), { tls });
    expect(failure).toMatchObject({ kind: 'kafka', retryable: true });
    expect(failure.hint).toContain('`kafka.sasl`');
  });

  it('is not understood without TLS, with a hint', async () => {
    const failure = await failureOf(broker.at('SECURE'), { sasl: sasl('plain') });
    expect(failure.hint).toContain('`kafka.tls`');
  });
});

describe('a password file', () => {
  const settings = (file: string): Partial<KafkaSettings> => ({
    tls,
    sasl: { mechanism: 'scram-sha-256', username: 'admin', password: { file } },
  });

  it('is read at each connection, so that a new password needs no restart', async () => {
    const file = join(broker.folder, 'password');
    writeFileSync(file, `${WRONG}\n`);
    const client = clientOf(broker.at('SECURE'), settings(file));
    const cluster = newCluster(client);
    await expect(describeCluster(cluster)).rejects.toMatchObject({ kind: 'authentication' });
    writeFileSync(file, `${CANARY}\n`);
    expect((await describeCluster(cluster)).brokers).toHaveLength(1);
    cluster.close();
    client.close();
  });

  it('that cannot be read is named', async () => {
    const file = join(broker.folder, 'no-such-file');
    const failure = await failureOf(broker.at('SECURE'), settings(file));
    expect(failure).toMatchObject({
      kind: 'authentication',
      message: `kafka: cannot read the password file ${file}: no such file`,
    });
  });
});

describe('certificates', () => {
  it('by an authority that is not given are refused', async () => {
    const address = broker.at('SECURE');
    const message = `kafka: the certificate of ${address} is signed by an unknown authority`;
    const stranger = await failureOf(address, { tls: { ca: broker.stranger.pair.cert }, sasl: sasl('plain') });
    expect(stranger).toMatchObject({ kind: 'tls', retryable: false, message });
    expect(stranger.hint).toContain('`kafka.tls.ca`');
    expect(await failureOf(address, { tls: {}, sasl: sasl('plain') })).toMatchObject({ kind: 'tls', message });
  });

  it('for another name are refused, unless that name is configured', async () => {
    const address = broker.at('OTHER');
    const failure = await failureOf(address, { tls });
    expect(failure).toMatchObject({ kind: 'tls', code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(failure.message).toMatch(
      new RegExp(`^kafka: the certificate of ${address} is for another name \\(.*127\\.0\\.0\\.1`),
    );
    expect(failure.hint).toContain('`kafka.tls.server_name`');
    expect(await failureOf(address, { tls: { ...tls, serverName: 'kafka.elsewhere' } })).toMatchObject({ kind: 'tls' });
    const client = clientOf(address, { tls: { ...tls, serverName: 'kafka.example' } });
    const cluster = newCluster(client);
    expect((await describeCluster(cluster)).brokers).toHaveLength(1);
    cluster.close();
    client.close();
  });

  it('that have expired are refused', async () => {
    expect(await failureOf(broker.at('EXPIRED'), { tls })).toMatchObject({
      kind: 'tls',
      message: `kafka: the certificate of ${broker.at('EXPIRED')} has expired`,
      hint: 'renew it on the broker',
    });
  });

  it('of clients are sent, and asked for when they are missing or of another authority', async () => {
    const { clientPair, stranger } = broker;
    await works(broker.at('MUTUAL'), { tls: { ...tls, ...clientPair } });
    const unknown = stranger.sign('unknown', { commonName: 'client' });
    for (const pair of [{}, unknown]) {
      const failure = await failureOf(broker.at('MUTUAL'), { tls: { ...tls, ...pair } });
      expect(failure.kind).toBe('tls');
      expect(failure.hint).toContain('`kafka.tls.cert`');
    }
  });

  it('are read at each connection', async () => {
    const ca = join(broker.folder, 'changing.crt');
    const { cert: right } = broker.authority.pair;
    const { readFileSync } = await import('node:fs');
    writeFileSync(ca, readFileSync(broker.stranger.pair.cert));
    const client = clientOf(broker.at('SECURE'), { tls: { ca }, sasl: sasl('plain') });
    const cluster = newCluster(client);
    await expect(describeCluster(cluster)).rejects.toMatchObject({ kind: 'tls' });
    writeFileSync(ca, readFileSync(right));
    expect((await describeCluster(cluster)).brokers).toHaveLength(1);
    cluster.close();
    client.close();
  });

  it('whose file cannot be read, or holds none, are named', async () => {
    const missing = join(broker.folder, 'missing.crt');
    expect(await failureOf(broker.at('SECURE'), { tls: { ca: missing }, sasl: sasl('plain') })).toMatchObject({
      kind: 'tls',
      message: `kafka: cannot read the TLS file \`ca\` ${missing}: no such file`,
    });
    const key = join(broker.folder, 'no.key');
    writeFileSync(key, 'not a key');
    const failure = await failureOf(broker.at('MUTUAL'), { tls: { ...tls, cert: broker.clientPair.cert, key } });
    expect(failure).toMatchObject({ kind: 'tls', message: expect.stringContaining('is not in PEM form') });
  });
});

describe('the wrong port', () => {
  it('is told when TLS is spoken to a listener without it', async () => {
    const failure = await failureOf(broker.at('PLAINTEXT'), { tls });
    expect(failure.hint).toContain('`kafka.tls`');
  });
});

describe('a user without rights', () => {
  it('is told which right is missing, and no topic is touched', async () => {
    const admin = clientOf(broker.at('OPEN'), { sasl: sasl('plain') });
    const adminCluster = newCluster(admin);
    await createTopic(adminCluster, { name: 'forbidden', partitions: 1, config: {} });
    const client = clientOf(broker.at('OPEN'), { sasl: sasl('scram-sha-256', CANARY, 'guest') });
    const cluster = newCluster(client);
    const shapes = createTopicShapes(client);
    const denied = { kind: 'topic', code: 'TOPIC_AUTHORIZATION_FAILED', retryable: false };
    await expect(readAll(client, 'forbidden')).rejects.toMatchObject(denied);
    await expect(shapes.shapeOf('forbidden')).rejects.toMatchObject(denied);
    await expect(describeTopic(cluster, 'forbidden')).rejects.toMatchObject(denied);
    await expect(deleteTopic(cluster, 'forbidden')).rejects.toMatchObject({
      ...denied,
      hint: expect.stringContaining('Delete'),
    });
    await expect(createTopic(cluster, { name: 'mine', partitions: 1, config: {} })).rejects.toMatchObject({
      message: 'kafka: the user may not create topic `mine`',
      hint: expect.stringContaining('Create'),
    });
    expect(await listTopics(cluster)).toEqual([]);
    expect((await describeCluster(cluster)).operations).toEqual([]);
    expect((await listTopics(adminCluster)).map(({ name }) => name)).toContain('forbidden');
    shapes.close();
    for (const open of [cluster, adminCluster, client, admin]) open.close();
  });
});
