// From what runs hand in to what one transaction sends: ledger records as one batch, history and rows as few batches as their
// topics allow. Pure; who commits the plan, and by which producer, is elsewhere.
import { mergeBatches } from '../kafka/merge-batches.ts';
import { type EncodedBatch, encodeRecords, type RecordFields, sizeOfRecord } from '../kafka/record-batch.ts';
import type { TopicBatches } from '../kafka/written.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { Bytes } from '../model/units.ts';
import { backfillKey, formatRecord, runKey, type Shard } from './record.ts';
import type { CommitUnit } from './types.ts';

/** A unit with its records as the bytes they will be. */
export interface PreparedUnit {
  readonly unit: CommitUnit;
  /** The key of its state: `job/server`, or its backfill's. */
  readonly stateKey: string;
  /** The JSON under that key once this is committed; null a tombstone; undefined when it records nothing. */
  readonly stateText: string | null | undefined;
  /** What `stateText` would be read as, where that is known. */
  readonly stateRecord: LedgerRecord | undefined;
  readonly history: readonly RecordFields[];
  /** Of the ledger's records and of history, each about. */
  readonly recordBytes: Bytes;
  readonly rowBytes: Bytes;
}

/** What one transaction sends, in this order. */
export interface CommitPlan {
  readonly ledger: EncodedBatch | undefined;
  readonly history: readonly TopicBatches[];
  readonly rows: readonly TopicBatches[];
}

/** Largest batch of ledger or history records: far below any `max.message.bytes` (default 1 MiB). */
const RECORD_BATCH_BYTES: Bytes = 512 * 1024;

export interface GroupLimits {
  readonly units: number;
  readonly rowBytes: Bytes;
  readonly recordBytes: Bytes;
}

/** What may share one transaction: a send far below a broker's request limit, and a ledger batch below its topic's. */
export const GROUP_LIMITS: GroupLimits = { units: 500, rowBytes: 8 * 1024 * 1024, recordBytes: RECORD_BATCH_BYTES };

export function prepareUnit(unit: CommitUnit): PreparedUnit {
  const { job, server, records, backfill } = unit;
  const key = runKey(job, server);
  const texts = records.map(formatRecord);
  const last = records.at(-1);
  const history = texts.map((text): RecordFields => ({ key: Buffer.from(key), value: Buffer.from(text) }));
  return {
    unit,
    stateKey: backfill ? backfillKey(job, server, backfill) : key,
    stateText: texts.at(-1) ?? (unit.forget ? null : undefined),
    // An error's text may have been cut.
    stateRecord: last?.error || last?.failure ? undefined : last,
    history,
    recordBytes: history.reduce((sum, record) => sum + sizeOfRecord(record), 0),
    rowBytes: unit.rows?.bytes ?? 0,
  };
}

/** How many units from the front of a queue may share a transaction; the first always fits. */
export function countFitting(queue: readonly PreparedUnit[], limits = GROUP_LIMITS): number {
  let rowBytes = 0;
  let recordBytes = 0;
  let count = 0;
  for (const unit of queue) {
    rowBytes += unit.rowBytes;
    recordBytes += unit.recordBytes;
    if (count > 0 && (count >= limits.units || rowBytes > limits.rowBytes || recordBytes > limits.recordBytes)) break;
    count++;
  }
  return count;
}

/** Where a plan's records go. Without a ledger (`pgtally run`) nothing is recorded. */
export interface RecordTopics {
  readonly shard: Shard;
  readonly ledger: string;
  readonly history: string;
}

/**
 * One transaction for these units. Of each (job, server) the last record is its state, all of them are history; rows of
 * several runs to one topic-partition become one batch, of at most `batchBytes(topic)`.
 */
export function planCommit(
  units: readonly PreparedUnit[],
  records: RecordTopics | undefined,
  batchBytes: (topic: string) => Bytes,
): CommitPlan {
  const rows = new Map<string, EncodedBatch[]>();
  for (const { unit } of units) {
    if (!unit.rows || unit.rows.batches.length === 0) continue;
    const others = rows.get(unit.rows.topic);
    if (others) others.push(...unit.rows.batches);
    else rows.set(unit.rows.topic, [...unit.rows.batches]);
  }
  return {
    ledger: records && encodeStates(records.shard, units),
    history: records ? encodeHistory(records, units) : [],
    rows: [...rows].map(([topic, batches]) => ({ topic, batches: mergeBatches(batches, batchBytes(topic)) })),
  };
}

function encodeHistory({ shard, history }: RecordTopics, units: readonly PreparedUnit[]): TopicBatches[] {
  const records = units.flatMap((unit) => unit.history);
  if (records.length === 0) return [];
  return [{ topic: history, batches: mergeBatches([encodeRecords(shard, records)], RECORD_BATCH_BYTES) }];
}

function encodeStates(shard: Shard, units: readonly PreparedUnit[]): EncodedBatch | undefined {
  const states: RecordFields[] = [];
  for (const { stateKey, stateText } of units) {
    if (stateText === undefined) continue;
    states.push({ key: Buffer.from(stateKey), value: stateText === null ? null : Buffer.from(stateText) });
  }
  return states.length === 0 ? undefined : encodeRecords(shard, states);
}
