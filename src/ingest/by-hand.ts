// An ingest job run once, now, by hand: to the end of its topic as it is, or to its limit.
import { createKafkaClient } from '../kafka/client.ts';
import { Failure } from '../model/failure.ts';
import type { Project, Server } from '../model/project.ts';
import { createConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import { ingest } from './ingest.ts';
import type { IngestInput, IngestResult } from './run-types.ts';

export interface IngestByHand {
  readonly project: Project;
  readonly prepared: PreparedIngest;
  readonly stopping: AbortSignal;
  readonly onWarning: (message: string) => void;
  readonly onProgress?: IngestInput['onProgress'];
}

/** Never rejects for what goes wrong in Kafka, Postgres or the messages. A stream job is read to its end as well. */
export async function ingestByHand(options: IngestByHand): Promise<IngestResult> {
  const { project, prepared, stopping, onWarning, onProgress } = options;
  const kafka = createKafkaClient(project.kafka);
  const connections = createConnectionKeeper(project.limits);
  const ending = new AbortController();
  const cancelLater = (): void => {
    const cancelled = new Failure('cancelled', { kind: 'cancelled' });
    setTimeout(() => ending.abort(cancelled), project.limits.stopGrace).unref();
  };
  stopping.addEventListener('abort', cancelLater, { once: true });
  try {
    return await ingest(
      { kafka, connections },
      {
        prepared,
        server: theServer(prepared),
        until: 'end',
        jobs: project.jobs.map(({ name }) => name),
        stopping,
        signal: ending.signal,
        onWarning,
        ...(onProgress ? { onProgress } : {}),
      },
    );
  } finally {
    stopping.removeEventListener('abort', cancelLater);
    await connections.close();
    kafka.close();
  }
}

/** The one server of an ingest job. Throws a Failure (`configuration`) for a job that has none or several. */
export function theServer({ job }: PreparedIngest): Server {
  const [server, other] = job.servers;
  if (server && !other) return server;
  throw new Failure(`job \`${job.name}\` needs exactly one server, but has ${job.servers.length}`, {
    kind: 'configuration',
    hint: 'name the one: `servers: warehouse`',
  });
}
