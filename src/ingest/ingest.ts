// One ingest run: a topic's partitions read side by side and written into a table, up to an end or until it is told to stop.
// Which slot it belongs to, who may do it and what is recorded of it is not known here.
import { randomUUID } from 'node:crypto';
import { newCluster } from '../kafka/cluster.ts';
import { Failure } from '../model/failure.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { createPartitionWriter, type PartitionWriter } from './partition-writer.ts';
import { openPositions, type Positions } from './positions.ts';
import { readAndWrite } from './read-and-write.ts';
import { createRetries } from './retries.ts';
import type { IngestContext, IngestInput, IngestResult } from './run-types.ts';
import { createStatements } from './statements.ts';

/** Never rejects for what goes wrong in Kafka, Postgres or the messages: that is in `failures`. */
export async function ingest(context: IngestContext, input: IngestInput): Promise<IngestResult> {
  const { prepared, server } = input;
  const lanes = createLanes(context.connections, prepared, server, input.signal);
  const writers: PartitionWriter[] = [];
  const failures: Failure[] = [];
  const halt = (partition: number, failure: Failure): void => {
    failures.push(failure);
    input.onHalted?.(partition, failure);
  };
  try {
    const { positions, halted, warnings } = await findPositions(context, input, lanes);
    for (const warning of warnings) input.onWarning(warning);
    input.onPositions?.(positions);
    for (const [partition, failure] of halted) halt(partition, failure);
    const statements = createStatements(prepared);
    const owner = randomUUID();
    const ends = new Map(positions.map(({ partition, end }) => [partition, end]));
    for (const { partition, next, end } of positions) {
      if (input.until === 'end' && next >= end) continue;
      const limit = input.until === 'end' ? (prepared.job.limit ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
      const { job } = prepared;
      const { stopping } = input;
      writers.push(createPartitionWriter({ job, partition, next, limit, owner, statements, lanes, stopping }));
    }
    await readAndWrite({ ...context, input, lanes, writers, ends, halt });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    failures.push(error);
  } finally {
    await lanes.close(input.nextUse);
  }
  const sum = (part: 'rows' | 'bytes' | 'dead'): number => writers.reduce((total, writer) => total + writer[part], 0);
  return { rows: sum('rows'), bytes: sum('bytes'), dead: sum('dead'), failures };
}

async function findPositions(
  { kafka }: IngestContext,
  { prepared, jobs, stopping }: IngestInput,
  lanes: Lanes,
): Promise<Positions> {
  const cluster = newCluster(kafka);
  const retries = createRetries(prepared.job.retries, stopping);
  const others = new Set(jobs);
  try {
    for (;;) {
      const found = await retries.attempt(() =>
        lanes.use((connection, call) => openPositions(connection, cluster, prepared.job, others, call)),
      );
      if (found) return found;
    }
  } finally {
    cluster.close();
  }
}
