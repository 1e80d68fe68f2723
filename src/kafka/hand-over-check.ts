// The proof, at every start, that pre-encoded batches come out of kafkajs as the bytes it would have made itself: a few records
// through its own Produce request in both ways. Microseconds; nothing is sent.
import type { Message } from 'kafkajs';
import { Failure } from '../model/failure.ts';
import { crc32c } from './crc32c.ts';
import type { KafkajsInternals } from './kafkajs-types.ts';
import { preEncoded } from './pre-encoded.ts';
import { BATCH_OVERHEAD, encodeRecords, type RecordFields } from './record-batch.ts';

/** As kafkajs 2.2.4's `requests/produce/v7`, the newest it has. */
const PRODUCE_VERSION = 7;

/** Keys and values of each kind, lengths around a varint's next byte, a doubled header. */
const SAMPLE: readonly RecordFields[] = [
  { key: null, value: Buffer.from('a value without a key') },
  { key: Buffer.alloc(0), value: Buffer.alloc(0) },
  { key: Buffer.from('tombstone'), value: null, headers: [['pgtally-job', Buffer.from('żółć')]] },
  {
    key: Buffer.alloc(63, 'k'),
    value: Buffer.alloc(64, 'v'),
    headers: [
      ['h', Buffer.from('1')],
      ['h', Buffer.alloc(0)],
    ],
  },
];

/** Throws a Failure (`internal`) when kafkajs makes other bytes of pre-encoded batches than of the same records given as messages. */
export async function checkHandOver(internals: KafkajsInternals): Promise<void> {
  const batch = encodeRecords(0, SAMPLE);
  const [expected, actual] = await Promise.all([
    encodeRequest(internals, SAMPLE.map(toMessage)),
    encodeRequest(internals, preEncoded([batch])),
  ]);
  // The batch is the request's end (see record-batch.ts for its layout).
  const start = actual.length - batch.bytes.length - BATCH_OVERHEAD;
  const checksum = crc32c(actual.subarray(start + 21));
  if (crc32c(Buffer.from('123456789')) !== 0xe3069283 || actual.readUInt32BE(start + 17) !== checksum) {
    throw differs('the checksum is wrong');
  }
  // Both hold the time of their making and a checksum of it.
  for (const request of [expected, actual]) request.fill(0, start + 17, start + 21).fill(0, start + 27, start + 43);
  if (!expected.equals(actual)) throw differs('the bytes of a Produce request differ');
}

async function encodeRequest(internals: KafkajsInternals, messages: Message[]): Promise<Buffer> {
  const produce = internals.requests.Produce?.protocol({ version: PRODUCE_VERSION });
  if (!produce) throw differs('it has no Produce request');
  // As groupMessagesPerPartition() does, with a partitioner that reads `partition`.
  const byPartition = messages.reduce<Record<number, Message[]>>((grouped, message) => {
    const partition = message.partition ?? 0;
    grouped[partition] = [...(grouped[partition] ?? []), message];
    return grouped;
  }, {});
  const partitions = [{ partition: 0, firstSequence: 7, messages: byPartition[0] }];
  const { request } = produce({
    acks: -1,
    timeout: 1000,
    transactionalId: 'check',
    producerId: '4294967297',
    producerEpoch: 3,
    compression: 0,
    topicData: [{ topic: 'check', partitions }],
  });
  return (await request.encode()).buffer;
}

function toMessage({ key, value, headers = [] }: RecordFields): Message {
  const byName: Record<string, Buffer[]> = {};
  for (const [name, header] of headers) if (header !== null) byName[name] = [...(byName[name] ?? []), header];
  return { partition: 0, key, value, headers: byName };
}

function differs(what: string): Failure {
  return new Failure(`kafkajs does not take record batches as pgtally makes them: ${what}`, {
    kind: 'internal',
    hint: 'reinstall pgtally with its own node_modules; if it stays, report it',
  });
}
