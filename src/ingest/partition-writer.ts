// One partition on its way into the table: batches one after the other, tried again after a lost connection, given up when
// somebody else has written them. The row of pgtally.offsets is what counts; what is known here is only believed until it fails.
import type { FetchedRecord } from '../kafka/record.ts';
import { Failure } from '../model/failure.ts';
import type { IngestJob } from '../model/project.ts';
import type { Bytes } from '../model/units.ts';
import { type Batch, firstBatch } from './batches.ts';
import type { Lanes } from './lanes.ts';
import { moveOffset, readOffset } from './offsets-table.ts';
import { createRetries } from './retries.ts';
import type { IngestStatements, Move } from './statements.ts';
import { rowIsGone, writeBatch } from './write-batch.ts';

/** Messages of one partition as a reader gave them. */
export interface Delivery {
  readonly records: readonly FetchedRecord[];
  /** The offset behind them and what no reader sees. */
  readonly after: number;
}

export interface PartitionWriter {
  readonly partition: number;
  /** The next offset, as last known. */
  readonly next: number;
  /** What keeps this partition from being written. */
  readonly failure: Failure | undefined;
  /** It was written up to its limit. */
  readonly full: boolean;
  /** Somebody set the offset back: the partition has to be read again from `next`. */
  readonly rewound: boolean;
  /** Messages that became rows, and their bytes. */
  readonly rows: number;
  readonly bytes: Bytes;
  /** Messages that became dead letters. */
  readonly dead: number;
  /** Writes messages, but those that are below `next` or beyond the limit. Resolves when that is done or given up. */
  write(delivery: Delivery): Promise<void>;
  /** Moves the offset over what no reader sees, up to `position`. Never rejects with a Failure. */
  advance(position: number): Promise<void>;
  /**
   * Takes what the row said when it was read after `known` was `next`: a row that has gone back was reset, or its server has
   * forgotten what it had acknowledged. What is being written meanwhile finds out for itself.
   */
  found(stored: number, known: number): void;
  /** To be called when the partition is read again from `next`. */
  restart(): void;
}

export interface PartitionWriterOptions {
  readonly job: IngestJob;
  readonly partition: number;
  readonly next: number;
  /** Messages after which the partition is `full`. */
  readonly limit: number;
  /** Of this run alone. */
  readonly owner: string;
  readonly statements: IngestStatements;
  readonly lanes: Lanes;
  /** No batch is begun after it. */
  readonly stopping: AbortSignal;
}

/** Of a statement: enough for its speed, little enough for memory. */
const LARGEST_BATCH: Bytes = 2 * 1024 * 1024;
/** For a server that ends connections or statements before a large one is through. */
const SMALLEST_BATCH: Bytes = 16 * 1024;

export function createPartitionWriter(options: PartitionWriterOptions): PartitionWriter {
  const { job, partition, owner, statements, lanes, stopping } = options;
  const retries = createRetries(job.retries, stopping);
  let next = options.next;
  let left = options.limit;
  let rewound = false;
  /** Messages were handed over and not written: what comes after them says nothing. */
  let behind = false;
  let writing = false;
  let failure: Failure | undefined;
  let batchBytes: Bytes = LARGEST_BATCH;
  const done = { rows: 0, bytes: 0, dead: 0 };

  const moveTo = (to: number): Move => ({ job: job.name, topic: job.topic, partition, from: next, to, owner });

  const settle = (offset: number): void => {
    if (offset !== next) retries.progressed();
    rewound ||= offset < next;
    next = offset;
  };

  const count = (rows: number, dead: number, bytes: Bytes): void => {
    done.rows += rows;
    done.dead += dead;
    done.bytes += bytes;
    left -= rows + dead;
  };

  /** The offset as it was found. What this owner moved it over was written by a statement whose answer was lost. */
  const settleFound = (found: number, own: boolean, { records }: Delivery): void => {
    // Which of them became dead letters is not known here.
    if (own && found > next) count(records.filter(({ offset }) => offset >= next && offset < found).length, 0, 0);
    settle(found);
  };

  /** Finds out what became of a batch whose answer was lost; false when that is not known yet. */
  const lookUp = async (delivery: Delivery): Promise<boolean> => {
    const move = moveTo(delivery.after);
    const found = await retries.attempt(() =>
      lanes.use(async (connection, call) => {
        const row = await readOffset(connection, move, call);
        if (row) return row;
        throw rowIsGone(move);
      }),
    );
    if (found) settleFound(found.next, found.owner === owner, delivery);
    return found !== undefined;
  };

  /** Writes one batch of a delivery; false when its outcome is unknown. */
  const writeOne = async (batch: Batch, delivery: Delivery): Promise<boolean> => {
    const written = await retries.attempt(() =>
      lanes.use((connection, call) => writeBatch(connection, statements, job, moveTo(batch.to), batch, call)),
    );
    if (!written) {
      batchBytes = Math.max(SMALLEST_BATCH, batchBytes / 2);
    } else if (written.status === 'moved') {
      settleFound(written.next, written.own, delivery);
    } else {
      settle(written.next);
      retries.progressed();
      batchBytes = Math.min(LARGEST_BATCH, batchBytes * 2);
      count(written.rows, written.dead, batch.bytes);
      failure = written.poison;
    }
    return written !== undefined;
  };

  const nextBatch = ({ records, after }: Delivery): Batch | undefined => {
    const unread = (records[0]?.offset ?? next) >= next ? records : records.filter(({ offset }) => offset >= next);
    if (unread.length === 0) return undefined;
    const some = unread.length > left ? unread.slice(0, left) : unread;
    const end = some.length < unread.length ? (some.at(-1)?.offset ?? next) + 1 : after;
    return firstBatch(next, some, end, batchBytes);
  };

  const writeAll = async (delivery: Delivery): Promise<void> => {
    let doubtful = false;
    while (!stopping.aborted && left > 0 && !failure && !rewound) {
      if (doubtful) {
        doubtful = !(await lookUp(delivery));
        continue;
      }
      const batch = nextBatch(delivery);
      if (!batch) return;
      doubtful = !(await writeOne(batch, delivery));
    }
  };

  return {
    partition,
    get next() {
      return next;
    },
    get failure() {
      return failure;
    },
    get full() {
      return left <= 0;
    },
    get rewound() {
      return rewound;
    },
    get rows() {
      return done.rows;
    },
    get bytes() {
      return done.bytes;
    },
    get dead() {
      return done.dead;
    },
    async write(delivery) {
      writing = true;
      try {
        await writeAll(delivery);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failure = error;
      } finally {
        writing = false;
        behind ||= (delivery.records.at(-1)?.offset ?? -1) >= next;
      }
    },
    async advance(position) {
      if (behind || failure || rewound || position <= next) return;
      try {
        if (await lanes.use((connection, call) => moveOffset(connection, moveTo(position), call))) next = position;
      } catch (error) {
        // It only spares a later run the same stretch.
        if (!(error instanceof Failure)) throw error;
      }
    },
    found(stored, known) {
      if (known !== next || stored >= next || writing || failure) return;
      next = stored;
      rewound = true;
    },
    restart() {
      rewound = false;
      behind = false;
    },
  };
}
