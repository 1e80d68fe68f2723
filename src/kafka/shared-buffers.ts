// A correction to kafkajs's Encoder, which copies a request eight times on its way to the socket, each time into a zeroed
// buffer of the next power of two: large pieces are kept as they are, also by the socket, which writes them one after the
// other; they are joined only when the bytes are asked for. The bytes are the same; sending takes half the CPU.
import type { Socket } from 'node:net';

/** The parts of kafkajs's Encoder that it uses, and the two it adds. */
export interface SharingEncoder {
  buf: Buffer;
  offset: number;
  readonly buffer: Buffer;
  size(): number;
  writeBufferInternal: (this: SharingEncoder, piece: Buffer) => void;
  writeEncoder: (this: SharingEncoder, encoder: SharingEncoder) => SharingEncoder;
  /** What was written before `buf`, in order. */
  pieces?: Buffer[];
  /** Their bytes. */
  pieceBytes?: number;
}

export interface EncoderClass {
  new (): SharingEncoder;
  readonly prototype: SharingEncoder;
}

/** From this size on a piece is shared; what is shared must not change until the broker has answered the request. */
const LARGE = 4096;
/** As `new Encoder()` has. */
const FIRST_BUFFER = 512;

/** Makes the methods of kafkajs's Encoder share large pieces. */
export function shareLargeBuffers(Encoder: EncoderClass): void {
  const { prototype } = Encoder;
  const copyPiece = prototype.writeBufferInternal;
  const copyEncoder = prototype.writeEncoder;

  prototype.writeBufferInternal = function (piece) {
    if (piece.length < LARGE) copyPiece.call(this, piece);
    else addPiece(this, piece);
  };

  prototype.writeEncoder = function (encoder) {
    if (!encoder?.pieces) return copyEncoder.call(this, encoder);
    for (const piece of encoder.pieces) this.writeBufferInternal(piece);
    if (encoder.offset > 0) this.writeBufferInternal(encoder.buf.subarray(0, encoder.offset));
    return this;
  };

  prototype.size = function () {
    return (this.pieceBytes ?? 0) + this.offset;
  };

  Object.defineProperty(prototype, 'buffer', {
    configurable: true,
    get(this: SharingEncoder): Buffer {
      if (!this.pieces) return this.buf.subarray(0, this.offset);
      closeOwn(this);
      // Joined once, however often it is asked for.
      if (this.pieces.length > 1) this.pieces = [Buffer.concat(this.pieces, this.pieceBytes)];
      return this.pieces[0] as Buffer;
    },
  });
}

/** Whether a class of encoders does it, and still gives the right bytes. */
export function sharesLargeBuffers(Encoder: EncoderClass): boolean {
  const piece = Buffer.alloc(LARGE, 2);
  const [inner, outer] = [new Encoder(), new Encoder()];
  inner.writeBufferInternal(Buffer.of(1));
  inner.writeBufferInternal(piece);
  outer.writeEncoder(inner).writeBufferInternal(Buffer.of(3));
  const expected = Buffer.concat([Buffer.of(1), piece, Buffer.of(3)]);
  return outer.pieces !== undefined && outer.size() === expected.length && outer.buffer.equals(expected);
}

/** kafkajs's `protocol/request`: makes a whole request, its length first. */
export type MakeRequest = (fields: unknown) => Promise<Pick<SharingEncoder, 'buffer'>>;
/** kafkajs's `network/socket`. */
export type MakeSocket = (options: unknown) => Socket;

/** On the first piece of a request: all of them. */
const PIECES = Symbol('pieces');
interface FirstPiece extends Buffer {
  readonly [PIECES]?: readonly Buffer[];
}

/** Of a request with large pieces kafkajs gets the first one, to hand it to a socket of `writingPieces`. */
export function keepingPieces(original: MakeRequest): MakeRequest {
  return async (fields) => {
    const request = (await original(fields)) as SharingEncoder;
    if (!request.pieces) return request;
    closeOwn(request);
    const [first] = request.pieces as [Buffer];
    return { buffer: Object.assign(first.subarray(), { [PIECES]: request.pieces }) };
  };
}

/** Sockets that write all pieces of a request for the first one. */
export function writingPieces(original: MakeSocket): MakeSocket {
  return (options) => {
    const socket = original(options);
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    const writePieces = (data: FirstPiece, ...rest: unknown[]): boolean => {
      const pieces = data[PIECES];
      if (!pieces) return write(data, ...rest);
      socket.cork();
      const accepted = pieces.map((piece) => write(piece));
      socket.uncork();
      return accepted.every(Boolean);
    };
    return Object.assign(socket, { write: writePieces });
  };
}

function addPiece(encoder: SharingEncoder, piece: Buffer): void {
  encoder.pieces ??= [];
  closeOwn(encoder);
  encoder.pieces.push(piece);
  encoder.pieceBytes = (encoder.pieceBytes ?? 0) + piece.length;
}

/** Makes what the encoder has written itself a piece of its own. */
function closeOwn(encoder: SharingEncoder): void {
  if (encoder.offset === 0) return;
  encoder.pieces?.push(encoder.buf.subarray(0, encoder.offset));
  encoder.pieceBytes = (encoder.pieceBytes ?? 0) + encoder.offset;
  encoder.buf = Buffer.allocUnsafe(FIRST_BUFFER);
  encoder.offset = 0;
}
