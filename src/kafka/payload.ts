// What the records of a batch are in a request: compressed or as they are. Made once for a batch, and ahead of its turn where it
// has to wait for others, because a thread that compresses and a broker that writes can work side by side.
import type { Bytes } from '../model/units.ts';
import type { EncodedBatch } from './record-batch.ts';

export interface Payload {
  readonly bytes: Buffer;
  readonly compressed: boolean;
  /** As the batch has it, where the bytes are its records as they are. */
  readonly sharedTail?: Bytes | undefined;
}

/** May give the batch's bytes themselves. */
export type Compress = (batch: EncodedBatch) => Promise<Buffer>;

const payloads = new WeakMap<EncodedBatch, Promise<Payload>>();

/** The payload of `batch`, begun at the first call. */
export function payloadOf(batch: EncodedBatch, compress: Compress | undefined): Promise<Payload> {
  const known = payloads.get(batch);
  if (known) return known;
  const payload = compress ? compressed(batch, compress) : Promise.resolve(asItIs(batch));
  // Who takes it will see an error; before that it is nobody's.
  payload.catch(() => {});
  payloads.set(batch, payload);
  return payload;
}

/** What does not become smaller stays as it is, or a batch could outgrow what its topic takes. */
async function compressed(batch: EncodedBatch, compress: Compress): Promise<Payload> {
  const { bytes } = batch;
  const smaller = await compress(batch);
  return smaller.length < bytes.length ? { bytes: smaller, compressed: true } : asItIs(batch);
}

function asItIs({ bytes, sharedTail }: EncodedBatch): Payload {
  return { bytes, compressed: false, sharedTail };
}
