// The process's budget for results that are complete but not yet committed (`limits.memory`). Reservations never wait:
// a run that gets none streams instead, so that two half-read runs cannot wait for each other for ever.
import type { Bytes } from '../model/units.ts';

export interface MemoryBudget {
  /** True when `bytes` more were granted. */
  reserve(bytes: Bytes): boolean;
  release(bytes: Bytes): void;
  readonly used: Bytes;
}

/** A budget of `limit` bytes shared by all runs of the process. */
export function createMemoryBudget(limit: Bytes): MemoryBudget {
  let used = 0;
  return {
    reserve(bytes) {
      if (used + bytes > limit) return false;
      used += bytes;
      return true;
    },
    release(bytes) {
      used -= bytes;
    },
    get used() {
      return used;
    },
  };
}
