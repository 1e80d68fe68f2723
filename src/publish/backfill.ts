// Past slots of a job run again, oldest first on each server. How far it came is kept in the ledger, apart from the job's
// own state, so that it goes on after a kill and never moves the last slot.
import type { KafkaClient } from '../kafka/client.ts';
import { createTopicShapes } from '../kafka/topic-shapes.ts';
import { type BackfillCommitter, createBackfillCommitter } from '../ledger/backfill.ts';
import { freshRunId } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { Project, Server } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import { formatInstant, type Slot } from '../model/units.ts';
import { createConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedPublish, Timetable } from '../project/prepared.ts';
import { ticks, window } from '../schedule/ticks.ts';
import { attemptRun, type PublishContext } from './attempt.ts';
import type { EndedRun } from './by-hand.ts';
import { createMemoryBudget } from './memory.ts';

export interface BackfillOptions {
  readonly client: KafkaClient;
  readonly project: Project;
  readonly prepared: PreparedPublish;
  readonly timetable: Timetable;
  readonly servers: readonly Server[];
  /** Slots in (from, to]: those whose windows lie in [from, to]. */
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal;
  readonly onEnd: (run: EndedRun) => void;
  /** Slots of a server that an earlier, interrupted backfill over the same range has done. */
  readonly onResumed: (server: string, slots: number) => void;
}

/** The slots of a backfill, oldest first. */
export function backfillSlots({ schedule, timezone }: Timetable, from: number, to: number): Slot[] {
  return ticks(schedule, timezone, from, to);
}

/**
 * Resolves when every server's slots are done, or stopped at its first failure: the same command goes on from there.
 * Rejects with a Failure when the ledger cannot be used.
 */
export async function runBackfill(options: BackfillOptions): Promise<void> {
  const { client, project, prepared, timetable, servers, from, to } = options;
  const { job } = prepared;
  const slots = backfillSlots(timetable, from, to);
  const shapes = createTopicShapes(client);
  const committer = createBackfillCommitter({
    client,
    settings: project.ledger,
    job: job.name,
    range: { from, to },
    timeout: job.timeout,
    delivery: job.delivery,
    shapes,
  });
  const connections = createConnectionKeeper(project.limits);
  const context: PublishContext = {
    connections,
    topicShape: shapes.shapeOf,
    memory: createMemoryBudget(project.limits.memory),
    bufferLimit: project.limits.buffer,
    privileged: project.privileged,
  };
  try {
    await committer.start();
    const waiting = [...servers];
    const done: string[] = [];
    const work = async (): Promise<void> => {
      for (let server = waiting.shift(); server; server = waiting.shift()) {
        if (await backfillServer(options, context, committer, server, slots)) done.push(server.name);
      }
    };
    await Promise.all(Array.from({ length: Math.min(job.concurrency, servers.length) }, work));
    if (done.length === servers.length) await committer.finish(done);
  } finally {
    await Promise.all([connections.close(), committer.close()]);
    shapes.close();
  }
}

/** True when all its slots are done. */
async function backfillServer(
  options: BackfillOptions,
  context: PublishContext,
  committer: BackfillCommitter,
  server: Server,
  slots: readonly Slot[],
): Promise<boolean> {
  const last = committer.progress(server.name);
  const left = last ? slots.filter((slot) => slot > Date.parse(last.slot)) : slots;
  if (left.length < slots.length) options.onResumed(server.name, slots.length - left.length);
  for (const slot of left) {
    if (options.signal.aborted) return false;
    const ended = await runSlot(options, context, committer, server, slot);
    options.onEnd(ended);
    if (ended.outcome === 'failed') return false;
  }
  return true;
}

async function runSlot(
  options: BackfillOptions,
  context: PublishContext,
  committer: BackfillCommitter,
  server: Server,
  slot: Slot,
): Promise<EndedRun> {
  const { prepared, timetable, from, to, signal } = options;
  const { job } = prepared;
  const range = { from, to };
  const run = freshRunId();
  const started = Date.now();
  const clocked = performance.now();
  const common = { server: server.name, slot, run, dry: false };
  const ms = (): number => performance.now() - clocked;
  const result = await attemptRun(context, {
    prepared,
    server,
    slot,
    window: window(timetable.schedule, timetable.timezone, slot),
    trigger: 'backfill',
    run,
    committer,
    backfill: range,
    signal,
    nextUse: Date.now(),
  });
  if (result.status === 'failed') {
    const place = result.place ? { place: result.place } : {};
    return { ...common, outcome: 'failed', rows: 0, bytes: 0, ms: ms(), failure: result.failure, ...place };
  }
  const { rows, bytes, batches, stream } = result;
  const outcome = rows > 0 ? 'published' : 'empty';
  const record: LedgerRecord = {
    slot: formatInstant(slot),
    outcome,
    rows,
    bytes,
    run,
    trigger: 'backfill',
    started: new Date(started).toISOString(),
    finished: new Date().toISOString(),
    schedule: timetable.hash,
  };
  const unit = { job: job.name, server: server.name, records: [record], backfill: range };
  const committed = await (stream
    ? stream.commit([record])
    : committer.commit(rows > 0 ? { ...unit, rows: { topic: job.topic.name, batches, bytes } } : unit)
  ).finally(() => result.release());
  if (committed.status === 'committed') return { ...common, outcome, rows, bytes, ms: ms() };
  const failure =
    committed.status === 'unavailable' && committed.outcomeUnknown
      ? new Failure(`the answer to the commit was lost (${committed.failure.message})`, {
          kind: committed.failure.kind,
          hint: 'run the same command again: it reads from the ledger whether this slot is done',
        })
      : committed.failure;
  return { ...common, outcome: 'failed', rows: 0, bytes: 0, ms: ms(), failure };
}
