// The frame of a command that goes to Kafka: a client for as long as its work lasts.
import { createKafkaClient, type KafkaClient } from '../kafka/client.ts';
import type { Project } from '../model/project.ts';

/** Whatever the work ends with, no connection outlives it. */
export async function withKafka<T>(project: Project, work: (client: KafkaClient) => Promise<T>): Promise<T> {
  const client = createKafkaClient(project.kafka);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
