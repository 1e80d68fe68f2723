// The timers of kafkajs's request queues, which wake a process that has nothing to do: one queue a connection, each with an
// interval of 100 ms and a timer after every answer. Corrected: one interval for all of them, and a timer only for a throttle.

/** The fields of kafkajs's RequestQueue that are used here. */
export interface RequestQueue {
  readonly enforceRequestTimeout: boolean;
  readonly inflight: ReadonlyMap<number, SocketRequest>;
  readonly pending: readonly unknown[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  throttledUntil: number;
  isConnected(): boolean;
  checkPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  scheduleCheckPendingRequests(): void;
  destroy: (this: RequestQueue) => void;
}

interface SocketRequest {
  readonly sentAt: number;
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

/** Puts the corrected functions into kafkajs's class. */
export function quietConnections(prototype: RequestQueue): void {
  const { destroy } = prototype;
  prototype.scheduleRequestTimeoutCheck = watchTimeouts;
  prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
  prototype.destroy = function (): void {
    forget(this);
    destroy.call(this);
  };
}

/** Whether `quietConnections` was done to it. */
export function areConnectionsQuiet(prototype: RequestQueue): boolean {
  return (
    prototype.scheduleRequestTimeoutCheck === watchTimeouts &&
    prototype.scheduleCheckPendingRequests === scheduleCheckPendingRequests
  );
}

/** How exactly a request's timeout (seconds) is kept, in milliseconds. */
const LOOK_EVERY = 500;

const watched = new Set<RequestQueue>();
let watch: NodeJS.Timeout | undefined;

function watchTimeouts(this: RequestQueue): void {
  if (!this.enforceRequestTimeout) return;
  watched.add(this);
  watch ??= setInterval(lookForTimeouts, LOOK_EVERY);
}

function lookForTimeouts(): void {
  const now = Date.now();
  for (const queue of watched) {
    for (const request of queue.inflight.values()) {
      if (now - request.sentAt > request.requestTimeout) request.timeoutRequest();
    }
    if (!queue.isConnected()) queue.destroy();
  }
}

function forget(queue: RequestQueue): void {
  watched.delete(queue);
  if (watched.size > 0) return;
  clearInterval(watch);
  watch = undefined;
}

/** How soon a throttled queue that should be free by now is looked at again, in milliseconds. */
const RECHECK = 10;

/**
 * kafkajs's own arms a timer after every answer, due at once, which arms the next: 894 wake-ups a second on an idle
 * connection, and a TimeoutNegativeWarning on Node 24. A timer is needed only while a request waits for a throttle to end.
 */
function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
  const wait = this.throttledUntil - Date.now();
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    wait > 0 ? wait : RECHECK,
  );
}
