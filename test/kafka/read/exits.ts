// A process that uses the client, closes what it opened, and must then end by itself: built and run by restart.test.ts.
import { createKafkaClient } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import { openReader, readToEnd } from '../../../src/kafka/reader.ts';

const client = createKafkaClient({ brokers: [process.argv[2] ?? ''], clientId: 'exits', compression: 'none' });
const cluster = newCluster(client);
await cluster.metadata([]);
const onRecords = () => undefined;
const reader = await openReader(client, { topic: 'quick', from: 'beginning', maxWait: 60_000, onRecords });
await readToEnd(client, { topic: 'quick', from: 'beginning', onRecords });
const producer = client.kafka.producer();
await producer.connect();
await producer.send({ topic: 'quick', messages: [] });
await reader.stop();
cluster.close();
client.close();
console.log('read and closed');
