import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type EncoderClass,
  keepingPieces,
  type SharingEncoder,
  shareLargeBuffers,
  writingPieces,
} from '../../../src/kafka/shared-buffers.ts';

/** kafkajs's Encoder as it is, loaded anew: whoever else loads kafkajs gets another class. */
function freshEncoder(): EncoderClass {
  const require = createRequire(import.meta.url);
  const path = require.resolve('kafkajs/src/protocol/encoder');
  const before = require.cache[path];
  delete require.cache[path];
  const Encoder = require(path) as EncoderClass;
  if (before) require.cache[path] = before;
  return Encoder;
}

const Original = freshEncoder();
const Sharing = freshEncoder();
shareLargeBuffers(Sharing);

interface Writes extends SharingEncoder {
  writeInt8(value: number): Writes;
  writeInt32(value: number): Writes;
  writeString(value: string): Writes;
  writeBytes(value: Buffer | string | null): Writes;
  writeVarIntBytes(value: Buffer | null): Writes;
  writeBuffer(value: Buffer): Writes;
  writeEncoderArray(value: SharingEncoder[]): Writes;
  writeArray(value: SharingEncoder[], type?: 'object'): Writes;
}

type Instruction =
  | { readonly kind: 'int8' | 'int32'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes' | 'buffer' | 'varIntBytes'; readonly size: number }
  | { readonly kind: 'size' | 'ask' }
  | { readonly kind: 'encoder' | 'encoders' | 'array'; readonly inner: readonly Instruction[] };

const size = fc.oneof(fc.nat(40), fc.integer({ min: 4090, max: 4100 }), fc.nat(9000));
const simple: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({ kind: fc.constantFrom('int8' as const, 'int32' as const), value: fc.integer({ min: -128, max: 127 }) }),
  fc.record({ kind: fc.constant('string' as const), value: fc.string({ maxLength: 20 }) }),
  fc.record({ kind: fc.constantFrom('bytes' as const, 'buffer' as const, 'varIntBytes' as const), size }),
  fc.record({ kind: fc.constantFrom('size' as const, 'ask' as const) }),
);
const instructions = fc.letrec<{ list: readonly Instruction[] }>((tie) => ({
  list: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: simple },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom('encoder' as const, 'encoders' as const, 'array' as const),
          inner: tie('list'),
        }),
      },
    ),
    { maxLength: 8, depthIdentifier: 'list' },
  ),
})).list;

/** Writes with a class of encoder; `seen` gets what it says on the way. */
function write(Encoder: EncoderClass, list: readonly Instruction[], seen: unknown[]): SharingEncoder {
  const encoder = new Encoder() as Writes;
  for (const [index, instruction] of list.entries()) writeOne(Encoder, encoder, instruction, index + 1, seen);
  return encoder;
}

function writeOne(
  Encoder: EncoderClass,
  encoder: Writes,
  instruction: Instruction,
  fill: number,
  seen: unknown[],
): unknown {
  switch (instruction.kind) {
    case 'int8':
      return encoder.writeInt8(instruction.value);
    case 'int32':
      return encoder.writeInt32(instruction.value);
    case 'string':
      return encoder.writeString(instruction.value);
    case 'bytes':
      return encoder.writeBytes(Buffer.alloc(instruction.size, fill));
    case 'varIntBytes':
      return encoder.writeVarIntBytes(Buffer.alloc(instruction.size, fill));
    case 'buffer':
      return encoder.writeBuffer(Buffer.alloc(instruction.size, fill));
    case 'size':
      return seen.push(encoder.size());
    case 'ask':
      return seen.push(Buffer.from(encoder.buffer));
    case 'encoder':
      return encoder.writeEncoder(write(Encoder, instruction.inner, seen));
    case 'encoders':
      return encoder.writeEncoderArray([write(Encoder, instruction.inner, seen), new Encoder()]);
    default:
      return encoder.writeArray([write(Encoder, instruction.inner, seen)], 'object');
  }
}

test("an encoder that shares large pieces gives the bytes and sizes of kafkajs's own, whatever is written in what order", () => {
  fc.assert(
    fc.property(instructions, (list) => {
      const [seen, expected]: [unknown[], unknown[]] = [[], []];
      const sharing = write(Sharing, list, seen);
      const original = write(Original, list, expected);
      expect(seen).toEqual(expected);
      expect(sharing.size()).toBe(original.size());
      expect(sharing.buffer.equals(original.buffer)).toBe(true);
      expect(sharing.buffer.equals(original.buffer)).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test('what is no encoder is refused as before', () => {
  expect(() => new Sharing().writeEncoder(null as unknown as SharingEncoder)).toThrow('instance of Encoder');
});

test('a socket gets all pieces of each request, in their order, between other writes', async () => {
  const requests = fc.sample(instructions, { numRuns: 60, seed: 7 });
  const expected = requests.flatMap((list, i) => [write(Original, list, []).buffer, Buffer.of(i)]);
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (chunk) => received.push(chunk));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = writingPieces(() => connect((server.address() as AddressInfo).port, '127.0.0.1'))({});
  let inPieces = 0;
  for (const [i, list] of requests.entries()) {
    const encoder = write(Sharing, list, []);
    const { buffer } = await keepingPieces(async () => encoder)({});
    if (buffer.length < encoder.size()) inPieces++;
    socket.write(buffer, 'binary');
    socket.write(Buffer.of(i));
  }
  socket.end();
  await once(socket, 'close');
  server.close();
  expect(inPieces).toBeGreaterThan(20);
  expect(Buffer.concat(received).equals(Buffer.concat(expected))).toBe(true);
});
