// Which servers are down, since when, and when it is worth trying again: a dead server is probed rarely, whatever the
// number of its jobs, and says since when it is down.
import type { Failure } from '../model/failure.ts';
import type { Milliseconds, ServerName } from '../model/units.ts';

/** So many attempts in a row must fail to reach a server before it counts as down. */
const FAILURES_TO_OPEN = 3;
const FIRST_PROBE_AFTER: Milliseconds = 2_000;
const LONGEST_PROBE_AFTER: Milliseconds = 60_000;

export interface DownServer {
  readonly since: number;
  readonly failure: Failure;
  readonly nextProbe: number;
}

export interface Breaker {
  /** Undefined when an attempt may be made (a probe counts as one: the next caller has to wait for its end). */
  refuse(server: ServerName, now: number): DownServer | undefined;
  succeeded(server: ServerName): void;
  failed(server: ServerName, failure: Failure, now: number): void;
  /** The servers whose last attempt failed for want of a connection. */
  isFailing(server: ServerName): boolean;
  readonly down: ReadonlyMap<ServerName, DownServer>;
}

interface Entry {
  failures: number;
  since: number;
  failure: Failure;
  nextProbe: number;
}

/** Only failures to reach a server count (`connection`, `timeout`); an SQL error proves that it lives. */
export function createBreaker(): Breaker {
  const entries = new Map<ServerName, Entry>();
  return {
    refuse(server, now) {
      const entry = entries.get(server);
      if (!entry || entry.failures < FAILURES_TO_OPEN) return undefined;
      // A clock that was set back leaves a probe further ahead than any is planned.
      if (now >= entry.nextProbe || entry.nextProbe - now > LONGEST_PROBE_AFTER) {
        entry.nextProbe = now + probeAfter(entry.failures);
        return undefined;
      }
      return entry;
    },
    succeeded(server) {
      entries.delete(server);
    },
    failed(server, failure, now) {
      if (failure.kind !== 'connection' && failure.kind !== 'timeout') {
        entries.delete(server);
        return;
      }
      const entry = entries.get(server) ?? { failures: 0, since: now, failure, nextProbe: 0 };
      entry.failures++;
      entry.failure = failure;
      entry.nextProbe = now + probeAfter(entry.failures);
      entries.set(server, entry);
    },
    isFailing: (server) => entries.has(server),
    get down() {
      return new Map([...entries].filter(([, entry]) => entry.failures >= FAILURES_TO_OPEN));
    },
  };
}

function probeAfter(failures: number): Milliseconds {
  return Math.min(LONGEST_PROBE_AFTER, FIRST_PROBE_AFTER * 2 ** Math.max(0, failures - FAILURES_TO_OPEN));
}
