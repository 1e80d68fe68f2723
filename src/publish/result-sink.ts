// Between the COPY stream and Kafka: rows are encoded as they arrive and kept until the query is complete; a result that
// outgrows its buffer (or the process's budget) goes on as a stream into an open transaction instead (design 5.3).
import type { CopyEncoder } from '../kafka/copy-encoder.ts';
import type { EncodedBatch } from '../kafka/record-batch.ts';
import type { RunStream } from '../ledger/types.ts';
import { Failure } from '../model/failure.ts';
import type { Bytes } from '../model/units.ts';
import type { MemoryBudget } from './memory.ts';

/** Memory is reserved in steps, so that small results cost one reservation and large ones few. */
const RESERVATION_STEP: Bytes = 64 * 1024;
/** Batches are sent on when this much has gathered: enough for every partition to get a batch of good size. */
const STREAM_CHUNK: Bytes = 4 * 1024 * 1024;
/** Sends at a time: while one is on its way the next is made ready behind it. One more waits: that is the back-pressure. */
const MOST_SENDS = 2;

export interface FinishedResult {
  /** Set when the result outgrew its buffer: its rows are in this stream's transaction, and `batches` is empty. */
  readonly stream: RunStream | undefined;
  readonly batches: readonly EncodedBatch[];
}

export interface ResultSink {
  /** For Connection.copyOut: a promise means "pause until it settles". */
  write(chunk: Buffer): Promise<void> | undefined;
  /** After the COPY has ended well. Rejects when the rest could not be sent. */
  finish(): Promise<FinishedResult>;
  /** After any error: waits for a send under way, aborts the stream, also one that opens later, gives the memory back. */
  abandon(): Promise<void>;
  /** Gives back the memory of a buffered result once it is committed or dropped. */
  release(): void;
}

export interface ResultSinkOptions {
  readonly encoder: CopyEncoder;
  readonly memory: MemoryBudget;
  readonly bufferLimit: Bytes;
  readonly openStream: () => Promise<RunStream>;
}

/** A sink for one COPY. */
export function createResultSink(options: ResultSinkOptions): ResultSink {
  const { encoder, memory, bufferLimit } = options;
  let reserved = 0;
  let stream: RunStream | undefined;
  const sends = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  let abandoned = false;
  /** Bytes that were in open batches when full ones were last taken. */
  let left = 0;

  const release = (): void => {
    memory.release(reserved);
    reserved = 0;
  };

  /** Makes sure the rows encoded so far are paid for; false when the result has to go on as a stream. */
  const fits = (): boolean => {
    if (encoder.buffered > bufferLimit) return false;
    while (reserved < encoder.buffered) {
      if (!memory.reserve(RESERVATION_STEP)) return false;
      reserved += RESERVATION_STEP;
    }
    return true;
  };

  const send = (target: RunStream): void => {
    const batches = encoder.takeFull();
    left = encoder.buffered;
    if (batches.length === 0) return;
    const sent = target.send(batches).then(
      () => {
        sends.delete(sent);
        encoder.recycle(batches);
      },
      (error: unknown) => {
        sends.delete(sent);
        failed ??= { error };
      },
    );
    sends.add(sent);
  };

  /** Others wait for their turn behind this stream: it may not stay open when the run ended before it was there. */
  const open = async (): Promise<RunStream> => {
    const opened = await options.openStream();
    if (!abandoned) return opened;
    await opened.abort();
    throw new Failure('the run has ended', { kind: 'cancelled' });
  };

  const sendWhenThereIsRoom = async (): Promise<void> => {
    stream ??= await open();
    release();
    for (const oldest of sends) {
      if (sends.size < MOST_SENDS) break;
      await oldest;
    }
    if (failed) throw failed.error;
    if (!abandoned) send(stream);
  };

  return {
    write(chunk) {
      encoder.write(chunk);
      if (failed) throw failed.error;
      if (!stream) return fits() ? undefined : sendWhenThereIsRoom();
      if (encoder.buffered - left < STREAM_CHUNK) return undefined;
      if (sends.size >= MOST_SENDS) return sendWhenThereIsRoom();
      send(stream);
      return undefined;
    },
    async finish() {
      const batches = encoder.finish();
      if (!stream) return { stream, batches };
      await Promise.all([...sends, batches.length > 0 ? stream.send(batches) : undefined]);
      if (failed) throw failed.error;
      return { stream, batches: [] };
    },
    async abandon() {
      abandoned = true;
      await Promise.all(sends);
      release();
      await stream?.abort();
    },
    release,
  };
}
