// One attempt at a run: connect, read-only transaction, describe, COPY, rows encoded for Kafka. Nothing is committed here:
// the caller commits the result with its ledger record, or drops it. Retries, outcomes and recording are the daemon's.
import { chooseBatchBytes, createCopyEncoder } from '../kafka/copy-encoder.ts';
import type { EncodedBatch } from '../kafka/record-batch.ts';
import type { BackfillRange } from '../ledger/record.ts';
import type { Committer, RunStream } from '../ledger/types.ts';
import { Failure } from '../model/failure.ts';
import type { Project, Server, Trigger } from '../model/project.ts';
import { type Bytes, formatDuration, type Milliseconds, type ServerName, type Slot } from '../model/units.ts';
import { CONNECT_TIMEOUT } from '../postgres/connect.ts';
import type { Connection, TransactionLimits } from '../postgres/connection.ts';
import { type Deadline, startDeadline } from '../postgres/deadline.ts';
import type { ConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedPublish } from '../project/prepared.ts';
import type { PlaceholderValues } from '../sql/job-sql.ts';
import { type FailurePlace, placeOfFailure, type SentSql } from './failure-place.ts';
import type { MemoryBudget } from './memory.ts';
import { isFoundModest, isTold, refusePrivileged, warnPrivileged } from './privileged.ts';
import { keylessPartition, recordHeaders } from './record-form.ts';
import { createResultSink, type ResultSink } from './result-sink.ts';
import { leavesTraces } from './session-traces.ts';
import { knownStatement, prepareStatement, type StatementOptions } from './statement.ts';

/** What a record may be and where it goes. */
export interface TopicShape {
  readonly partitions: number;
  /** The topic's `max.message.bytes`. */
  readonly maxMessageBytes: Bytes;
}

/** What all runs of a process share. */
export interface PublishContext {
  readonly connections: ConnectionKeeper;
  /** Rejects with a Failure of kind `topic` (missing, forbidden) or `kafka` (away). */
  readonly topicShape: (topic: string) => Promise<TopicShape>;
  readonly memory: MemoryBudget;
  readonly bufferLimit: Bytes;
  /** Whether a role that is a superuser or may write is refused. */
  readonly privileged: Project['privileged'];
  /** Told once a server what its role may do that no job needs. */
  readonly onPrivileged?: {
    readonly told: Set<string>;
    readonly warn: (server: ServerName, role: string, excess: readonly string[]) => void;
  };
}

export interface RunInput {
  readonly prepared: PreparedPublish;
  readonly server: Server;
  readonly slot: Slot;
  readonly window: { readonly start: Slot; readonly end: Slot };
  readonly trigger: Trigger;
  readonly run: string;
  readonly committer: Committer;
  readonly signal: AbortSignal;
  /** Set for a backfill: its streams carry it. */
  readonly backfill?: BackfillRange;
  /** When this job needs this server next; the connection is kept until then if that is near. */
  readonly nextUse?: number;
  /** At most so many rows, for a dry run. */
  readonly limit?: number;
  /** Called when the server has answered `begin`: from here on the run is work on the server. */
  readonly onAnswered?: () => Promise<void>;
}

export type AttemptResult =
  | {
      readonly status: 'read';
      readonly rows: number;
      readonly bytes: Bytes;
      readonly batches: readonly EncodedBatch[];
      /** Set when the result outgrew its buffer: the rows are in its open transaction, and `batches` is empty. */
      readonly stream: RunStream | undefined;
      /** Gives the buffer back; call it once after the commit or the drop. */
      release(): void;
    }
  | { readonly status: 'failed'; readonly failure: Failure; readonly place: FailurePlace | undefined };

const LOCK_TIMEOUT: Milliseconds = 10_000;
/** Kept open while a place is waited for or Kafka pauses us; Postgres ends the transaction after this much more. */
const IDLE_MARGIN: Milliseconds = 10_000;

/** Never rejects for what goes wrong in Postgres, Kafka or the data: that is a `failed` result. */
export async function attemptRun(context: PublishContext, input: RunInput): Promise<AttemptResult> {
  const { prepared, server } = input;
  const { job } = prepared;
  let deadline: Deadline | undefined;
  const sent: { current?: SentSql } = {};
  let connection: Connection | undefined;
  try {
    const topic = context.topicShape(job.topic.name);
    // Awaited below; until then Kafka's answer and the server's come side by side.
    topic.catch(() => undefined);
    // Waiting while `limits.connections` are open is not the server's time, so the limit of the run begins after it.
    const opened = await context.connections.acquire(server, job.name, {
      signal: input.signal,
      connectTimeout: Math.min(CONNECT_TIMEOUT, job.timeout),
    });
    connection = opened;
    const late = (): Failure => notInTime(job.timeout);
    const limits = transactionLimits(job.timeout);
    const known = knownCopy(context, input, opened, sent);
    let read: (sink: ResultSink) => Promise<number>;
    if (known === undefined) {
      deadline = startDeadline(job.timeout, input.signal, late);
      const { signal } = deadline;
      const copy = await askAndPrepare(context, input, opened, limits, signal, sent);
      read = (sink) => opened.copyOut(copy, sink, { signal });
    } else {
      const { signal, onAnswered } = input;
      const options = { signal, timeout: job.timeout, late, ...(onAnswered ? { onAnswered } : {}) };
      read = (sink) => opened.copyRun(known, sink, limits, options);
    }
    const result = await readRows(context, input, await topic, read);
    await finishConnection(context, opened, input);
    return result;
  } catch (error) {
    if (connection) await context.connections.discard(connection);
    const outOfTime = deadline?.signal.aborted === true && !input.signal.aborted;
    const failure = asFailure(outOfTime ? deadline?.signal.reason : error);
    return { status: 'failed', failure, place: placeOfFailure(failure, sent.current) };
  } finally {
    deadline?.end();
  }
}

/** The statement to run when this connection has answered all there is to ask: a single message is left to send. */
function knownCopy(
  context: PublishContext,
  input: RunInput,
  connection: Connection,
  sent: { current?: SentSql },
): string | undefined {
  if (!isRoleKnown(context, connection)) return undefined;
  return knownStatement(connection, input.prepared, placeholderValues(input), statementOptions(input, sent))?.copy;
}

/** Opens the transaction and asks what is to be known before the statement, which it returns, is run in it. */
async function askAndPrepare(
  context: PublishContext,
  input: RunInput,
  connection: Connection,
  limits: TransactionLimits,
  signal: AbortSignal,
  sent: { current?: SentSql },
): Promise<string> {
  await connection.begin(limits, { signal });
  await input.onAnswered?.();
  await lookAtRole(context, connection, signal);
  const options = { ...statementOptions(input, sent), signal };
  const { wrapped } = await prepareStatement(connection, input.prepared, placeholderValues(input), options);
  return wrapped.copy;
}

function statementOptions({ limit }: RunInput, sent: { current?: SentSql }): StatementOptions {
  return { sent, ...(limit === undefined ? {} : { limit }) };
}

function placeholderValues({ slot, window, server }: RunInput): PlaceholderValues {
  return { slot, windowStart: window.start, windowEnd: window.end, server: server.name, labels: server.labels };
}

async function readRows(
  context: PublishContext,
  input: RunInput,
  topic: TopicShape,
  read: (sink: ResultSink) => Promise<number>,
): Promise<AttemptResult> {
  const { server, slot } = input;
  const { job } = input.prepared;
  const encoder = createCopyEncoder({
    partitions: topic.partitions,
    keylessPartition: keylessPartition(job.name, server.name, slot, topic.partitions),
    constantHeaders: recordHeaders({
      job: job.name,
      server: server.name,
      slot,
      trigger: input.trigger,
      run: input.run,
    }),
    rowHeaders: job.headers.map((header) => header.name),
    nullKey: job.key && job.nullKey === 'error' ? 'error' : 'allow',
    nullValue: job.value ? 'tombstone' : 'error',
    maxRecordBytes: topic.maxMessageBytes,
    batchBytes: chooseBatchBytes(topic.partitions, topic.maxMessageBytes),
  });
  const sink = createResultSink({
    encoder,
    memory: context.memory,
    bufferLimit: context.bufferLimit,
    openStream: () =>
      input.committer.openStream({
        job: job.name,
        server: server.name,
        topic: job.topic.name,
        timeout: job.timeout,
        ...(input.backfill ? { backfill: input.backfill } : {}),
      }),
  });
  try {
    await read(sink);
    const { stream, batches } = await sink.finish();
    return { status: 'read', rows: encoder.rows, bytes: encoder.bytes, batches, stream, release: () => sink.release() };
  } catch (error) {
    await sink.abandon();
    throw error;
  }
}

/** What the role may do was asked before, and refused or told. */
function isRoleKnown({ privileged, onPrivileged }: PublishContext, connection: Connection): boolean {
  if (privileged === 'refuse') return isFoundModest(connection);
  return !onPrivileged || isTold(connection, onPrivileged.told);
}

async function lookAtRole(
  { privileged, onPrivileged }: PublishContext,
  connection: Connection,
  signal: AbortSignal,
): Promise<void> {
  if (privileged === 'refuse') await refusePrivileged(connection, { signal });
  else if (onPrivileged) await warnPrivileged(connection, onPrivileged.told, onPrivileged.warn, { signal });
}

/** The rows are read: whatever happens to the connection now changes nothing about them. */
async function finishConnection(context: PublishContext, connection: Connection, input: RunInput): Promise<void> {
  try {
    await connection.rollback({ signal: input.signal });
    if (input.nextUse === undefined) {
      await context.connections.release(connection);
      return;
    }
    if (await leavesTraces(connection, input.prepared.sql.functions)) await connection.discardAll();
    await context.connections.release(connection, { keepUntil: input.nextUse });
  } catch {
    // The server went away after the last row; the connection is of no use, the rows are.
    await context.connections.discard(connection);
  }
}

function transactionLimits(timeout: Milliseconds): TransactionLimits {
  return {
    statementTimeout: timeout,
    lockTimeout: Math.min(LOCK_TIMEOUT, timeout),
    idleTimeout: timeout + IDLE_MARGIN,
  };
}

function notInTime(timeout: Milliseconds): Failure {
  return new Failure(`not done within the job's \`timeout\` of ${formatDuration(timeout)}`, {
    kind: 'timeout',
    retryable: true,
    hint: 'raise `timeout` if the query may take longer',
  });
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Failure(`a defect in pgtally: ${what}`, { kind: 'internal', cause: error });
}
