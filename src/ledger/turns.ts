// One at a time, in the order of asking: an owner has one producer for streams.

export interface Turns {
  /** Resolves when it is the caller's turn, with what ends it (to be called once; more calls do nothing). */
  next(): Promise<() => void>;
  /** Nobody has a turn or waits for one. */
  readonly idle: boolean;
}

export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  let count = 0;
  return {
    async next() {
      const before = last;
      let end!: () => void;
      last = new Promise((resolve) => {
        end = resolve;
      });
      count++;
      await before;
      let ended = false;
      return () => {
        if (!ended) count--;
        ended = true;
        end();
      };
    },
    get idle() {
      return count === 0;
    },
  };
}
