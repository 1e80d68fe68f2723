// Collects garbage while nothing runs. V8 puts its first full collection off until the heap is at some 300 MB, and does the small ones
// in the middle of a burst, when a thousand runs are due at once; between two bursts there is time.
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Bytes, Milliseconds } from '../model/units.ts';

export interface IdleCollection {
  /** Runs `work`, during which nothing is collected. */
  during<T>(work: () => Promise<T>): Promise<T>;
  stop(): void;
}

/** What must have been allocated since the last time for a collection to be worth its while, and as a part of what stayed. */
const GROWTH: Bytes = 24 * 1024 * 1024;
const GROWTH_PART = 0.25;
/** How long nothing must have run. */
const QUIET: Milliseconds = 250;
/** Slots are on whole seconds: in the last part of one a collection would make the next slot late. */
const LAST_MOMENT: Milliseconds = 700;

export function createIdleCollection(clock: () => number, collect: () => void = beginCollection()): IdleCollection {
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  let stayed: Bytes = 0;
  /** Whether a collection was begun here whose end was not seen yet: that is some tenths of a second later. */
  let begun = false;
  const collections = new PerformanceObserver((list) => {
    if (!begun || !list.getEntries().some(isFull)) return;
    begun = false;
    stayed = usedHeap();
  });
  collections.observe({ entryTypes: ['gc'] });

  const look = (): void => {
    timer = undefined;
    if (running > 0) return;
    const used = usedHeap();
    if (used - stayed < Math.max(GROWTH, GROWTH_PART * stayed)) return;
    const intoSecond = clock() % 1000;
    if (intoSecond > LAST_MOMENT) {
      wait(1000 - intoSecond + QUIET);
      return;
    }
    stayed = used;
    begun = true;
    collect();
  };
  const wait = (duration: Milliseconds): void => {
    clearTimeout(timer);
    timer = setTimeout(look, duration);
    timer.unref();
  };

  return {
    async during(work) {
      running++;
      try {
        return await work();
      } finally {
        running--;
        if (running === 0) wait(QUIET);
      }
    },
    stop() {
      clearTimeout(timer);
      collections.disconnect();
    },
  };
}

function usedHeap(): Bytes {
  return getHeapStatistics().used_heap_size;
}

function isFull(entry: PerformanceEntry): boolean {
  return (entry as { detail?: { kind?: number } }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

/**
 * Begins a full collection that marks in small steps and beside the program, as V8 does when it needs room. `gc()` without an
 * argument would mark at one go, and then V8 takes the shapes of objects that have no object just now, which are those of a
 * run, for dead: it throws away every piece of machine code that knows them and compiles it anew in the next burst, 0.2 s of
 * CPU each time. What begins the marking is the flag by which V8's own tests make it always due, set for one small collection.
 *
 * `gc` is V8's own function: Node gives it to nobody unless asked to by a flag, which is read when a context is made. After a full
 * collection V8 begins the next one when the heap has grown by a fifth, which would be in the middle of the next burst: it
 * is to wait until the heap has doubled. The space for young objects has shrunk by then and is to grow to its 16 MB in one step:
 * by doubling, a burst copies what its runs hold twice as often.
 */
function beginCollection(): () => void {
  setFlagsFromString('--heap-growing-percent=100');
  setFlagsFromString('--semi-space-growth-factor=16');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => {
    setFlagsFromString('--stress-incremental-marking');
    collect({ type: 'minor' });
    setFlagsFromString('--no-stress-incremental-marking');
  };
}
