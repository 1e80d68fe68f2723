// Waiting for a process: until it says in its log that it is ready, until it has done its work, until it is gone.

import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** The server ended or stayed silent; `log` is the end of what it wrote. */
export class StartFailure extends Error {
  readonly log: string;
  constructor(message: string, log: string) {
    super(log === '' ? message : `${message}; the end of its log:\n${log}`);
    this.log = log;
  }
}

/**
 * Resolves once the log file matches `ready`. Rejects with StartFailure when the process ends before that, or after
 * `limit` milliseconds (the process is then killed).
 */
export async function waitForLog(
  child: ChildProcess,
  logFile: string,
  ready: RegExp,
  name: string,
  limit = 60_000,
): Promise<void> {
  const deadline = Date.now() + limit;
  let spawnError: Error | undefined;
  child.once('error', (error) => {
    spawnError = error;
  });
  for (;;) {
    const log = readFileSync(logFile, 'utf8');
    if (ready.test(log)) return;
    if (spawnError) throw new StartFailure(`${name} cannot be started: ${spawnError.message}`, '');
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new StartFailure(`${name} ended with ${child.signalCode ?? `code ${child.exitCode}`}`, lastLines(log));
    }
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new StartFailure(`${name} was not ready within ${limit / 1000} s`, lastLines(log));
    }
    await sleep(15);
  }
}

/** Resolves when a process has ended well; rejects with StartFailure when it has not. */
export async function waitForExit(child: ChildProcess, logFile: string, name: string): Promise<void> {
  const code = await new Promise<number | null>((resolve, reject) => {
    child.ref();
    child.once('exit', resolve);
    child.once('error', reject);
  });
  if (code !== 0) throw new StartFailure(`${name} failed`, lastLines(readFileSync(logFile, 'utf8')));
}

/** Resolves when the process is gone; sends `signal` first, and SIGKILL after `grace` milliseconds. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals, grace = 15_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.ref();
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), grace);
  await gone;
  clearTimeout(timer);
}

function lastLines(log: string): string {
  return log.trimEnd().split('\n').slice(-15).join('\n');
}
