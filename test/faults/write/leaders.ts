// Topics whose leaders stand where a test wants them, and leaders that move while it runs.
import type { KafkaClient } from '../../../src/kafka/client.ts';
import { type Cluster, newCluster } from '../../../src/kafka/cluster.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';

export interface LeaderControl {
  /** A topic whose partition `i` is led by the broker `leaders[i]`, with all brokers as replicas unless told. */
  create(topic: string, leaders: readonly number[], replicas?: 'all' | 'leader'): Promise<string>;
  /** Makes brokers lead partitions, `{partition: broker}`, and waits until they do. */
  move(topic: string, leaders: Readonly<Record<number, number>>): Promise<void>;
  /** Makes random brokers lead all partitions, without waiting. */
  shuffle(topic: string): Promise<void>;
  close(): Promise<void>;
}

/** `client`: one that goes round the proxies. `brokers`: their ids. */
export async function createLeaderControl(client: KafkaClient, brokers: readonly number[]): Promise<LeaderControl> {
  const admin = client.kafka.admin();
  await admin.connect();
  const cluster = newCluster(client);
  const order = (leader: number) => [leader, ...brokers.filter((broker) => broker !== leader)];

  const prefer = async (topic: string, leaders: Readonly<Record<number, number>>): Promise<void> => {
    const partitionAssignment = Object.entries(leaders).map(([partition, leader]) => ({
      partition: Number(partition),
      replicas: order(leader),
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    await electPreferred(
      cluster,
      topic,
      partitionAssignment.map(({ partition }) => partition),
    );
  };
  const leadersOf = async (topic: string): Promise<Map<number, number | undefined>> => {
    const { topics } = await cluster.metadata([topic]);
    return new Map(topics[0]?.partitions.map(({ partition, leader }) => [partition, leader]));
  };

  return {
    create: async (topic, leaders, replicas = 'all') => {
      const replicaAssignment = leaders.map((leader, partition) => ({
        partition,
        replicas: replicas === 'all' ? order(leader) : [leader],
      }));
      await admin.createTopics({ topics: [{ topic, replicaAssignment }], waitForLeaders: true });
      return topic;
    },
    move: async (topic, leaders) => {
      for (;;) {
        await prefer(topic, leaders);
        const now = await leadersOf(topic);
        if (Object.entries(leaders).every(([partition, leader]) => now.get(Number(partition)) === leader)) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    shuffle: async (topic) => {
      const random = () => brokers[Math.floor(Math.random() * brokers.length)] ?? 1;
      const now = await leadersOf(topic);
      await prefer(topic, Object.fromEntries([...now.keys()].map((partition) => [partition, random()])));
    },
    close: async () => {
      cluster.close();
      await admin.disconnect();
    },
  };
}

const ELECT_LEADERS = 43;

/** ElectLeaders (key 43, version 1): election type INT8 (0 preferred), topics [name STRING, partitions [INT32]], timeout INT32. */
async function electPreferred(cluster: Cluster, topic: string, partitions: readonly number[]): Promise<void> {
  const { Encoder } = loadKafkajs().internals;
  await cluster.request('any', () => ({
    request: {
      apiKey: ELECT_LEADERS,
      apiVersion: 1,
      apiName: 'ElectLeaders',
      encode: async () => {
        const encoder = new Encoder().writeInt8(0).writeInt32(1).writeString(topic).writeInt32(partitions.length);
        for (const partition of partitions) encoder.writeInt32(partition);
        return encoder.writeInt32(5000);
      },
    },
    // "Not needed" is an answer as good as done; who waits looks at the leaders.
    response: { decode: async () => ({}), parse: async (answer: object) => answer },
  }));
}
