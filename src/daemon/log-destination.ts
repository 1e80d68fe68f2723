// Where log lines go: a stream that may end, fill up or break while the daemon goes on. Lines that could not be written are
// counted, and once one can be again it is said how many there were.
/** What is used of standard error, which an error does not end. */
export interface LogStream {
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: () => void): unknown;
}

export interface LogDestination {
  readonly write: (line: string) => void;
  /** Lines that could not be written. */
  readonly lost: number;
}

/**
 * Writes to `stream`, whose errors (EPIPE when the reader has gone, ENOSPC) end nothing from now on. Standard error is
 * written synchronously to files, pipes and terminals on POSIX (Node, "A note on process I/O"): nothing waits in memory that
 * the end of the process would lose. `onRecovered` is told how many lines were lost, when the first one after them was written.
 */
export function createLogDestination(stream: LogStream, onRecovered: (lost: number) => void): LogDestination {
  let lost = 0;
  let told = 0;
  // A failure is counted where it was written; without a listener the error would end the process.
  stream.on('error', () => undefined);
  const settled = (error: unknown): void => {
    if (error) {
      lost++;
      return;
    }
    if (lost === told) return;
    const untold = lost - told;
    told = lost;
    onRecovered(untold);
  };
  return {
    write(line) {
      stream.write(line, settled);
    },
    get lost() {
      return lost;
    },
  };
}
