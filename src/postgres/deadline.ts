// A limit in time and a caller's AbortSignal as one signal, and waiting for a socket under it. Nothing about Postgres.
import type { EventEmitter } from 'node:events';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';

export interface Deadline {
  /** Aborted with a Failure as its reason: the one given at the limit, or what the caller's signal says. */
  readonly signal: AbortSignal;
  /** Call it when the work has ended, well or not: frees the timer and lets go of the caller's signal. */
  end(): void;
}

/** Starts the clock. `late` makes the Failure for the moment when `limit` has passed. */
export function startDeadline(limit: Milliseconds, outer: AbortSignal | undefined, late: () => Failure): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(late()), limit);
  const onOuter = (): void => controller.abort(abortReason(outer));
  if (outer?.aborted) onOuter();
  outer?.addEventListener('abort', onOuter, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onOuter);
    },
  };
}

/** Why a signal was aborted, as a Failure: the one it was aborted with, else a cancellation. */
export function abortReason(signal: AbortSignal | undefined): Failure {
  const reason: unknown = signal?.reason;
  if (reason instanceof Failure) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return new Failure('the time limit of the run has passed', { kind: 'timeout', cause: reason });
  }
  return new Failure('cancelled', { kind: 'cancelled', cause: reason });
}

/**
 * Resolves with the first argument of `event`; rejects on `error`, when the socket is closed before, or with the
 * signal's reason. (`events.once` would wait for ever for a socket that is closed without an error.)
 */
export function nextEvent(socket: EventEmitter, event: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (action: () => void) => () => {
      socket.off(event, onEvent).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      action();
    };
    const onEvent = (value: unknown): void => settle(() => resolve(value))();
    const onError = (error: unknown): void => settle(() => reject(error))();
    const onClose = settle(() => reject(Object.assign(new Error('connection closed'), { code: 'CONNECTION_CLOSED' })));
    const onAbort = settle(() => reject(signal.reason as Failure));
    if (signal.aborted) return onAbort();
    socket.once(event, onEvent).once('error', onError).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
