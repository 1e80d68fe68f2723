// A cluster looked at from here: which of the configured addresses and of the brokers behind them answer, and what they speak.
// Nothing is judged here. Topics are topics.ts's.
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import { type Cluster, newCluster } from './cluster.ts';
import { type BrokerAddress, metadataRequest, type Operation } from './metadata.ts';
import type { ApiVersions } from './protocols.ts';

export interface InspectedBroker extends BrokerAddress {
  /** A round trip on an open connection; undefined when it could not be reached. */
  readonly latency: Milliseconds | undefined;
  /** What it speaks, by api key. */
  readonly versions: ApiVersions;
  readonly failure: Failure | undefined;
}

/** One of the addresses under `kafka.brokers`. */
export interface InspectedAddress {
  readonly address: string;
  /** Of the cluster it belongs to. */
  readonly clusterId: string | undefined;
  readonly failure: Failure | undefined;
}

export interface InspectedCluster {
  readonly clusterId: string | null;
  readonly controller: number;
  /** Those the cluster knows to be alive, by id. */
  readonly brokers: readonly InspectedBroker[];
  readonly addresses: readonly InspectedAddress[];
  /** What the user may do on the cluster (KIP-430); undefined from brokers before Kafka 2.3. */
  readonly operations: readonly Operation[] | undefined;
}

/** Rejects with a Failure when no broker answers at all. */
export async function inspectCluster(client: KafkaClient, cluster: Cluster): Promise<InspectedCluster> {
  const { clusterId, controller, brokers, operations } = await cluster.metadata([]);
  const [inspected, addresses] = await Promise.all([
    Promise.all(brokers.map((broker) => inspectBroker(cluster, broker))),
    Promise.all(client.brokers.map((address) => inspectAddress(client, address))),
  ]);
  return { clusterId, controller, operations, addresses, brokers: inspected.sort((a, b) => a.nodeId - b.nodeId) };
}

async function inspectBroker(cluster: Cluster, broker: BrokerAddress): Promise<InspectedBroker> {
  let spoken: ApiVersions = {};
  const ask = () =>
    cluster.request(broker.nodeId, (versions) => {
      spoken = versions;
      return metadataRequest([])(versions);
    });
  try {
    // The first request makes the connection.
    await ask();
    const started = performance.now();
    await ask();
    return { ...broker, latency: performance.now() - started, versions: spoken, failure: undefined };
  } catch (error) {
    return { ...broker, latency: undefined, versions: {}, failure: asFailure(error) };
  }
}

async function inspectAddress(client: KafkaClient, address: string): Promise<InspectedAddress> {
  const cluster = newCluster({ ...client, brokers: [address] });
  try {
    const { clusterId } = await cluster.metadata([]);
    return { address, clusterId: clusterId ?? undefined, failure: undefined };
  } catch (error) {
    return { address, clusterId: undefined, failure: asFailure(error) };
  } finally {
    cluster.close();
  }
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

const FETCH = 1;

/** The release that brought each version of the Fetch request, which nearly every release changes. */
const FETCH_RELEASES: readonly (readonly [version: number, release: string])[] = [
  [18, '4.1'],
  [17, '3.9'],
  [16, '3.7'],
  [15, '3.5'],
  [13, '3.1'],
  [12, '2.7'],
  [11, '2.3'],
  [10, '2.1'],
  [8, '2.0'],
  [7, '1.1'],
  [6, '1.0'],
];

/** The release of Kafka that a broker's requests are of, or a later one: `4.1`. Brokers do not tell their own. */
export function leastRelease(versions: ApiVersions): string | undefined {
  const latest = versions[FETCH]?.maxVersion ?? -1;
  return FETCH_RELEASES.find(([version]) => latest >= version)?.[1];
}
