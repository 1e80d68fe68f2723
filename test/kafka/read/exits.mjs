// A process that uses the compiled client, closes what it opened, and must then end by itself: run by restart.test.ts.
import { createKafkaClient } from '../../../dist/kafka/client.js';
import { newCluster } from '../../../dist/kafka/cluster.js';
import { openReader, readToEnd } from '../../../dist/kafka/reader.js';

const client = createKafkaClient({ brokers: [process.argv[2]], clientId: 'exits', compression: 'none' });
const cluster = newCluster(client);
await cluster.metadata([]);
const reader = await openReader(client, { topic: 'quick', from: 'beginning', maxWait: 60_000, onRecords: () => {} });
await readToEnd(client, { topic: 'quick', from: 'beginning', onRecords: () => {} });
const producer = client.kafka.producer();
await producer.connect();
await producer.send({ topic: 'quick', messages: [] });
await reader.stop();
cluster.close();
client.close();
console.log('read and closed');
