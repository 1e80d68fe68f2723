// Processes and temporary folders that end with this process: on return, SIGINT, SIGTERM, a crash and kill -9 alike.
// One small shell process (guard.sh) waits for the end of a pipe that only this process holds, then ends every server
// that registered itself and removes the folder below which all of them keep their files.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './repository.ts';

/**
 * What ends a program when this process is gone, before KILL 5 s later: Postgres needs QUIT (its children end with it),
 * a JVM KILL.
 */
export type EndSignal = 'TERM' | 'QUIT' | 'KILL';

export interface GuardedOptions {
  /** A file that takes both outputs. A file, not a pipe: a server must not stall when this process is busy. */
  readonly logFile: string;
  readonly endWith: EndSignal;
  readonly env?: NodeJS.ProcessEnv;
  /** User and group id to run as. */
  readonly user?: number;
  readonly stdin?: 'ignore' | 'pipe';
}

/** Free space from which files are kept in memory, in bytes. */
const ENOUGH_MEMORY = 4 * 1024 ** 3;

/** Where they are kept; in the environment, so that threads and child processes keep theirs there too. */
const FILES = 'PGTALLY_TEST_FILES';

let root: string | undefined;

/**
 * Has the files of what is started after this kept in memory (/dev/shm) where there is room: Postgres is made in a
 * third of the time. For tests; a benchmark wants a disk.
 */
export function keepFilesInMemory(): void {
  if (process.env[FILES] !== undefined || !existsSync('/dev/shm')) return;
  const { bavail, bsize } = statfsSync('/dev/shm');
  if (bavail * bsize > ENOUGH_MEMORY) process.env[FILES] = '/dev/shm';
}

/** A new folder, readable by every user, that is removed with this process. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(guardedRoot(), `${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/**
 * Starts a program in a session of its own, so that Ctrl-C in a terminal reaches only this process, which then
 * decides the order in which things end. It does not keep this process alive.
 */
export function spawnGuarded(command: string, args: readonly string[], options: GuardedOptions): ChildProcess {
  const log = openSync(options.logFile, 'a');
  const guarded = guardedCommand(command, args, options.endWith);
  const child = spawn(guarded.command, guarded.args, {
    detached: true,
    stdio: [options.stdin ?? 'ignore', log, log],
    cwd: guardedRoot(),
    env: options.env ?? process.env,
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
  });
  closeSync(log);
  child.once('exit', () => guarded.forget(child));
  child.unref();
  return child;
}

export interface GuardedCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** To be called when the process has ended, before its id can belong to another. */
  forget(child: ChildProcess): void;
}

/** What to spawn in place of a command, so that it ends with this process, by the signal named. */
export function guardedCommand(command: string, args: readonly string[], endWith: EndSignal): GuardedCommand {
  // The shell registers its own process id, then becomes the program: nothing runs that the guard does not know.
  const register = 'mkdir "$0/$$-$1" && shift && exec "$@"';
  return {
    command: '/bin/sh',
    args: ['-c', register, join(guardedRoot(), 'running'), endWith, command, ...args],
    forget: (child) => forget(`${child.pid}-${endWith}`),
  };
}

/** Has a Docker container removed when this process is gone; the function returned ends that again. */
export function guardContainer(name: string): () => void {
  mkdirSync(join(guardedRoot(), 'running', `${name}-CONTAINER`));
  return () => forget(`${name}-CONTAINER`);
}

function forget(entry: string): void {
  try {
    rmdirSync(join(guardedRoot(), 'running', entry));
  } catch (error) {
    // It never got as far as registering itself.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function guardedRoot(): string {
  if (root !== undefined) return root;
  const folder = mkdtempSync(join(process.env[FILES] ?? tmpdir(), 'pgtally-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'running'));
  chmodSync(join(folder, 'running'), 0o1777);
  const guard = spawn('/bin/sh', [join(REPOSITORY, 'test', 'stack', 'guard.sh'), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    // It must find mv and rm whatever a test has made of the search path.
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/local/bin:/usr/bin:/bin` },
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  root = folder;
  return root;
}
