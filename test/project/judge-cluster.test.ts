import { describe, expect, test } from 'vitest';
import { type InspectedBroker, type InspectedCluster, leastRelease } from '../../src/kafka/inspect-cluster.ts';
import type { ApiVersions } from '../../src/kafka/protocols.ts';
import { Failure } from '../../src/model/failure.ts';
import type { KafkaSettings } from '../../src/model/project.ts';
import { grantCommand, judgeCluster, judgeTransactions } from '../../src/project/judge-cluster.ts';

const settings: KafkaSettings = { brokers: ['k1:9092', 'k2:9092'], clientId: 'pgtally', compression: 'none' };

/** Kafka 2.0, as far as it matters here: key to latest version. */
const LATEST: Readonly<Record<number, number>> = { 0: 6, 1: 8, 3: 6, 10: 2, 22: 1, 24: 1, 26: 1 };
const versionsOf = (latest: Readonly<Record<number, number>>): ApiVersions =>
  Object.fromEntries(Object.entries(latest).map(([key, maxVersion]) => [key, { minVersion: 0, maxVersion }]));

function cluster(broker: Partial<InspectedBroker>, addresses: InspectedCluster['addresses'] = []): InspectedCluster {
  const known = { nodeId: 1, host: 'k1', port: 9092, rack: null, latency: 1, failure: undefined };
  const brokers = [{ ...known, versions: versionsOf(LATEST), ...broker }];
  return { clusterId: 'c', controller: 1, operations: undefined, brokers, addresses };
}

const messages = (inspected: InspectedCluster, some: Partial<KafkaSettings> = {}): string[] =>
  judgeCluster({ ...settings, ...some }, inspected).map(({ severity, message }) => `${severity}: ${message}`);

describe('a cluster', () => {
  test('of a release that knows all that is needed is right', () => {
    expect(messages(cluster({}))).toEqual([]);
  });

  test('that knows no transactions is an error', () => {
    const versions = versionsOf({ 0: 2, 1: 3, 3: 5, 10: 0 });
    expect(messages(cluster({ versions }))).toEqual([
      'error: broker 1 (k1:9092) does not know requests that pgtally needs: Produce, Fetch, FindCoordinator, InitProducerId, AddPartitionsToTxn, EndTxn',
    ]);
  });

  test('takes zstd from Produce version 7 on', () => {
    const zstd = { compression: 'zstd' } as const;
    expect(messages(cluster({}), zstd)).toEqual(['error: broker 1 (k1:9092) does not take zstd']);
    expect(messages(cluster({ versions: versionsOf({ ...LATEST, 0: 7 }) }), zstd)).toEqual([]);
  });

  test('that is two is an error with an address of each', () => {
    const at = (address: string, clusterId: string) => ({ address, clusterId, failure: undefined });
    expect(messages(cluster({}, [at('k1:9092', 'c'), at('k2:9092', 'c')]))).toEqual([]);
    expect(messages(cluster({}, [at('k1:9092', 'c'), at('k2:9092', 'd')]))).toEqual([
      'error: `kafka.brokers` names brokers of 2 clusters: k1:9092, k2:9092',
    ]);
  });
});

test('the release is the latest whose Fetch request a broker knows', () => {
  expect([5, 6, 8, 11, 14, 18, 19].map((version) => leastRelease(versionsOf({ 1: version })))).toEqual([
    undefined,
    '1.0',
    '2.0',
    '2.3',
    '3.1',
    '4.1',
    '4.1',
  ]);
});

describe('a transactional id that is refused', () => {
  test('is told with the command that grants it to the user of `kafka.sasl`', () => {
    const failure = new Failure('kafka: no', { kind: 'authentication', code: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' });
    const sasl = { mechanism: 'plain', username: 'tally', password: { value: 'x' } } as const;
    expect(judgeTransactions({ ...settings, sasl }, 'pgtally.ledger.', '`pgtally start` uses', failure)).toEqual([
      {
        severity: 'error',
        message: 'the user may not use transactional ids that begin with `pgtally.ledger.`, which `pgtally start` uses',
        hint: 'grant it: `kafka-acls --bootstrap-server k1:9092 --add --allow-principal User:tally --operation Write --operation Describe --transactional-id pgtally.ledger. --resource-pattern-type prefixed`',
      },
    ]);
  });
});

test('operations are spelled as the tools of Kafka spell them', () => {
  expect(grantCommand(settings, ['describe-configs', 'idempotent-write'], '--topic T')).toContain(
    'User:NAME --operation DescribeConfigs --operation IdempotentWrite --topic T',
  );
});
