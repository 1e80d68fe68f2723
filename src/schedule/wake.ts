// Wakes the daemon each second, by node-cron, and does nothing else: what is due is computed from the clock (ticks.ts), so a
// wake-up that is late or missing loses no slot. Owns node-cron 4.6.0 and the corrections that make it last.
import type { ScheduledTask } from 'node-cron';

export interface Waking {
  stop(): void;
}

/** No wake-up for so long (real time) means that node-cron waits for a second that the clock has moved away from. */
const SILENCE = 2500;

/**
 * Calls `onWake` with the current time (epoch milliseconds by `clock`) at the start of each second, until stopped. After a
 * blocked event loop or a clock jump in either direction it is called once, then each second again. Should `onWake` throw,
 * the error is uncaught, as from a timer: node-cron would only log it.
 */
export async function startWaking(onWake: (now: number) => void, clock: () => number = Date.now): Promise<Waking> {
  const { schedule } = await import('node-cron');
  let stopped = false;
  let lastWake = performance.now();
  const wake = (): void => {
    lastWake = performance.now();
    queueMicrotask(() => {
      if (!stopped) onWake(clock());
    });
  };
  const task = schedule('* * * * * *', wake, { timezone: 'UTC', suppressMissedWarning: true });
  correctNextMatch(task);

  // A clock set back by an hour leaves node-cron waiting for an hour: begin anew from the clock as it is.
  const watch = setInterval(() => {
    if (performance.now() - lastWake < SILENCE) return;
    void task.stop();
    void task.start();
    wake();
  }, 1000);

  return {
    stop: (): void => {
      stopped = true;
      clearInterval(watch);
      void task.destroy();
    },
  };
}

/**
 * After a pause node-cron 4.6.0 walks every second of it, through Intl, before it goes on: a laptop that slept for a day
 * blocks the process for 7 s, for a week 46 s and 400 MB. Its matcher is replaced by one that knows that every second
 * matches and that leaps over the past.
 */
function correctNextMatch(task: ScheduledTask): void {
  const { timeMatcher } = task as ScheduledTask & { timeMatcher?: { getNextMatch?: (after: Date) => Date } };
  if (!timeMatcher?.getNextMatch) throw new Error('node-cron is not the version this correction was made for (4.6.0)');
  timeMatcher.getNextMatch = (after: Date): Date => {
    const following = Math.floor(after.getTime() / 1000) * 1000 + 1000;
    const present = Math.floor(Date.now() / 1000) * 1000;
    return new Date(Math.max(following, present));
  };
}
