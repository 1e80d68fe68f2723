// Where each partition of an ingest job goes on: its row in the target database, made at first sight, held against what the
// topic has. An offset that the topic does not have halts its partition; it is never reset in silence (design 8).
import type { Cluster } from '../kafka/cluster.ts';
import { listOffsets, type PartitionOffsets } from '../kafka/offsets.ts';
import { topicId } from '../kafka/topic-id.ts';
import { Failure } from '../model/failure.ts';
import type { IngestJob } from '../model/project.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { ensureTables, fillTopicId, insertOffsets, readOffsets, type StoredOffset } from './offsets-table.ts';

export interface Position {
  readonly partition: number;
  readonly next: number;
  /** The end for read_committed readers, as of now. */
  readonly end: number;
}

export interface Positions {
  readonly positions: readonly Position[];
  /** Partitions that may not be read on, each with the reason. */
  readonly halted: ReadonlyMap<number, Failure>;
  /** What a person should know, and that stops nothing. */
  readonly warnings: readonly string[];
}

/** The topic as it is now. */
export interface TopicState {
  readonly id: string | undefined;
  /** Of the job's partitions. */
  readonly offsets: readonly PartitionOffsets[];
}

/** Rejects with a Failure: the topic or a partition of the job does not exist, or no broker answers. */
export async function readTopicState(cluster: Cluster, job: IngestJob): Promise<TopicState> {
  const [id, all] = await Promise.all([topicId(cluster, job.topic), listOffsets(cluster, job.topic)]);
  const offsets = job.partitions
    ? job.partitions.map((wanted) => {
        const found = all.find(({ partition }) => partition === wanted);
        if (!found) throw noPartition(job, wanted, all.length);
        return found;
      })
    : all;
  return { id, offsets };
}

/**
 * Reads the rows of the job's partitions and writes those that are missing. `otherJobs` are the names of the project's other
 * jobs, to tell a renamed job. Rejects with a Failure of Postgres, or as `readTopicState`.
 */
export async function openPositions(
  connection: Connection,
  cluster: Cluster,
  job: IngestJob,
  otherJobs: ReadonlySet<string>,
  options: CallOptions,
): Promise<Positions> {
  const read = async (): Promise<readonly StoredOffset[]> => readOffsets(connection, job.topic, options);
  await ensureTables(connection, { ...options, deadLetters: job.onError === 'dead_letter' });
  const all = await read();
  // Rows first, then the topic: an owner that goes on meanwhile moves no row that was read beyond the topic's end.
  const state = await readTopicState(cluster, job);
  const before = ownRows(job, all);
  const unseen = state.offsets.filter(({ partition, error }) => error === undefined && !before.has(partition));
  const warnings = before.size === 0 ? warnOfRenamed(job, all, unseen, otherJobs) : [];
  if (unseen.length > 0) {
    const first = unseen.map((offsets) => ({
      partition: offsets.partition,
      next: firstOffset(job, offsets, before.size > 0),
    }));
    await insertOffsets(connection, { job: job.name, topic: job.topic, topicId: state.id }, first, options);
  }
  if (state.id !== undefined && [...before.values()].some((row) => row.topicId === null)) {
    await fillTopicId(connection, { job: job.name, topic: job.topic, topicId: state.id }, options);
  }
  // The other way round: a row that an owner has moved meanwhile is not below what the topic has.
  const after = ownRows(job, await read());
  return { ...judge(job, state, before, after), warnings };
}

function ownRows(job: IngestJob, rows: readonly StoredOffset[]): ReadonlyMap<number, StoredOffset> {
  return new Map(rows.filter((row) => row.job === job.name).map((row) => [row.partition, row]));
}

/**
 * A partition that the topic got after the job had begun is read from its beginning, whatever `from` says: what was written
 * before it was seen would be lost.
 */
function firstOffset(job: IngestJob, { logStart, lastStable }: PartitionOffsets, hasBegun: boolean): number {
  return job.from === 'end' && !hasBegun ? lastStable : logStart;
}

/** `before` the topic's state was read, and `after`. */
function judge(
  job: IngestJob,
  state: TopicState,
  before: ReadonlyMap<number, StoredOffset>,
  after: ReadonlyMap<number, StoredOffset>,
): { positions: Position[]; halted: Map<number, Failure> } {
  const positions: Position[] = [];
  const halted = new Map<number, Failure>();
  for (const offsets of state.offsets) {
    const { partition, logStart, highWatermark, lastStable, error } = offsets;
    const row = after.get(partition);
    if (error !== undefined || !row) {
      halted.set(partition, noLeader(job, partition, error ?? 'LEADER_NOT_AVAILABLE'));
    } else if (state.id !== undefined && row.topicId !== null && row.topicId !== state.id) {
      halted.set(partition, remade(job, partition, row.next, offsets));
    } else if (row.next < logStart || (before.get(partition)?.next ?? 0) > highWatermark) {
      halted.set(partition, outOfLog(job, partition, row.next, offsets));
    } else {
      positions.push({ partition, next: row.next, end: lastStable });
    }
  }
  return { positions, halted };
}

/** A job of another name that is in no file any more, and has read what this one is about to read from the start. */
function warnOfRenamed(
  job: IngestJob,
  rows: readonly StoredOffset[],
  unseen: readonly PartitionOffsets[],
  otherJobs: ReadonlySet<string>,
): string[] {
  const gone = new Map<string, StoredOffset[]>();
  for (const row of rows) {
    const meant = unseen.some(({ partition }) => partition === row.partition);
    if (!meant || row.job === job.name || otherJobs.has(row.job)) continue;
    gone.set(row.job, [...(gone.get(row.job) ?? []), row]);
  }
  return [...gone].map(([name, theirs]) => {
    const places = theirs.map(({ partition, next }) => `partition ${partition} up to ${next}`).join(', ');
    return (
      `job \`${job.name}\` starts anew with topic \`${job.topic}\`, which job \`${name}\`, in no file any more, has read ` +
      `(${places}): if it was renamed, rows will be written again; to go on where it stood, stop this job, ` +
      `\`delete from pgtally.offsets where job = '${job.name}'\` and \`update pgtally.offsets set job = '${job.name}' where job = '${name}'\``
    );
  });
}

function noPartition(job: IngestJob, wanted: number, count: number): Failure {
  return new Failure(`topic \`${job.topic}\` has no partition ${wanted}: it has ${count} (0 to ${count - 1})`, {
    kind: 'topic',
    code: 'UNKNOWN_PARTITION',
    hint: `change \`partitions\` of job \`${job.name}\``,
  });
}

function noLeader(job: IngestJob, partition: number, code: string): Failure {
  return new Failure(`kafka: partition ${partition} of \`${job.topic}\` has no leader now (${code})`, {
    kind: 'topic',
    retryable: true,
    code,
    hint: 'a broker is down: see `pgtally topics describe`',
  });
}

function outOfLog(job: IngestJob, partition: number, next: number, offsets: PartitionOffsets): Failure {
  const { logStart, highWatermark } = offsets;
  const below = next < logStart;
  const what = below
    ? `below its log start ${logStart}: ${logStart - next} offsets were deleted before they were read`
    : `above its end ${highWatermark}: the topic was made anew or lost records`;
  return new Failure(`partition ${partition} of \`${job.topic}\` halts: the next offset ${next} is ${what}`, {
    kind: 'topic',
    code: 'OFFSET_OUT_OF_RANGE',
    hint: resetHint(job, partition, below ? 'what is left' : 'what is there'),
  });
}

function remade(job: IngestJob, partition: number, next: number, offsets: PartitionOffsets): Failure {
  const range = `${offsets.logStart} to ${offsets.highWatermark}`;
  return new Failure(
    `partition ${partition} of \`${job.topic}\` halts: the topic was deleted and made anew since it was read up to ${next}, and now has ${range}`,
    { kind: 'topic', code: 'INCONSISTENT_TOPIC_ID', hint: resetHint(job, partition, 'what is there') },
  );
}

function resetHint(job: IngestJob, partition: number, what: string): string {
  const command = `pgtally ingest reset ${job.name} --partition ${partition}`;
  return `to read ${what}: \`${command} --to beginning\`; to skip it: \`${command} --to end\``;
}
