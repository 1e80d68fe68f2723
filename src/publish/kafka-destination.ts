// Rows of a run by hand into Kafka: a transactional producer of its own, which gets ready while Postgres works.
import { randomUUID } from 'node:crypto';
import { createKafkaClient } from '../kafka/client.ts';
import { createTopicShapes } from '../kafka/topic-shapes.ts';
import { createAdHocCommitter } from '../ledger/ad-hoc.ts';
import { Failure } from '../model/failure.ts';
import type { Project, PublishJob } from '../model/project.ts';
import type { ServerName } from '../model/units.ts';
import type { Destination, ReadResult } from './destination.ts';

/** Connects in the background; what is wrong with Kafka is told by the first run that needs it. */
export function openKafkaDestination(project: Pick<Project, 'kafka' | 'ledger'>, job: PublishJob): Destination {
  const client = createKafkaClient(project.kafka);
  const shapes = createTopicShapes(client);
  const committer = createAdHocCommitter(client, {
    // Below the ledger's name, as all ids are: one rule of an ACL covers them.
    transactionalId: `${project.ledger.topic}.run.${randomUUID()}`,
    delivery: job.delivery,
    shapes,
  });
  const topic = job.topic.name;
  // Never rejects, and nobody waits for it: the first commit does.
  void committer.warm(topic);

  return {
    committer,
    topicShape: shapes.shapeOf,
    async deliver({ rows, bytes, batches, stream }: ReadResult, server: ServerName) {
      if (rows === 0 && !stream) return undefined;
      const result = stream
        ? await stream.commit([])
        : await committer.commit({ job: job.name, server, rows: { topic, batches, bytes }, records: [] });
      if (result.status === 'committed') return undefined;
      if (result.status === 'refused' || !result.outcomeUnknown) return result.failure;
      const { failure } = result;
      const lost = `the rows may or may not have been published: the answer to the commit was lost (${failure.message})`;
      const hint = `look for them with \`pgtally tail ${topic}\` before you run it again`;
      return new Failure(lost, { kind: failure.kind, cause: failure, hint });
    },
    async close() {
      await committer.close();
      shapes.close();
      client.close();
    },
  };
}
