// Takes a server's byte stream apart into messages (Postgres documentation, 55.7), with the payload of COPY data on a
// way of its own: in big chunks, never gathered to whole rows. What the messages mean is not known here.

export interface FrameHandler {
  /** One whole message that is not CopyData, with its header. */
  message(bytes: Buffer): void;
  /** Payload of one or more CopyData messages in order, split anywhere. True asks for a pause until `resume`. */
  payload(chunk: Buffer): boolean;
  /** The longest message other than CopyData that is taken now. */
  limit(): number;
  /** What arrives is no Postgres protocol; everything after it is ignored. */
  malformed(): void;
}

export interface Deframer {
  /** Takes what has arrived. The bytes are changed: payloads are moved together in place. */
  push(chunk: Buffer): void;
  /** Goes on after a pause, with what has come since. Does nothing when there is none. */
  resume(): void;
  readonly paused: boolean;
  /** Forgets everything and ignores what comes. */
  stop(): void;
}

const COPY_DATA = 'd'.charCodeAt(0);
/** The type (one byte) and the length, which counts itself. */
const HEADER = 5;
const LENGTH = 4;

/** A deframer at the beginning of a message. */
export function createDeframer(handler: FrameHandler): Deframer {
  let paused = false;
  let stopped = false;
  /** What came in a pause, or the beginning of a header. */
  let rest: Buffer | undefined;
  /** Bytes of a COPY payload that are still to come. */
  let payloadLack = 0;
  /** Parts of a long message, and the bytes it still lacks. */
  let parts: Buffer[] = [];
  let partsLack = 0;

  function stop(): void {
    stopped = true;
    rest = undefined;
    parts = [];
  }

  function malformed(): void {
    stop();
    handler.malformed();
  }

  function push(chunk: Buffer): void {
    if (stopped) return;
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    rest = paused ? bytes : undefined;
    if (!paused) consume(bytes);
  }

  function consume(bytes: Buffer): void {
    const size = bytes.length;
    let at = 0;
    // A run of payloads is moved together over the headers between, so that its receiver gets a chunk a read, not a row.
    let runStart = 0;
    let runEnd = 0;
    if (payloadLack > 0) {
      at = Math.min(payloadLack, size);
      payloadLack -= at;
      runEnd = at;
    } else if (partsLack > 0) {
      at = finishParts(bytes);
      runStart = at;
      runEnd = at;
    }
    while (at + HEADER <= size && !stopped) {
      const length = bytes.readUInt32BE(at + 1);
      const stop = at + 1 + length;
      const isCopyData = bytes[at] === COPY_DATA;
      if (length < LENGTH || (!isCopyData && length > handler.limit())) {
        malformed();
        return;
      }
      if (isCopyData) {
        const from = at + HEADER;
        const to = Math.min(stop, size);
        if (runEnd === runStart) runStart = from;
        else bytes.copyWithin(runEnd, from, to);
        runEnd = runStart === from ? to : runEnd + to - from;
        payloadLack = stop - to;
        at = to;
        continue;
      }
      if (runEnd > runStart && deliver(bytes.subarray(runStart, runEnd))) {
        rest = bytes.subarray(at);
        return;
      }
      runStart = 0;
      runEnd = 0;
      if (stop > size) {
        parts = [bytes.subarray(at)];
        partsLack = stop - size;
        return;
      }
      handler.message(bytes.subarray(at, stop));
      at = stop;
    }
    if (stopped) return;
    if (at < size) rest = bytes.subarray(at);
    if (runEnd > runStart) deliver(bytes.subarray(runStart, runEnd));
  }

  /** Takes the next part of a long message; returns where in the bytes it ends. */
  function finishParts(bytes: Buffer): number {
    const taken = Math.min(partsLack, bytes.length);
    parts.push(bytes.subarray(0, taken));
    partsLack -= taken;
    if (partsLack > 0) return taken;
    const whole = Buffer.concat(parts);
    parts = [];
    handler.message(whole);
    return taken;
  }

  function deliver(payload: Buffer): boolean {
    paused = handler.payload(payload);
    return paused;
  }

  return {
    push,
    resume() {
      if (!paused) return;
      paused = false;
      const waiting = rest;
      rest = undefined;
      if (waiting && !stopped) consume(waiting);
    },
    get paused() {
      return paused;
    },
    stop,
  };
}
