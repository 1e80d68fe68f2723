import type { Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { checkHandOver } from '../../../src/kafka/hand-over-check.ts';
import { loadKafkajs } from '../../../src/kafka/kafkajs.ts';
import { preEncoded } from '../../../src/kafka/pre-encoded.ts';
import { encodeRecords } from '../../../src/kafka/record-batch.ts';

const { internals } = loadKafkajs();
const batch = encodeRecords(0, [{ key: Buffer.from('k'), value: Buffer.from('v') }]);

test('pre-encoded records come out of kafkajs as the bytes it would have made itself', async () => {
  await checkHandOver(internals);
});

test('a kafkajs that makes other bytes is refused at start', async () => {
  const produce = internals.requests.Produce!;
  const spoiled: typeof produce = {
    ...produce,
    protocol: (choice) => (fields) => {
      const protocol = produce.protocol(choice)(fields);
      const encode = async () => {
        const encoder = await protocol.request.encode();
        const { topicData } = fields as { topicData: [{ partitions: [{ messages: unknown }] }] };
        const preEncodedHere = !Array.isArray(topicData[0].partitions[0].messages);
        return preEncodedHere ? encoder.writeInt8(0) : encoder;
      };
      return { ...protocol, request: { ...protocol.request, encode } };
    },
  };
  await expect(checkHandOver({ ...internals, requests: { ...internals.requests, Produce: spoiled } })).rejects.toThrow(
    'does not take record batches',
  );
});

test('a batch is given to one request only, unless its gate lets it pass again', () => {
  const taker = (messages: Message[]) => {
    const byPartition = messages.reduce((_, message) => message, {} as never) as unknown as {
      0: { map(mapper: (message: unknown, index: number) => unknown): unknown[] };
    };
    return () => byPartition[0].map((message, index) => [message, index]);
  };
  const once = taker(preEncoded([batch]));
  expect(once()).toHaveLength(1);
  expect(once).toThrow('a second time');
  const seen: number[] = [];
  const again = taker(preEncoded([batch], { gate: (_partition, takenBefore) => seen.push(takenBefore) }));
  expect(again()).toHaveLength(1);
  expect(again()).toHaveLength(1);
  expect(seen).toEqual([0, 1]);
});

test('two batches of one partition in one send are refused', () => {
  expect(() => preEncoded([batch, batch])).toThrow('two batches of partition 0');
});
