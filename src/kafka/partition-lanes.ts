// Work that is in order within a partition and side by side across partitions, no more at once than a limit.

export interface PartitionLanes {
  /** Starts `work` when all earlier work of that partition is done and a place is free; a failure stops its lane for good. */
  run<T>(partition: string, work: () => Promise<T>): Promise<T>;
}

/** `limit`: how much work may be under way at once. */
export function createPartitionLanes(limit: number): PartitionLanes {
  const last = new Map<string, Promise<unknown>>();
  const waiting: (() => void)[] = [];
  let free = limit;

  const acquire = async (): Promise<void> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const release = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const inPlace = async <T>(work: () => Promise<T>): Promise<T> => {
    await acquire();
    try {
      return await work();
    } finally {
      release();
    }
  };

  return {
    run: (partition, work) => {
      const before = last.get(partition);
      const done = before ? before.then(() => inPlace(work)) : inPlace(work);
      last.set(partition, done);
      const forget = (): void => {
        if (last.get(partition) === done) last.delete(partition);
      };
      // A failed lane is kept: what was to come after is refused.
      done.then(forget, () => {});
      return done;
    },
  };
}
