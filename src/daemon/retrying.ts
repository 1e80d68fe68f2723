// How long a retryable failure leaves its slot pending (design 5): an interval job until its catch-up window has passed, a
// snapshot job for some attempts and no longer than until its next slot is due.
import type { Failure } from '../model/failure.ts';
import type { Milliseconds, Slot } from '../model/units.ts';
import type { ScheduledJob } from './scheduled.ts';

const FIRST_DELAY: Milliseconds = 1000;
const LONGEST_DELAY: Milliseconds = 60_000;

export interface Retrying {
  /** The attempts made so far, this one included. */
  readonly attempts: number;
  /** True when it is time for another attempt; false when there is none to come. Waits in between. */
  wait(failure: Failure, onRetry: (delay: Milliseconds) => void): Promise<boolean>;
  /** True when the next slot ended the retries, being due or too near for another: that slot runs, it was not overlapped. */
  readonly endedByNextSlot: boolean;
}

/** 1 s × 2ⁿ, at most 60 s, the last half of it at random, so that a fleet does not come back in step. */
export function retryDelay(attempt: number, random: () => number = Math.random): Milliseconds {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)) * (0.5 + random() / 2);
}

export function createRetrying(
  prepared: ScheduledJob,
  slot: Slot,
  nextDispatchAt: number,
  signal: AbortSignal,
  clock: () => number,
): Retrying {
  const end = prepared.interval ? slot + prepared.job.catchupWindow : nextDispatchAt;
  let attempts = 1;
  let endedByNextSlot = false;
  return {
    get attempts() {
      return attempts;
    },
    get endedByNextSlot() {
      return endedByNextSlot;
    },
    async wait(_failure, onRetry) {
      if (!prepared.interval && attempts > prepared.job.retries) return false;
      const delay = retryDelay(attempts);
      const left = end - clock();
      if (left > delay) onRetry(delay);
      else if (!prepared.interval) {
        // Nothing more is tried before the next slot, so this one has failed now: recorded when the next is due, the failures
        // of many servers would stand in the way of its runs.
        endedByNextSlot = true;
        return false;
      }
      await sleep(Math.max(0, Math.min(delay, left)), signal);
      if (signal.aborted) return false;
      if (clock() >= end) {
        endedByNextSlot = !prepared.interval;
        return false;
      }
      attempts++;
      return true;
    },
  };
}

function sleep(duration: Milliseconds, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, duration);
    signal.addEventListener('abort', end, { once: true });
  });
}
