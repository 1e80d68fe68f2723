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
  return new StreamingSink(options);
}

/** A class, as one is made for each run: its functions, and what V8 made of them, are there once. */
class StreamingSink implements ResultSink {
  readonly #options: ResultSinkOptions;
  #reserved: Bytes = 0;
  #stream: RunStream | undefined;
  readonly #sends = new Set<Promise<void>>();
  #failed: { readonly error: unknown } | undefined;
  #abandoned = false;
  /** Bytes that were in open batches when full ones were last taken. */
  #left: Bytes = 0;

  constructor(options: ResultSinkOptions) {
    this.#options = options;
  }

  write(chunk: Buffer): Promise<void> | undefined {
    const { encoder } = this.#options;
    encoder.write(chunk);
    if (this.#failed) throw this.#failed.error;
    if (!this.#stream) return this.#fits() ? undefined : this.#sendWhenThereIsRoom();
    if (encoder.buffered - this.#left < STREAM_CHUNK) return undefined;
    if (this.#sends.size >= MOST_SENDS) return this.#sendWhenThereIsRoom();
    this.#send(this.#stream);
    return undefined;
  }

  async finish(): Promise<FinishedResult> {
    const batches = this.#options.encoder.finish();
    const stream = this.#stream;
    if (!stream) return { stream, batches };
    await Promise.all([...this.#sends, batches.length > 0 ? stream.send(batches) : undefined]);
    if (this.#failed) throw this.#failed.error;
    return { stream, batches: [] };
  }

  async abandon(): Promise<void> {
    this.#abandoned = true;
    await Promise.all(this.#sends);
    this.release();
    await this.#stream?.abort();
  }

  release(): void {
    this.#options.memory.release(this.#reserved);
    this.#reserved = 0;
  }

  /** Makes sure the rows encoded so far are paid for; false when the result has to go on as a stream. */
  #fits(): boolean {
    const { encoder, memory, bufferLimit } = this.#options;
    if (encoder.buffered > bufferLimit) return false;
    while (this.#reserved < encoder.buffered) {
      if (!memory.reserve(RESERVATION_STEP)) return false;
      this.#reserved += RESERVATION_STEP;
    }
    return true;
  }

  async #sendWhenThereIsRoom(): Promise<void> {
    this.#stream ??= await this.#open();
    this.release();
    for (const oldest of this.#sends) {
      if (this.#sends.size < MOST_SENDS) break;
      await oldest;
    }
    if (this.#failed) throw this.#failed.error;
    if (!this.#abandoned) this.#send(this.#stream);
  }

  /** Others wait for their turn behind this stream: it may not stay open when the run ended before it was there. */
  async #open(): Promise<RunStream> {
    const opened = await this.#options.openStream();
    if (!this.#abandoned) return opened;
    await opened.abort();
    throw new Failure('the run has ended', { kind: 'cancelled' });
  }

  #send(target: RunStream): void {
    const { encoder } = this.#options;
    const batches = encoder.takeFull();
    this.#left = encoder.buffered;
    if (batches.length === 0) return;
    const sent = target.send(batches).then(
      () => {
        this.#sends.delete(sent);
        encoder.recycle(batches);
      },
      (error: unknown) => {
        this.#sends.delete(sent);
        this.#failed ??= { error };
      },
    );
    this.#sends.add(sent);
  }
}
