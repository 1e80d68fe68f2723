// One direction of a proxied connection: what is put in comes out later, at a rate, or when a gate opens, in order.

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The state of the line; read for every piece, so that changes take effect at once. */
export interface Line {
  /** Milliseconds each way. */
  latency: number;
  /** Bytes a second each way; undefined = as fast as it goes. */
  rate: number | undefined;
  /** While this is pending nothing moves. */
  open: Promise<void>;
}

export interface PipePiece {
  readonly bytes: Buffer;
  /** Milliseconds on top of the line's latency. */
  readonly delay?: number;
  /** This piece, and so all behind it, waits for it. */
  readonly gate?: Promise<void> | undefined;
}

/** Bytes under way above which the source is paused. */
const FULL = 16 * 1024 ** 2;

/** A function that sends a piece from `source` to `target` under the conditions of `line`. */
export function delayedPipe(source: Socket, target: Socket, line: Line): (piece: PipePiece) => void {
  const pieces: (PipePiece & { readonly due: number })[] = [];
  let queued = 0;
  let running = false;
  /** When the last byte sent has passed the line at its rate. */
  let busyUntil = 0;

  const run = async () => {
    running = true;
    for (let piece = pieces.shift(); piece && !target.destroyed; piece = pieces.shift()) {
      await line.open;
      if (piece.gate) await piece.gate;
      if (line.rate) busyUntil = Math.max(busyUntil, Date.now()) + (piece.bytes.length / line.rate) * 1000;
      const wait = Math.max(piece.due, busyUntil) - Date.now();
      if (wait > 0) await sleep(wait);
      if (target.destroyed) break;
      target.write(piece.bytes);
      queued -= piece.bytes.length;
      if (source.isPaused() && queued < FULL) source.resume();
      if (target.writableNeedDrain) await drained(target);
    }
    running = false;
  };

  return (piece) => {
    pieces.push({ ...piece, due: Date.now() + line.latency + (piece.delay ?? 0) });
    queued += piece.bytes.length;
    if (queued >= FULL) source.pause();
    if (!running) void run();
  };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}
