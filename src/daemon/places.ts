// How many runs read from Postgres at a time. A place is held while a server answers: from the reply to `begin` to the last
// row. A server that does not answer holds none, so that it delays nobody; servers whose last attempt failed wait in a
// small pool of their own (design 5).
import type { JobName } from '../model/units.ts';

export interface Place {
  /** Gives the place to the next in line; calling it again does nothing. */
  giveBack(): void;
}

export interface Places {
  /** Resolves when the job may have one more server at work; in turn among jobs, in order within a job. */
  take(job: JobName, jobLimit: number, pool: 'main' | 'failing'): Promise<Place>;
  readonly taken: number;
  readonly waiting: number;
}

export const FAILING_POOL_SIZE = 8;

interface Line {
  readonly waiting: ((place: Place) => void)[];
  /** Index of the next in line; the array is cut when it has run empty, so that taking is O(1). */
  next: number;
  taken: number;
  limit: number;
}

/** `limit` places in the main pool, shared by all jobs in turn. */
export function createPlaces(limit: number): Places {
  const pools = { main: createPool(limit), failing: createPool(FAILING_POOL_SIZE) };
  return {
    take: (job, jobLimit, pool) => pools[pool].take(job, jobLimit),
    get taken() {
      return pools.main.taken + pools.failing.taken;
    },
    get waiting() {
      return pools.main.waiting + pools.failing.waiting;
    },
  };
}

interface Pool {
  take(job: JobName, jobLimit: number): Promise<Place>;
  readonly taken: number;
  readonly waiting: number;
}

function createPool(limit: number): Pool {
  const lines = new Map<JobName, Line>();
  let taken = 0;
  let waiting = 0;

  const grant = (line: Line): Place => {
    taken++;
    line.taken++;
    let held = true;
    return {
      giveBack() {
        if (!held) return;
        held = false;
        taken--;
        line.taken--;
        serve();
      },
    };
  };

  /** Serves the jobs in turn: a job that was served goes to the end of the map's order. */
  const serve = (): void => {
    if (waiting === 0 || taken >= limit) return;
    for (const [job, line] of lines) {
      if (taken >= limit || waiting === 0) return;
      const resolve = line.waiting[line.next];
      if (!resolve || line.taken >= line.limit) continue;
      line.next++;
      waiting--;
      if (line.next === line.waiting.length) {
        line.waiting.length = 0;
        line.next = 0;
      }
      lines.delete(job);
      lines.set(job, line);
      resolve(grant(line));
    }
  };

  return {
    take(job, jobLimit) {
      let line = lines.get(job);
      if (!line) {
        line = { waiting: [], next: 0, taken: 0, limit: jobLimit };
        lines.set(job, line);
      }
      line.limit = jobLimit;
      if (taken < limit && line.taken < line.limit && line.next === line.waiting.length)
        return Promise.resolve(grant(line));
      const waitingLine = line;
      waiting++;
      return new Promise((resolve) => waitingLine.waiting.push(resolve));
    },
    get taken() {
      return taken;
    },
    get waiting() {
      return waiting;
    },
  };
}
