// A line of progress on stderr, on a terminal only; gone when the work is done.
import type { CommandContext } from './context.ts';

export interface Progress {
  step(): void;
  /** Wipes the line, before something else is printed. */
  clear(): void;
}

const WIDTH = 30;
/** Not worth a line below this many steps. */
const WORTHWHILE = 4;

export function createProgress({ io, options }: CommandContext, total: number): Progress {
  const shown = io.stderr.isTTY === true && options.quiet !== true && total >= WORTHWHILE;
  let done = 0;
  return {
    step() {
      done++;
      if (!shown || done >= total) return;
      const filled = Math.floor((done / total) * WIDTH);
      io.stderr.write(`\r[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${done}/${total}`);
    },
    clear() {
      if (shown) io.stderr.write('\r\x1b[K');
    },
  };
}
