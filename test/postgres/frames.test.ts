import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDeframer } from '../../src/postgres/frames.ts';

const COPY_DATA = 'd';

function message(type: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 'latin1');
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** What came out, in order, with neighbouring payloads joined: how they are split is free. */
function receiver(pauseAt: (delivery: number) => boolean = () => false) {
  const out: string[] = [];
  let deliveries = 0;
  let malformed = 0;
  const frames = createDeframer({
    message: (bytes) => out.push(bytes.toString('hex')),
    payload(chunk) {
      const last = out.at(-1);
      if (last?.startsWith('payload ')) out[out.length - 1] = last + chunk.toString('hex');
      else out.push(`payload ${chunk.toString('hex')}`);
      return pauseAt(deliveries++);
    },
    limit: () => 1000,
    malformed: () => malformed++,
  });
  return { frames, out, deliveries: () => deliveries, malformed: () => malformed };
}

function expected(messages: readonly (readonly [string, Uint8Array])[]): string[] {
  const out: string[] = [];
  for (const [type, body] of messages) {
    const hex = Buffer.from(body).toString('hex');
    if (type !== COPY_DATA) out.push(message(type, body).toString('hex'));
    else if (out.at(-1)?.startsWith('payload ')) out[out.length - 1] += hex;
    else if (hex !== '') out.push(`payload ${hex}`);
  }
  return out;
}

const body = fc.uint8Array({ maxLength: 40 });
const messages = fc.array(fc.tuple(fc.constantFrom(COPY_DATA, COPY_DATA, COPY_DATA, 'Z', 'S', 'E'), body), {
  maxLength: 30,
});
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 });

describe('the deframer', () => {
  test('gives the same messages and payload however the stream is cut, and whenever it is paused', () => {
    fc.assert(
      fc.property(messages, cuts, fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }), (list, sizes, pauses) => {
        const stream = Buffer.concat(list.map(([type, content]) => message(type, content)));
        const { frames, out } = receiver((delivery) => pauses[delivery % pauses.length] === true);
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const size = sizes[cut % sizes.length] ?? 1;
          frames.push(Buffer.from(stream.subarray(at, at + size)));
          at += size;
          // Half of the pauses last over the next chunk.
          if (cut % 2 === 0) while (frames.paused) frames.resume();
        }
        while (frames.paused) frames.resume();
        expect(out).toEqual(expected(list));
      }),
      { numRuns: 500 },
    );
  });

  test('hands the rows of one read over as one chunk', () => {
    const { frames, out, deliveries } = receiver();
    frames.push(Buffer.concat(Array.from({ length: 100 }, (_, i) => message(COPY_DATA, Buffer.from(`row ${i}`)))));
    expect(deliveries()).toBe(1);
    expect(out).toHaveLength(1);
  });

  test('delivers nothing while it is paused, and keeps what comes', () => {
    const { frames, out, deliveries } = receiver((delivery) => delivery === 0);
    frames.push(message(COPY_DATA, Buffer.from('a')));
    frames.push(message(COPY_DATA, Buffer.from('b')));
    frames.push(message('Z', Buffer.from('I')));
    expect(deliveries()).toBe(1);
    expect(out).toEqual(['payload 61']);
    frames.resume();
    expect(out).toEqual(['payload 6162', message('Z', Buffer.from('I')).toString('hex')]);
  });

  test.each([
    ['a length that does not count itself', Buffer.from([0x5a, 0, 0, 0, 3, 0])],
    ['a COPY length that does not count itself', Buffer.from([0x64, 0, 0, 0, 0, 0])],
    ['a message above the limit', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
  ])('refuses %s, once, and ignores what follows', (_what, bytes) => {
    const { frames, out, malformed } = receiver();
    frames.push(Buffer.from(bytes));
    frames.push(message('Z', Buffer.from('I')));
    expect(malformed()).toBe(1);
    expect(out).toEqual([]);
  });

  test('takes COPY data above the limit for other messages, in parts as they come', () => {
    const { frames, out, deliveries } = receiver();
    const stream = message(COPY_DATA, Buffer.alloc(5000, 'x'));
    for (let at = 0; at < stream.length; at += 1000) frames.push(Buffer.from(stream.subarray(at, at + 1000)));
    expect(deliveries()).toBe(6);
    expect(out).toEqual([`payload ${Buffer.alloc(5000, 'x').toString('hex')}`]);
  });
});
