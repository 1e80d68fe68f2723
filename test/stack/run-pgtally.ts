// The command as a user runs it: the compiled executable in a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { guardedCommand } from './guard.ts';
import { REPOSITORY } from './repository.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string | Buffer;
  /** The caller writes to `process.stdin` and ends it. */
  readonly keepStdinOpen?: boolean;
}

export interface CommandResult {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly process: ChildProcess;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the match of what it wrote to either output; rejects when it ends or `limit` ms pass without one. */
  waitFor(pattern: RegExp, limit?: number): Promise<RegExpExecArray>;
  /** Sends a signal (default SIGTERM) and resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<CommandResult>;
  /** Resolves when it ends by itself. */
  readonly result: Promise<CommandResult>;
}

/** Runs `pgtally` with these arguments to its end. */
export async function runPgtally(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return startPgtally(args, options).result;
}

/** Starts `pgtally` with these arguments; the caller ends it, or it ends with this process. */
export function startPgtally(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const guarded = guardedCommand(process.execPath, [executable(), ...args], 'TERM');
  const child = spawn(guarded.command, guarded.args, {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, ...options.env },
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  const took = () => {
    for (const check of waiting) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    took();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    took();
  });
  // A command that ends without reading its input breaks this pipe; its result says the rest.
  child.stdin.on('error', () => {});
  if (!options.keepStdinOpen) child.stdin.end(options.stdin ?? '');
  const result = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => guarded.forget(child));
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    result,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return result;
    },
    waitFor: (pattern, limit = 20_000) =>
      new Promise((resolve, reject) => {
        const written = () => `\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
        const finish = (settle: () => void) => {
          waiting.delete(check);
          clearTimeout(timer);
          settle();
        };
        const check = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match) finish(() => resolve(match));
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`nothing written matched ${pattern} within ${limit} ms${written()}`))),
          limit,
        );
        waiting.add(check);
        check();
        result.then(
          ({ code }) =>
            finish(() => reject(new Error(`ended with code ${code} before ${pattern} was written${written()}`))),
          (error: Error) => finish(() => reject(error)),
        );
      }),
  };
}

/** The copy that belongs to this test run, else what `npm run build` made. */
function executable(): string {
  return process.env.PGTALLY_TEST_COMMAND ?? join(REPOSITORY, 'dist', 'bin.js');
}
