// Defects of kafkajs 2.2.4 that no option of it avoids, corrected in the modules themselves before they are used. Each
// correction is checked at every start; test/kafka/read/corrections.test.ts shows each defect without it.
import { Failure } from '../model/failure.ts';
import { recordBatchWith } from './batch-head.ts';
import { crc32c } from './crc32c.ts';
import { kafkajsMessages } from './kafkajs-messages.ts';
import type { KafkajsModules } from './kafkajs-modules.ts';
import type { KafkajsDecoder } from './kafkajs-types.ts';
import { type AsksCoordinator, askedOnce, countingFailures, type IsCoordinator } from './known-coordinators.ts';
import { areConnectionsQuiet, quietConnections } from './quiet-connections.ts';
import { keepingPieces, shareLargeBuffers, sharesLargeBuffers, writingPieces } from './shared-buffers.ts';
import { type Connect, connectOrGiveUp, type Send, sendOrClose } from './silent-brokers.ts';

/** One defect: where it is, what replaces it, and a cheap proof that kafkajs now behaves. */
interface Correction {
  readonly defect: string;
  install(require: KafkajsModules): void;
  holds(require: KafkajsModules): boolean;
}

interface Message {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord?: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** Puts every correction in place. To be called before anything of kafkajs is loaded. */
export function installCorrections(require: KafkajsModules): void {
  for (const correction of CORRECTIONS) correction.install(require);
}

/** Throws a Failure (`internal`) naming the first correction that did not take. */
export function checkCorrections(require: KafkajsModules): void {
  for (const correction of CORRECTIONS) {
    if (correction.holds(require)) continue;
    throw new Failure(`a correction to kafkajs did not take: ${correction.defect}`, {
      kind: 'internal',
      hint: 'reinstall pgtally with its own node_modules; if it stays, report it',
    });
  }
}

const DECODE_MESSAGES = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages';
const CHECKSUM = 'kafkajs/src/protocol/recordBatch/crc32C';
const ENCODER = 'kafkajs/src/protocol/encoder';
const RECORD_BATCH = 'kafkajs/src/protocol/recordBatch/v0';
const FILTER = 'kafkajs/src/consumer/filterAbortedMessages';
const CONNECTION = 'kafkajs/src/network/connection';
const BROKER = 'kafkajs/src/broker';
const ERRORS = 'kafkajs/src/errors';
const CLUSTER = 'kafkajs/src/cluster';
const REQUEST = 'kafkajs/src/protocol/request';
const SOCKET = 'kafkajs/src/network/socket';
const REQUEST_QUEUE = 'kafkajs/src/network/requestQueue';

const OF_COORDINATORS = ['initProducerId', 'addPartitionsToTxn', 'endTxn'] as const;

/** The functions that were put in place. Their names would do, but for minifiers. */
const placed = new WeakSet<object>();

function placing<Replacement extends object>(replacement: Replacement): Replacement {
  placed.add(replacement);
  return replacement;
}

const CORRECTIONS: readonly Correction[] = [
  {
    defect: 'the checksum of a batch is computed byte by byte',
    // The first of all: once the module that makes batches is loaded, it has taken the old one.
    install: (require) => {
      if (!require.cache[require.resolve(RECORD_BATCH)]) replace(require, CHECKSUM, crc32c);
    },
    holds: (require) => require(CHECKSUM) === crc32c,
  },
  {
    defect: 'a batch that compaction has emptied is fetched for ever, and one of 120,000 records overflows the stack',
    install: (require) => replace(require, DECODE_MESSAGES, placing(decodeMessagesWith(require(DECODE_MESSAGES)))),
    holds: (require) => placed.has(require(DECODE_MESSAGES)) && kafkajsMessages(EMPTIED_BATCH).length === 1,
  },
  {
    defect: 'a batch of encoded records is copied twice to get its head',
    install: (require) => {
      const module = require(RECORD_BATCH);
      module.RecordBatch = placing(recordBatchWith(module.RecordBatch, require(ENCODER)));
    },
    holds: (require) => placed.has(require(RECORD_BATCH).RecordBatch),
  },
  {
    defect: 'a request is copied eight times, into zeroed buffers, on its way to the socket',
    install: (require) => {
      shareLargeBuffers(require(ENCODER));
      replace(require, REQUEST, placing(keepingPieces(require(REQUEST))));
      replace(require, SOCKET, placing(writingPieces(require(SOCKET))));
    },
    holds: (require) =>
      sharesLargeBuffers(require(ENCODER)) && placed.has(require(REQUEST)) && placed.has(require(SOCKET)),
  },
  {
    defect: 'aborted records of nested transactions reach read_committed readers',
    install: (require) => replace(require, FILTER, dropAborted),
    holds: (require) => require(FILTER) === dropAborted,
  },
  {
    defect: 'a connection on which nothing comes back is used on and on',
    install: (require) => {
      const { prototype } = require(CONNECTION) as { prototype: { send: Send } };
      prototype.send = placing(sendOrClose(prototype.send));
    },
    holds: (require) => placed.has(require(CONNECTION).prototype.send),
  },
  {
    defect: 'a broker that accepts connections and never answers is tried again in place of another',
    install: (require) => {
      const { prototype } = require(BROKER) as { prototype: { connect: Connect } };
      prototype.connect = placing(connectOrGiveUp(prototype.connect, require(ERRORS).KafkaJSConnectionError));
    },
    holds: (require) => placed.has(require(BROKER).prototype.connect),
  },
  {
    defect: 'every idle connection wakes the process each millisecond, and ten times a second to look for timeouts',
    install: (require) => quietConnections(require(REQUEST_QUEUE).prototype),
    holds: (require) => areConnectionsQuiet(require(REQUEST_QUEUE).prototype),
  },
  {
    defect: 'a transaction asks twice which broker coordinates it',
    install: (require) => {
      const cluster = require(CLUSTER).prototype as AsksCoordinator;
      cluster.findGroupCoordinatorMetadata = placing(askedOnce(cluster.findGroupCoordinatorMetadata));
      const broker = require(BROKER).prototype as IsCoordinator;
      for (const request of OF_COORDINATORS) broker[request] = placing(countingFailures(broker[request]));
    },
    holds: (require) =>
      placed.has(require(CLUSTER).prototype.findGroupCoordinatorMetadata) &&
      OF_COORDINATORS.every((request) => placed.has(require(BROKER).prototype[request])),
  },
];

type DecodeMessages = (decoder: KafkajsDecoder) => Promise<unknown[]>;

/** A batch of magic 2 without a record; offsets 0 to 2 of a transaction once. */
const EMPTIED_BATCH = Buffer.from(
  '000000000000000000000031000000000' +
    '2899b965800100000000200000000000000000000000000000000000000000000000100000000000000000000',
  'hex',
);
const RECORDS_LENGTH = 4;
const MAGIC_AT = 16;

/** kafkajs's decoder of the `records` field for formats before magic 2, ours for magic 2. */
function decodeMessagesWith(original: DecodeMessages): DecodeMessages {
  return async (decoder) => {
    if (decoder.buffer[decoder.offset + RECORDS_LENGTH + MAGIC_AT] !== 2) return original(decoder);
    const length = decoder.readInt32();
    if (length <= 0 || !decoder.canReadBytes(length)) return [];
    return kafkajsMessages(decoder.readBytes(length) ?? Buffer.alloc(0));
  };
}

function replace(require: KafkajsModules, path: string, exports: unknown): void {
  require(path);
  const module = require.cache[require.resolve(path)];
  if (module) module.exports = exports;
}

/**
 * kafkajs's `filterAbortedMessages`, which takes the broker's list of aborted transactions as ordered by first offset and a
 * key of four zero bytes for an abort marker. The broker orders it by their ends, so that of two nested transactions the
 * outer one leaked; and only a control record ends a transaction.
 */
function dropAborted({
  messages,
  abortedTransactions,
}: {
  messages: readonly Message[];
  abortedTransactions?: readonly AbortedTransaction[];
}): readonly Message[] {
  if (!abortedTransactions?.length) return messages;
  const waiting = abortedTransactions
    .map(({ firstOffset, producerId }) => ({ firstOffset: BigInt(firstOffset), producerId }))
    .sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const open = new Set<string>();
  let next = 0;
  return messages.filter(({ offset, key, isControlRecord, batchContext: { producerId, inTransaction } }) => {
    for (let first = waiting[next]; first && BigInt(offset) >= first.firstOffset; first = waiting[++next]) {
      open.add(first.producerId);
    }
    if (!isControlRecord) return !(inTransaction && open.has(producerId));
    if (key && key.length >= 4 && key.readInt16BE(2) === ABORT_MARKER) open.delete(producerId);
    return true;
  });
}

/** The type in a control record's key: version INT16, type INT16 (0 abort, 1 commit; KIP-98). */
const ABORT_MARKER = 0;
