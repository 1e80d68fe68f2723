// One statement under a limit and a signal: when it has to stop, it is cancelled on the server, and if that has no
// effect within a second its connection is closed. So nothing that waits for Postgres waits for ever.
import type { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { abortReason } from './deadline.ts';

/** How long a cancelled statement may go on before its connection is closed. */
export const CANCEL_GRACE: Milliseconds = 900;
/** A cancel that reaches the backend before its statement does is ignored by Postgres: it is repeated. */
const CANCEL_INTERVAL: Milliseconds = 250;

/** What a statement runs on. */
export interface Stoppable {
  /** Drops what is still received for the statement. */
  discard(): void;
  /** Sends one cancel request; resolves when it has been sent. */
  requestCancel(limit: Milliseconds): Promise<void>;
  /** Closes the connection, telling the statement why. */
  destroy(reason: unknown): void;
}

export interface Supervision {
  readonly limit: Milliseconds;
  readonly signal: AbortSignal | undefined;
  /** The failure when `limit` has passed. */
  readonly late: () => Failure;
}

/**
 * Runs `work`, which gets a function to stop itself with an error. Rejects with that error, with the signal's reason,
 * or with `late()` after the limit; what ended well before it could be stopped is a success all the same, except when
 * `work` stopped itself.
 */
export async function supervise<T>(
  work: (stop: (error: unknown) => void) => Promise<T>,
  target: Stoppable,
  { limit, signal, late }: Supervision,
): Promise<T> {
  if (signal?.aborted) throw abortReason(signal);
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let stopped: { readonly error: unknown; readonly byWork: boolean; readonly cancelled: Promise<void> } | undefined;
  const stop = (error: unknown, byWork: boolean): void => {
    if (stopped) return;
    stopped = { error, byWork, cancelled: cancelUntil(settled, target, error) };
    target.discard();
  };
  const onAbort = (): void => stop(abortReason(signal), false);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => stop(late(), false), limit);
  try {
    const result = await work((error) => stop(error, true));
    if (stopped?.byWork) throw stopped.error;
    return result;
  } catch (error) {
    throw stopped ? stopped.error : error;
  } finally {
    settle();
    signal?.removeEventListener('abort', onAbort);
    clearTimeout(timer);
    // A request that is still under way could hit the next statement of this connection.
    await stopped?.cancelled;
  }
}

async function cancelUntil(settled: Promise<void>, target: Stoppable, reason: unknown): Promise<void> {
  let over = false;
  void settled.then(() => {
    over = true;
    clearTimeout(closing);
  });
  const closing = setTimeout(() => target.destroy(reason), CANCEL_GRACE);
  const end = performance.now() + CANCEL_GRACE;
  for (let left: Milliseconds = CANCEL_GRACE; !over && left > 0; left = end - performance.now()) {
    try {
      await target.requestCancel(left);
    } catch {
      // The server takes no request: only closing the connection helps.
      if (!over) target.destroy(reason);
    }
    if (!over) await pause(settled, CANCEL_INTERVAL);
  }
}

/** Waits for `duration`, or less when `until` resolves. */
async function pause(until: Promise<void>, duration: Milliseconds): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, duration);
  });
  await Promise.race([until, passed]);
  clearTimeout(timer);
}
