// One partition on its way through a reader: what is to be fetched next, what waits to be handed over, how far the callback has
// come. It knows no broker: fetch-lane.ts fills it, reader.ts makes it.
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import { committedBatches } from './committed.ts';
import type { FetchedPartition } from './protocols.ts';
import type { FetchedRecord, Isolation } from './record.ts';
import { decodeRecords, type FetchedBatch, splitBatches } from './record-batch-decoder.ts';

/** What a reader's callback is given: records of one partition, in order. */
export interface PartitionRecords {
  readonly partition: number;
  /** The id of the broker that they were read from. */
  readonly broker: number;
  /** Never empty. Keys and values are views of one answer's bytes: copy what is kept. */
  readonly records: readonly FetchedRecord[];
  /** The offset to read from after these: past aborted, compacted and control records that followed them. */
  readonly next: number;
  /** The end for this reader's isolation, as of this answer: the last stable offset or the high watermark. */
  readonly end: number;
}

export interface FeedOptions {
  readonly topic: string;
  readonly partition: number;
  readonly isolation: Isolation;
  /** The feed ends after that many records. */
  readonly limit: number;
  readonly onRecords: (records: PartitionRecords) => void | Promise<void>;
  /** Room was made, or the feed ended. */
  readonly onChange: () => void;
  /** The callback or the records failed: nothing more is handed over. */
  readonly onFailure: (error: unknown) => void;
}

interface Delivery {
  readonly batches: readonly FetchedBatch[];
  readonly from: number;
  readonly next: number;
  readonly end: number;
  readonly bytes: Bytes;
  readonly begun: number;
  readonly broker: number;
}

/** One answer is handed over while the next waits: enough to never stand still, little enough to bound memory. */
const LONGEST_QUEUE = 2;

export interface PartitionFeed {
  readonly partition: number;
  /** Undefined until the start was looked up. */
  readonly fetchOffset: number | undefined;
  /** The offset after the last record whose callback is done; moves over what is not handed over as well. */
  readonly position: number;
  readonly ended: boolean;
  /** Answers wait for the callback, or all was fetched: fetch no more for now. */
  readonly full: boolean;
  readonly waitingBytes: Bytes;
  /** Somebody asked for a freshness that is not there yet: the next fetch should not wait for records. */
  readonly awaited: boolean;
  /** Nothing was handed over yet. */
  readonly untouched: boolean;
  start(offset: number, until: number | undefined): void;
  /** Takes one answer that came for `fetchOffset`, of a fetch begun at `begun` (performance.now). */
  accept(answer: FetchedPartition, begun: number, broker: number): void;
  fresh(since: number): boolean;
  untilFresh(since: number): Promise<void>;
  /** Hands nothing more over; resolves when the callback under way is done. */
  close(): Promise<void>;
}

/** A feed that is not started: `start` says from where. */
export function createFeed(options: FeedOptions): PartitionFeed {
  const { topic, partition, isolation, onRecords, onChange, onFailure } = options;
  const queue: Delivery[] = [];
  const waiters: { since: number; resolve: () => void; reject: (error: Failure) => void }[] = [];
  let fetchOffset: number | undefined;
  let position = 0;
  let until = Number.POSITIVE_INFINITY;
  let remaining = options.limit;
  let freshAt = Number.NEGATIVE_INFINITY;
  let wanted = Number.NEGATIVE_INFINITY;
  let ended = false;
  let closed = false;
  let untouched = true;
  let running = false;
  let working: Promise<void> = Promise.resolve();

  const finish = ({ end, begun }: Pick<Delivery, 'end' | 'begun'>, next: number): void => {
    position = next;
    if (position >= end) freshAt = Math.max(freshAt, begun);
    for (let index = waiters.length - 1; index >= 0; index--) {
      const waiter = waiters[index];
      if (waiter && freshAt >= waiter.since) waiters.splice(index, 1)[0]?.resolve();
    }
    if (position >= until || remaining <= 0) ended = true;
  };

  const failWith = (error: unknown): void => {
    closed = true;
    onFailure(error instanceof Failure ? inPartition(error, topic, partition) : error);
  };

  /** Decodes and hands over one answer; undefined when that needed no waiting. */
  const handOver = (delivery: Delivery): Promise<void> | undefined => {
    const records: FetchedRecord[] = [];
    for (const batch of delivery.batches) {
      // A fetch from the middle of a batch answers with the whole of it.
      const decoded = decodeRecords(batch);
      for (const record of decoded) {
        if (record.offset >= delivery.from && record.offset < until && records.length < remaining) records.push(record);
      }
    }
    remaining -= records.length;
    const last = records.at(-1);
    const next = remaining <= 0 && last ? last.offset + 1 : Math.min(delivery.next, Math.max(until, delivery.from));
    const handled =
      records.length === 0
        ? undefined
        : onRecords({ partition, broker: delivery.broker, records, next, end: delivery.end });
    untouched &&= records.length === 0;
    if (handled !== undefined) return handled.then(() => finish(delivery, next));
    finish(delivery, next);
    return undefined;
  };

  const work = async (): Promise<void> => {
    running = true;
    try {
      for (let delivery = queue[0]; delivery && !closed && !ended; delivery = queue[0]) {
        const waiting = handOver(delivery);
        if (waiting) await waiting;
        queue.shift();
        onChange();
      }
    } catch (error) {
      failWith(error);
    } finally {
      running = false;
      if (ended || closed) queue.length = 0;
    }
  };

  return {
    partition,
    get fetchOffset() {
      return fetchOffset;
    },
    get position() {
      return position;
    },
    get ended() {
      return ended;
    },
    get full() {
      return queue.length >= LONGEST_QUEUE || (fetchOffset ?? 0) >= until;
    },
    get waitingBytes() {
      return queue.reduce((total, { bytes }) => total + bytes, 0);
    },
    get awaited() {
      return wanted > freshAt;
    },
    get untouched() {
      return untouched;
    },
    start: (offset, bound) => {
      fetchOffset = offset;
      position = offset;
      until = bound ?? until;
      ended = position >= until || remaining <= 0;
    },
    accept: (answer, begun, broker) => {
      if (answer.records.length === 0 && queue.length === 0 && !closed && fetchOffset !== undefined) {
        // Nothing new, which is what a quiet topic answers all day.
        finish({ end: endOf(answer, isolation), begun }, fetchOffset);
        return;
      }
      try {
        const delivery = takeAnswer(answer, fetchOffset ?? 0, isolation);
        fetchOffset = delivery.next;
        queue.push({ ...delivery, begun, broker });
      } catch (error) {
        failWith(error);
        return;
      }
      if (!running && !closed) working = work();
    },
    fresh: (since) => {
      wanted = Math.max(wanted, since);
      return freshAt >= since;
    },
    untilFresh: (since) => {
      wanted = Math.max(wanted, since);
      if (freshAt >= since) return Promise.resolve();
      if (closed || ended) return Promise.reject(notRead(topic, partition));
      return new Promise((resolve, reject) => waiters.push({ since, resolve, reject }));
    },
    close: async () => {
      closed = true;
      for (const { reject } of waiters.splice(0)) reject(notRead(topic, partition));
      await working;
    },
  };
}

/** What of an answer to a fetch from `from` a reader may see, still packed, and where the next fetch goes on. */
function takeAnswer(answer: FetchedPartition, from: number, isolation: Isolation): Omit<Delivery, 'begun' | 'broker'> {
  const all = splitBatches(answer.records);
  const next = Math.max(from, (all.at(-1)?.lastOffset ?? -1) + 1);
  const bytes = all.length === 0 ? 0 : answer.records.length;
  const batches =
    isolation === 'read_committed' ? committedBatches(all, answer.aborted) : all.filter((batch) => !batch.control);
  return { batches, from, next, end: endOf(answer, isolation), bytes };
}

function endOf(answer: FetchedPartition, isolation: Isolation): number {
  return isolation === 'read_committed' ? answer.lastStableOffset : answer.highWatermark;
}

function notRead(topic: string, partition: number): Failure {
  return new Failure(`reading \`${topic}\` partition ${partition} was stopped`, { kind: 'cancelled', retryable: true });
}

function inPartition(failure: Failure, topic: string, partition: number): Failure {
  return new Failure(`${failure.message} (topic \`${topic}\`, partition ${partition})`, {
    kind: failure.kind,
    retryable: failure.retryable,
    cause: failure,
    ...(failure.code === undefined ? {} : { code: failure.code }),
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });
}
