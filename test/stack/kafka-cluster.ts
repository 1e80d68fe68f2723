// Three brokers and a controller, for what shows only where partitions lie on several brokers: lost leaders, replies of
// one broker late, replication. One node is in kafka-broker.ts.

import { type KafkaNode, type KafkaNodeOptions, newUuid, startKafkaNode } from './kafka-broker.ts';
import { type FaultProxy, startProxy } from './proxy.ts';

export interface KafkaCluster {
  /** The brokers' addresses, comma separated; those of the proxies where there are proxies. */
  readonly bootstrap: string;
  /** Round the proxies. The same as `bootstrap` where there are none. */
  readonly directBootstrap: string;
  readonly controller: KafkaNode;
  /** With the ids 1, 2, 3. */
  readonly brokers: readonly KafkaNode[];
  /** One before each broker; empty unless asked for. */
  readonly proxies: readonly FaultProxy[];
  /** Ends everything at once. */
  discard(): Promise<void>;
}

export interface KafkaClusterOptions extends Pick<KafkaNodeOptions, 'properties' | 'memory'> {
  /** Default 3. */
  readonly brokers?: number;
  /** Puts a proxy before each broker, which clients of `bootstrap` are led through. */
  readonly proxies?: boolean;
}

/** Ready in some 4 s on two cores, 0.9 GB. Internal topics are replicated to all brokers, min.insync.replicas 1. */
export async function startKafkaCluster(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  const count = options.brokers ?? 3;
  const cluster = newUuid();
  const properties = {
    'offsets.topic.replication.factor': count,
    'transaction.state.log.replication.factor': count,
    'default.replication.factor': count,
    // A killed broker loses its partitions after this instead of 9 s.
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 500,
    ...options.properties,
  };
  const controller = await startKafkaNode({ id: 100, roles: 'controller', cluster }, { ...options, properties });
  const voters = `100@${controller.listeners.CONTROLLER}`;
  const proxies = await Promise.all(Array.from({ length: options.proxies ? count : 0 }, () => startProxy('kafka')));
  const brokers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const proxy = proxies[index];
      const broker = await startKafkaNode(
        { id: index + 1, roles: 'broker', cluster, voters },
        {
          ...options,
          properties,
          listeners: { PLAINTEXT: {}, ...(proxy ? { PROXIED: { advertised: proxy.address } } : {}) },
        },
      );
      proxy?.forwardTo(broker.listeners.PROXIED ?? '');
      return broker;
    }),
  );
  const directBootstrap = brokers.map(({ bootstrap }) => bootstrap).join(',');
  return {
    bootstrap: proxies.length > 0 ? proxies.map(({ address }) => address).join(',') : directBootstrap,
    directBootstrap,
    controller,
    brokers,
    proxies,
    discard: async () => {
      await Promise.all([...brokers, controller].map((node) => node.discard()));
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    },
  };
}
