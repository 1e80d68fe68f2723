// What fails again and again is told when it begins, then at growing intervals with how often, and when it is over; a server
// that is down for a night is a dozen lines and not a thousand. Each failure has a line of its own or is in a later line's
// counts. What counts as one trouble is said by run-log.ts; fleets are gathered by fleet-lines.ts.
import { formatInstant, type JobName, type Milliseconds, type ServerName } from '../model/units.ts';
import type { FleetLines } from './fleet-lines.ts';
import type { Level, Log, LogFields } from './log.ts';

export interface Trouble {
  /** What has to work again for it to be over: a server, or one job on it. */
  readonly scope: string;
  readonly server: ServerName;
  /** Undefined when it is not the job's: then servers are gathered whatever the job was. */
  readonly job: JobName | undefined;
  /** What went wrong. It is told in full once, and once more where it comes to another stage. */
  readonly cause: string;
  readonly stage: string;
  readonly words: Words;
  readonly level: Exclude<Level, 'debug'>;
  readonly msg: string;
  /** Of the line in full. */
  readonly fields: LogFields;
  /** Of the lines that follow. */
  readonly brief: LogFields;
  readonly counts: Readonly<Record<string, number>>;
}

/** What is said of what goes on, of what went on before it was over, and of its end. */
export interface Words {
  readonly again: string;
  readonly between: string;
  readonly end: string;
}

export interface Troubles {
  met(trouble: Trouble): void;
  /** What the scope stands for works. Cheap when nothing is wrong. */
  over(scope: string): void;
  /** Only these are named by the files yet: of others nothing more is said than what was counted. */
  retain(known: (scope: string) => boolean): void;
  /** Says all that was counted and not told yet; nothing may be met after it. */
  close(): void;
}

/** Between the lines of what goes on. */
const TELL_AGAIN: readonly Milliseconds[] = [60_000, 5 * 60_000, 15 * 60_000, 60 * 60_000];
const FIRST_AGAIN = TELL_AGAIN[0] ?? 0;
const LOOK_EVERY: Milliseconds = 5000;
/** What comes back within this is the same trouble: a server that fails every other run is not news each time. */
const FORGIVEN_AFTER: Milliseconds = 10 * 60_000;

interface Cause {
  latest: Trouble;
  readonly stages: Set<string>;
  /** Since it was last over. */
  counts: Record<string, number>;
  untold: boolean;
  /** Index into TELL_AGAIN. */
  step: number;
  nextAt: number;
}

interface Streak {
  since: number;
  counts: Record<string, number>;
  readonly causes: Map<string, Cause>;
  /** When it ended; undefined while it goes on. */
  overSince: number | undefined;
  /** A line was written of which the reader has not been told the end. */
  open: boolean;
}

export function createTroubles(log: Log, lines: FleetLines, clock: () => number): Troubles {
  const streaks = new Map<string, Streak>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    const now = clock();
    for (const [scope, streak] of streaks) {
      for (const cause of streak.causes.values()) {
        if (cause.untold && now >= cause.nextAt) tellAgain(streak, cause, now);
      }
      if (isForgiven(streak, now)) streaks.delete(scope);
    }
    if (streaks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const tellAgain = (streak: Streak, cause: Cause, now: number): void => {
    const { level, server, job, brief, words } = cause.latest;
    cause.untold = false;
    cause.step = Math.min(cause.step + 1, TELL_AGAIN.length - 1);
    cause.nextAt = now + (TELL_AGAIN[cause.step] ?? 0);
    streak.open = true;
    const msg = streak.overSince === undefined ? words.again : words.between;
    lines.say({
      group: groupOf(msg, cause.latest),
      level: cause.counts.runs === undefined ? level : 'error',
      msg,
      server,
      fields: { job, since: formatInstant(wholeSecond(streak.since)), ...cause.counts, ...brief },
      shared: ['job', ...Object.keys(brief)],
      counts: { ...cause.counts },
    });
  };

  const tellEnd = (streak: Streak, trouble: Trouble, now: number): void => {
    const { server, job, words } = trouble;
    const { counts, since } = streak;
    lines.say({
      group: groupOf(words.end, trouble),
      level: 'info',
      msg: words.end,
      server,
      fields: { job, since: formatInstant(wholeSecond(since)), after_ms: now - since, ...counts },
      shared: ['job'],
      counts,
    });
    streak.open = false;
    streak.counts = {};
    for (const cause of streak.causes.values()) {
      cause.untold = false;
      cause.counts = {};
    }
  };

  const forget = (scope: string, streak: Streak): void => {
    streaks.delete(scope);
    for (const cause of streak.causes.values()) if (cause.untold) tellAgain(streak, cause, clock());
  };

  const streakOf = (scope: string, now: number): Streak => {
    const known = streaks.get(scope);
    if (known && !isForgiven(known, now)) return known;
    const streak: Streak = { since: now, counts: {}, causes: new Map(), overSince: undefined, open: false };
    streaks.set(scope, streak);
    timer ??= setInterval(look, LOOK_EVERY).unref();
    return streak;
  };

  return {
    met(trouble) {
      const now = clock();
      const { level, msg, server, job, fields, brief, stage } = trouble;
      const streak = streakOf(trouble.scope, now);
      // The time that is told begins with the first failure that the last line of an end did not count.
      if (Object.keys(streak.counts).length === 0) streak.since = now;
      streak.overSince = undefined;
      add(streak.counts, trouble.counts);
      let cause = streak.causes.get(trouble.cause);
      if (!cause) {
        cause = { latest: trouble, stages: new Set(), counts: {}, untold: false, step: 0, nextAt: now + FIRST_AGAIN };
        streak.causes.set(trouble.cause, cause);
      }
      cause.latest = trouble;
      add(cause.counts, trouble.counts);
      if (cause.stages.has(stage)) {
        cause.untold = true;
        log.debug(msg, fields);
        return;
      }
      cause.stages.add(stage);
      streak.open = true;
      const shared = [...(job === undefined ? [] : ['job']), 'outcome', ...Object.keys(brief)];
      lines.say({ group: groupOf(msg, trouble), level, msg, server, fields, shared, counts: trouble.counts });
    },
    over(scope) {
      if (streaks.size === 0) return;
      const streak = streaks.get(scope);
      if (!streak || streak.overSince !== undefined) return;
      const now = clock();
      streak.overSince = now;
      const last = [...streak.causes.values()].at(-1);
      if (streak.open && last) tellEnd(streak, last.latest, now);
    },
    retain(known) {
      for (const [scope, streak] of streaks) if (!known(scope)) forget(scope, streak);
    },
    close() {
      clearInterval(timer);
      for (const [scope, streak] of streaks) forget(scope, streak);
      lines.flush();
    },
  };
}

function isForgiven({ overSince, causes }: Streak, now: number): boolean {
  if (overSince === undefined || now - overSince < FORGIVEN_AFTER) return false;
  return [...causes.values()].every((cause) => !cause.untold && now >= cause.nextAt);
}

/** The same of different servers: by the job only where it is the job's. */
function groupOf(msg: string, { job, cause }: Trouble): string {
  return JSON.stringify([msg, job, cause]);
}

function add(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

function wholeSecond(instant: number): number {
  return Math.floor(instant / 1000) * 1000;
}
