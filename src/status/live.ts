// The fleet while somebody looks: it follows the ledger, tells the open pages what changed once a second, and stops when the last
// one has gone. When nobody looks, nothing is followed, decoded or kept.
import { randomBytes } from 'node:crypto';
import { parseRecord } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import { type FleetState, readFleet, timingOf } from './fleet-state.ts';
import type { StatusSource } from './source.ts';
import { type RunTuple, type Timing, toRun } from './wire.ts';

/** Tells one page: the event's name and its data. */
export type Send = (event: string, data: unknown) => void;

export interface Live {
  /** What a page begins with. Events of the same `epoch` with a higher `seq` are to be added to it. */
  state(): Promise<FleetState & Moment & Vitals>;
  /** Sends `hello` (a Moment), then what changes. Returns what ends it. */
  attach(send: Send): () => void;
  /** To all pages, at once. */
  tell: Send;
  /** The files were read again: pages begin anew. */
  restart(): void;
  close(): void;
}

export interface Moment {
  readonly epoch: string;
  readonly seq: number;
}

/** What is cheap to tell whole whenever it changes. */
export interface Vitals {
  readonly fleet: Readonly<Record<string, unknown>>;
  readonly timing: Readonly<Record<JobName, Timing>>;
  readonly lags: Readonly<Record<JobName, Readonly<Record<number, number>>>>;
}

const TELL_EVERY: Milliseconds = 1000;
/** A page that loads again, or a script that asks now and then, need not begin from nothing. */
const LINGER: Milliseconds = 15_000;

export function createLive(source: StatusSource): Live {
  const pages = new Set<Send>();
  let epoch = '';
  let seq = 0;
  let timer: NodeJS.Timeout | undefined;
  let unfollow: (() => void) | undefined;
  let idleSince = 0;
  let building: Promise<FleetState & Moment & Vitals> | undefined;
  let waiting: { job: JobName; server: ServerName; text: string | null }[] = [];
  let told: Record<string, string> = {};

  const tell: Send = (event, data) => {
    for (const send of pages) send(event, data);
  };
  /** Whatever was told so far holds no longer. */
  const restart = (): void => {
    if (!timer) return;
    begin();
    tell('restart', { epoch, seq });
  };
  const begin = (): void => {
    epoch = randomBytes(6).toString('base64url');
    seq = 0;
    waiting = [];
    building = undefined;
    unfollow?.();
    unfollow = source.ledger()?.follow({
      recorded(job, server, text) {
        seq++;
        if (pages.size > 0) waiting.push({ job, server, text });
      },
      cleared: restart,
      paused(job) {
        seq++;
        const pause = source.ledger()?.pauses().get(job);
        tell('pause', { job, pause: pause ?? null });
      },
    });
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
    unfollow?.();
    unfollow = undefined;
    waiting = [];
    told = {};
  };
  const wanted = (): void => {
    idleSince = source.clock();
    if (timer) return;
    begin();
    timer = setInterval(look, TELL_EVERY);
    timer.unref();
  };

  /** Once a second. */
  function look(): void {
    const now = source.clock();
    if (pages.size > 0) idleSince = now;
    else if (now - idleSince > LINGER || now < idleSince) {
      stop();
      return;
    }
    // The ledger was joined after the first page was opened.
    if (!unfollow && source.ledger()) restart();
    if (pages.size === 0) return;
    if (waiting.length > 0) {
      tell('runs', changesOf(waiting, seq));
      waiting = [];
    }
    const vitals = vitalsOf(source, now);
    tellChanged('fleet', vitals.fleet);
    tellChanged('lags', vitals.lags);
    tellTiming(vitals.timing);
  }
  const isNew = (name: string, value: unknown): boolean => {
    const text = JSON.stringify(value);
    if (told[name] === text) return false;
    told[name] = text;
    return true;
  };
  const tellChanged = (event: string, data: unknown): void => {
    if (isNew(event, data)) tell(event, data);
  };
  const tellTiming = (timing: Vitals['timing']): void => {
    const changed = Object.entries(timing).filter(([job, times]) => isNew(`timing ${job}`, times));
    if (changed.length > 0) tell('timing', Object.fromEntries(changed));
  };

  return {
    async state() {
      wanted();
      // Of several that ask at once one reads.
      building ??= (async () => {
        const moment = { epoch, seq };
        try {
          return { ...moment, ...(await readFleet(source)), ...vitalsOf(source, source.clock()) };
        } finally {
          building = undefined;
        }
      })();
      return building;
    },
    attach(send) {
      wanted();
      send('hello', { epoch, seq });
      pages.add(send);
      // The new page may have a state of before the last look.
      told = {};
      return () => {
        pages.delete(send);
        idleSince = source.clock();
      };
    },
    tell,
    restart,
    close: stop,
  };
}

function changesOf(waiting: readonly { job: JobName; server: ServerName; text: string | null }[], seq: number) {
  const runs: Record<JobName, RunTuple[]> = {};
  const gone: [JobName, ServerName][] = [];
  for (const { job, server, text } of waiting) {
    if (text === null) {
      gone.push([job, server]);
      continue;
    }
    try {
      const list = runs[job] ?? [];
      list.push(toRun(server, parseRecord(text)));
      runs[job] = list;
    } catch (error) {
      // Told with the next state; a page cannot show it.
      if (!(error instanceof Failure)) throw error;
    }
  }
  return { seq, runs, ...(gone.length > 0 ? { gone } : {}) };
}

function vitalsOf(source: StatusSource, now: number): Vitals {
  const ledger = source.ledger();
  const timing: Record<JobName, Timing> = {};
  for (const prepared of source.jobs()) {
    const times = timingOf(prepared, now);
    if (times) timing[prepared.job.name] = times;
  }
  return {
    fleet: {
      available: ledger?.available ?? false,
      self: ledger?.self ?? null,
      replicas: (ledger?.replicas() ?? []).map(({ replica, state, heard, shards }) => ({
        replica,
        state,
        heard,
        shards,
      })),
      shards: (ledger?.shards() ?? []).map(({ status, owner }) => ({ status, owner: owner ?? null })),
    },
    timing,
    lags: Object.fromEntries([...source.ingestLags()].map(([job, lags]) => [job, Object.fromEntries(lags)])),
  };
}
