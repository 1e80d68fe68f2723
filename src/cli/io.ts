// What a command may touch of the world, so that every command is a function of it; and how its lines are written.
import type { Readable, Writable } from 'node:stream';
import pc from 'picocolors';

export interface CommandIo {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The options every command takes (design 9). */
export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
}

export interface Output {
  /** A line of data: stdout. Resolves when more may be written (a slow reader pauses us); false once the reader has gone. */
  data(line: string): Promise<boolean>;
  /** A line for people: stderr; nothing with `--quiet`. */
  note(line: string): void;
  /** A line that even `--quiet` shows: stderr. */
  complain(line: string): void;
  readonly color: boolean;
  readonly paint: ReturnType<typeof pc.createColors>;
  readonly json: boolean;
  readonly verbose: boolean;
  /** True once stdout's reader has gone (`pgtally tail T | head -1`): end quietly. */
  readonly closed: boolean;
}

export function createOutput(io: CommandIo, options: CommonOptions): Output {
  const color =
    options.color !== false && !io.env.NO_COLOR && (io.stderr.isTTY === true || io.env.FORCE_COLOR !== undefined);
  let closed = false;
  io.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
    io.stdout.emit('drain');
  });
  return {
    async data(line) {
      if (closed) return false;
      if (!io.stdout.write(`${line}\n`)) await new Promise<void>((resolve) => io.stdout.once('drain', resolve));
      return !closed;
    },
    note(line) {
      if (!options.quiet) io.stderr.write(`${line}\n`);
    },
    complain(line) {
      io.stderr.write(`${line}\n`);
    },
    color,
    paint: pc.createColors(color),
    json: options.json === true,
    verbose: options.verbose === true,
    get closed() {
      return closed;
    },
  };
}
