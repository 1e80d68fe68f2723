// Heartbeats on the wire: one small record a second to the replicas topic, and everybody's read back. Never in a transaction
// and never in the ledger: an owner that dies in a transaction would freeze what tells the others that it died.
import type { KafkaClient } from '../kafka/client.ts';
import { openSession, type ProducerSession } from '../kafka/producer-session.ts';
import { openReader } from '../kafka/reader.ts';
import type { FetchedRecord } from '../kafka/record.ts';
import { encodeRecords } from '../kafka/record-batch.ts';
import type { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { fieldsOf } from './json-fields.ts';
import type { LedgerLog } from './log.ts';
import type { Beat, Membership, ReplicaState } from './membership.ts';
import type { ReplicaId, Shard } from './record.ts';
import { asFailure } from './transact.ts';

export const HEARTBEAT_INTERVAL: Milliseconds = 1000;

export interface Heartbeat {
  /** Sends one now; while one is under way, right after it. */
  beatNow(): void;
  /** Sends one and resolves when it was answered or failed. */
  beat(): Promise<void>;
  /** Stops sending; with `tellOthers` removes this replica for all readers (a tombstone). Never rejects. */
  stop(options: { readonly tellOthers: boolean }): Promise<void>;
  /** Why heartbeats were last not sent or not read, if none has been read since. */
  readonly failure: Failure | undefined;
  /** Rejects when the replicas topic cannot be read any more at all. */
  readonly done: Promise<void>;
}

export interface HeartbeatOptions {
  readonly client: KafkaClient;
  /** `<ledger>.replicas`. */
  readonly topic: string;
  readonly self: ReplicaId;
  readonly membership: Membership;
  /** The shards this replica runs, for people to see. */
  readonly shards: () => readonly Shard[];
  /** Heartbeats were read: evaluate. */
  readonly onRead: () => void;
  readonly log: LedgerLog;
}

/** So that a fetch is answered by a heartbeat, and not by nothing in between: each answer costs a millisecond. */
const LONGER_THAN_A_BEAT: Milliseconds = 1500;
const PARTITION = 0;
const SEND_LIMIT: Milliseconds = 3000;
/** A replica that left no tombstone gets one when it has been silent for so long. */
const FORGET_AFTER: Milliseconds = 10 * 60_000;

/** Reads the topic and begins to send. Rejects with a Failure when it cannot be read. */
export async function startHeartbeat(options: HeartbeatOptions): Promise<Heartbeat> {
  const { client, topic, self, membership, log } = options;
  let failure: Failure | undefined;
  const onFailure = (what: string, error: unknown): void => {
    failure = asFailure(error);
    log('debug', what, { error: failure.message });
  };
  const reader = await openReader(client, {
    topic,
    from: 'beginning',
    isolation: 'read_uncommitted',
    maxWait: LONGER_THAN_A_BEAT,
    onRecords: ({ records }) => {
      failure = undefined;
      for (const record of records) hear(membership, record, log);
      options.onRead();
    },
    onInterrupted: (error) => onFailure('cannot read heartbeats', error),
  });
  const send = createSender(client, topic, (error) => onFailure('a heartbeat was not sent', error));
  const beat = async (): Promise<void> => {
    const { state, seq } = membership.nextBeat();
    await send(self, JSON.stringify({ state, seq, shards: options.shards() }));
    await forgetSilent(membership, self, send);
  };

  let sending: Promise<void> | undefined;
  let again = false;
  let stopped = false;
  const beatNow = (): void => {
    if (stopped) return;
    if (sending) {
      again = true;
      return;
    }
    sending = beat().finally(() => {
      sending = undefined;
      if (again) {
        again = false;
        beatNow();
      }
    });
  };
  const interval = setInterval(beatNow, HEARTBEAT_INTERVAL);
  beatNow();

  return {
    beatNow,
    async beat() {
      await sending;
      await beat();
    },
    async stop({ tellOthers }) {
      stopped = true;
      clearInterval(interval);
      await sending;
      if (tellOthers) await send(self, null);
      await Promise.all([send.close(), reader.stop()]);
    },
    get failure() {
      return failure;
    },
    done: reader.done,
  };
}

/** A heartbeat as it is read; undefined when it is none. Also for `status`, which reads the topic once. */
export function parseBeat(record: FetchedRecord): Beat | undefined {
  if (!record.key || !record.value) return undefined;
  const at = fieldsOf(record.value.toString());
  const shards = at.value('shards');
  return {
    replica: record.key.toString(),
    state: at.oneOf('state', STATES) as ReplicaState,
    seq: at.count('seq'),
    shards: Array.isArray(shards) ? shards.filter((shard): shard is number => Number.isSafeInteger(shard)) : [],
    at: record.timestamp,
  };
}

const STATES: readonly string[] = ['joining', 'alive', 'stopping'] satisfies ReplicaState[];

function hear(membership: Membership, record: FetchedRecord, log: LedgerLog): void {
  try {
    if (record.key && record.value === null) membership.forget(record.key.toString());
    const beat = parseBeat(record);
    if (beat) membership.hear(beat, performance.now());
  } catch (error) {
    log('warn', 'a heartbeat cannot be read', { offset: record.offset, error: asFailure(error).message });
  }
}

/** One of those alive removes the silent ones, so that the topic does not grow with every restart. */
async function forgetSilent(
  membership: Membership,
  self: ReplicaId,
  send: (key: string, value: null) => Promise<void>,
): Promise<void> {
  const now = performance.now();
  if (membership.fallsTo(0, now) !== self) return;
  const replicas = membership.replicas(now);
  const newest = Math.max(...replicas.map(({ at }) => at));
  for (const { replica, at } of replicas) if (newest - at > FORGET_AFTER) await send(replica, null);
}

type Send = ((key: string, value: string | null) => Promise<void>) & { close(): Promise<void> };

/** Sends by a plain producer, made anew after an error: a late heartbeat is worth nothing, so there is at most one retry. */
function createSender(client: KafkaClient, topic: string, onFailure: (error: unknown) => void): Send {
  let session: ProducerSession | undefined;
  const open = async (): Promise<ProducerSession> => {
    if (session && !session.death) return session;
    session = await openSession(client, {
      topic,
      config: { idempotent: false, retry: { retries: 1, initialRetryTime: 50 } },
    });
    return session;
  };
  const send = async (key: string, value: string | null): Promise<void> => {
    const fields = { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) };
    const topics = [{ topic, batches: [encodeRecords(PARTITION, [fields])] }];
    try {
      const producer = await open();
      // The same heartbeat written twice is harmless.
      const twice = { gate: () => undefined };
      await producer.step({ doing: 'sending a heartbeat', limit: SEND_LIMIT, topic }, () =>
        producer.send(producer.producer, topics, twice),
      );
    } catch (error) {
      onFailure(error);
    }
  };
  return Object.assign(send, {
    close: async () => {
      await session?.close();
    },
  });
}
