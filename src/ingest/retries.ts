// Trying a step against Postgres again: a few times in a row, each after a longer wait, and only what may pass.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';

export interface Retries {
  /**
   * The step's result; undefined after a failure that may pass, when it has been waited for. Rejects with the failure that may
   * not, or that came once too often, or after `signal`.
   */
  attempt<T>(step: () => Promise<T>): Promise<T | undefined>;
  /** Something was achieved: failures are counted from here. */
  progressed(): void;
  /** Failures since then. */
  readonly failures: number;
}

const FIRST_WAIT: Milliseconds = 20;
const LONGEST_WAIT: Milliseconds = 5000;
/** A statement that ran into its limit: a smaller or later one may not. */
const STATEMENT_TIMEOUT = '57014';

/** Up to `most` failures in a row are passed over. */
export function createRetries(most: number, signal: AbortSignal): Retries {
  let failures = 0;
  return {
    async attempt(step) {
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        const mayPass = error.retryable || error.code === STATEMENT_TIMEOUT;
        if (!mayPass || failures >= most || signal.aborted) throw error;
        failures++;
        const wait = Math.min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT);
        // Cut short by the signal, after which the next step says why.
        await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
        return undefined;
      }
    },
    progressed() {
      failures = 0;
    },
    get failures() {
      return failures;
    },
  };
}
