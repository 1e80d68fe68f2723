import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AbortedTransaction, committedBatches } from '../../../src/kafka/committed.ts';
import { decodeRecords, splitBatches } from '../../../src/kafka/record-batch-decoder.ts';
import { encodeBatch, encodeMarker } from './encode-batch.ts';

/** What happens to a log: a producer appends a batch (in its transaction or outside of one) or ends its transaction. */
type Step =
  | { readonly producer: number; readonly append: number; readonly transactional: boolean; readonly zeroKey: boolean }
  | { readonly producer: number; readonly abort: boolean };

interface Log {
  readonly batches: readonly { readonly bytes: Buffer; readonly first: number; readonly last: number }[];
  /** In the order of their ends, as a broker keeps them. */
  readonly aborted: readonly {
    readonly producerId: bigint;
    readonly firstOffset: number;
    readonly lastOffset: number;
  }[];
  readonly committedOffsets: readonly number[];
  /** Before the first record of the first transaction that is still open. */
  readonly lastStable: number;
}

/** A broker's view of the log that the steps write, kept as simply as can be: every record knows its fate. */
function writeLog(steps: readonly Step[]): Log {
  let offset = 0;
  const batches: { bytes: Buffer; first: number; last: number }[] = [];
  const open = new Map<number, number[]>();
  const aborted: { producerId: bigint; firstOffset: number; lastOffset: number }[] = [];
  const committedOffsets: number[] = [];
  const append = (bytes: Buffer, count: number) => {
    batches.push({ bytes, first: offset, last: offset + count - 1 });
    offset += count;
  };
  for (const step of steps) {
    const { producer } = step;
    if ('append' in step) {
      const { append: count, transactional, zeroKey } = step;
      const offsets = Array.from({ length: count }, (_, index) => offset + index);
      if (transactional) open.set(producer, [...(open.get(producer) ?? []), ...offsets]);
      // A producer has one way of sending; the other one is another producer.
      else committedOffsets.push(...offsets);
      const key = zeroKey ? Buffer.alloc(4) : Buffer.from('key');
      const records = offsets.map((at) => ({ key, value: Buffer.from(String(at)) }));
      append(
        encodeBatch({
          baseOffset: offset,
          producerId: transactional ? producer : producer + 100,
          transactional,
          records,
        }),
        count,
      );
    } else {
      const written = open.get(producer);
      if (!written) continue;
      open.delete(producer);
      const [firstOffset = 0] = written;
      if (step.abort) aborted.push({ producerId: BigInt(producer), firstOffset, lastOffset: offset });
      else committedOffsets.push(...written);
      append(encodeMarker(offset, producer, step.abort), 1);
    }
  }
  const lastStable = Math.min(offset, ...[...open.values()].map(([first = offset]) => first));
  return { batches, aborted, committedOffsets: committedOffsets.sort((a, b) => a - b), lastStable };
}

const producer = fc.integer({ min: 1, max: 4 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        producer,
        append: fc.integer({ min: 1, max: 3 }),
        transactional: fc.boolean(),
        zeroKey: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ producer, abort: fc.boolean() }) },
  ),
  { maxLength: 40 },
);

function read(log: Log, firstBatch: number, lastBatch: number): number[] {
  const fetched = log.batches.slice(firstBatch, lastBatch + 1);
  const [first] = fetched;
  const last = fetched.at(-1);
  if (!first || !last) return [];
  const aborted: AbortedTransaction[] = log.aborted.filter(
    ({ firstOffset, lastOffset }) => lastOffset >= first.first && firstOffset <= last.last,
  );
  const batches = splitBatches(Buffer.concat(fetched.map(({ bytes }) => bytes)));
  return committedBatches(batches, aborted).flatMap((batch) => decodeRecords(batch).map(({ offset }) => offset));
}

describe('committedBatches', () => {
  it('lets exactly the committed records through, whatever part of the log is fetched', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.nat(), (taken, a, b) => {
        const log = writeLog(taken);
        // A broker answers a read_committed fetch with what lies below the last stable offset.
        const stable = log.batches.filter(({ last }) => last < log.lastStable).length;
        if (stable === 0) return;
        const [from, to] = [a % stable, b % stable].sort((x, y) => x - y) as [number, number];
        const first = log.batches[from]?.first ?? 0;
        const last = log.batches[to]?.last ?? 0;
        const expected = log.committedOffsets.filter((offset) => offset >= first && offset <= last);
        expect(read(log, from, to)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('hides both of two nested aborted transactions, which the broker lists inner first', () => {
    const log = writeLog([
      { producer: 1, append: 1, transactional: true, zeroKey: false },
      { producer: 2, append: 1, transactional: true, zeroKey: false },
      { producer: 2, abort: true },
      { producer: 1, append: 1, transactional: true, zeroKey: false },
      { producer: 1, abort: true },
      { producer: 1, append: 1, transactional: true, zeroKey: false },
      { producer: 1, abort: false },
    ]);
    expect(log.aborted.map(({ firstOffset }) => firstOffset)).toEqual([1, 0]);
    expect(read(log, 0, 6)).toEqual([5]);
  });

  it('takes no user’s key for the end of a transaction', () => {
    const log = writeLog([
      { producer: 1, append: 1, transactional: true, zeroKey: true },
      { producer: 1, append: 1, transactional: true, zeroKey: false },
      { producer: 1, abort: true },
    ]);
    expect(read(log, 0, 2)).toEqual([]);
  });
});
