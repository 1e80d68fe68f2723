// Every second: which (job, server)s may have something due. It only asks; each target decides and works for itself.
import type { Server } from '../model/project.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import type { Timetable } from '../project/prepared.ts';
import { nextTick } from '../schedule/ticks.ts';
import type { ScheduledJob } from './scheduled.ts';
import type { Target } from './target-contract.ts';

export interface Dispatcher {
  /** The jobs as they are now. Targets whose job and server did not change go on; changed ones follow when their run has ended. */
  update(jobs: readonly ScheduledJob[]): void;
  /** The clock's wake-up: starts what has become due, the first at once and others between other work. */
  wake(): void;
  /** Looks at every target, after the ledger changed. */
  evaluateAll(): void;
  readonly targets: readonly Target[];
  /** Starts nothing new; what still runs after `grace` is cancelled. Resolves when nothing runs. */
  stop(grace: Milliseconds): Promise<void>;
  /** Whether a run of (job, server) is under way. */
  busy(job: string, server: string): boolean;
}

export type MakeTarget = (prepared: ScheduledJob, timetable: Timetable, server: Server) => Target;

/** So many targets are looked at before others have a turn: the first of a thousand runs are sent while the last are prepared. */
const SLICE = 32;

interface Entry {
  readonly key: string;
  readonly target: Target;
  readonly identity: string;
  readonly timetable: Timetable;
  /** When its next slot is dispatched; before, nothing needs to be looked at. */
  nextDue: number;
}

/**
 * Clocks and wake-ups come in from outside, so that time can be tested without waiting. Of what a wake-up finds to be due, the
 * lowest `rankOf` is started first.
 */
export function createDispatcher(
  makeTarget: MakeTarget,
  rankOf: (job: JobName, server: ServerName) => number,
  clock: () => number,
): Dispatcher {
  const entries = new Map<string, Entry>();
  /** Targets that were replaced or removed and still run. */
  const leaving = new Map<string, Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  /** What a wake-up found to be due and was not looked at yet. */
  const due = new Set<Entry>();
  let slicing = false;
  let stopping = false;
  /** The latest time at which anything was looked at. */
  let latest = Number.NEGATIVE_INFINITY;

  const keyOf = (job: string, server: string): string => `${job}/${server}`;

  const evaluate = (entry: Entry): void => {
    const now = clock();
    latest = Math.max(latest, now);
    entry.target.evaluate();
    entry.nextDue =
      nextTick(entry.timetable.schedule, entry.timetable.timezone, now - entry.target.lateBy) + entry.target.lateBy;
  };

  const evaluateDue = (): void => {
    slicing = false;
    let left = SLICE;
    for (const entry of due) {
      due.delete(entry);
      evaluate(entry);
      if (--left === 0) break;
    }
    if (due.size === 0) return;
    slicing = true;
    setImmediate(evaluateDue);
  };

  /** A splay or delay may fall between two wake-ups: those have a timer of their own. */
  const evaluateAt = (entry: Entry, due: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!stopping) evaluate(entry);
    }, due - clock());
    timers.add(timer);
  };

  const remove = (entry: Entry): void => {
    const { key } = entry;
    entries.delete(key);
    due.delete(entry);
    const left = entry.target.stop().finally(() => leaving.delete(key));
    leaving.set(key, left);
  };

  const add = (entry: Entry): void => {
    const { key } = entry;
    entries.set(key, entry);
    const before = leaving.get(key);
    if (before) void before.then(() => entries.get(key) === entry && !stopping && evaluate(entry));
  };

  return {
    update(jobs) {
      const wanted = new Set<string>();
      for (const prepared of jobs) {
        const { timetable } = prepared;
        if (!timetable) continue;
        for (const server of prepared.job.servers) {
          const key = keyOf(prepared.job.name, server.name);
          wanted.add(key);
          const identity = JSON.stringify([prepared.fingerprint, server], withoutPlaces);
          const existing = entries.get(key);
          if (existing?.identity === identity) continue;
          if (existing) remove(existing);
          add({ key, target: makeTarget(prepared, timetable, server), identity, timetable, nextDue: 0 });
        }
      }
      for (const entry of entries.values()) if (!wanted.has(entry.key)) remove(entry);
    },
    wake() {
      if (stopping) return;
      const now = clock();
      if (now < latest) {
        // The clock was set back: what was computed by the other time may lie days ahead.
        for (const entry of entries.values()) entry.nextDue = 0;
        latest = now;
      }
      const found: Entry[] = [];
      for (const entry of entries.values()) {
        if (leaving.has(entry.key)) continue;
        if (entry.nextDue <= now) found.push(entry);
        else if (entry.nextDue < now + 1000 && entry.nextDue % 1000 !== 0) evaluateAt(entry, entry.nextDue);
      }
      const ranked = found.map((entry) => ({
        entry,
        rank: rankOf(entry.target.prepared.job.name, entry.target.server.name),
      }));
      // Those that an earlier wake-up found stay before them.
      for (const { entry } of ranked.sort((a, b) => a.rank - b.rank)) due.add(entry);
      if (!slicing) evaluateDue();
    },
    evaluateAll() {
      if (stopping) return;
      for (const entry of entries.values()) if (!leaving.has(entry.key)) entry.target.evaluate();
    },
    get targets() {
      return [...entries.values()].map((entry) => entry.target);
    },
    busy: (job, server) => entries.get(keyOf(job, server))?.target.busy === true || leaving.has(keyOf(job, server)),
    async stop(grace) {
      stopping = true;
      due.clear();
      for (const timer of timers) clearTimeout(timer);
      const all = [...entries.values()].map((entry) => entry.target);
      const ended = Promise.all([...all.map((target) => target.stop()), ...leaving.values()]);
      const timer = setTimeout(() => {
        for (const target of all) target.cancel('pgtally is stopping');
      }, grace);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Where something was declared is not what it is. */
function withoutPlaces(key: string, value: unknown): unknown {
  return key === 'declared' || key === 'file' || key === 'span' ? undefined : value;
}
