// Sending large amounts so that kafkajs's own retries are harmless: every send, and every repetition of it inside kafkajs, goes
// to one broker. kafkajs makes a request for each leader and repeats all of them when one fails, with new sequence numbers for
// those still under way (ledger.md, Several brokers); with one request there is nothing to get wrong.
import { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { Leaders } from './pre-encoded.ts';
import type { ProducerSession, Sender } from './producer-session.ts';
import type { EncodedBatch } from './record-batch.ts';

/** A broker's death is noticed after 9 s, and then come kafkajs's retries. */
const DEADLINE: Milliseconds = 30_000;
/** Bytes of records in one request. A broker takes one at a time: half as much takes a third longer, twice as much no less. */
const MOST: Bytes = 4 * 1024 * 1024;

interface Waiting {
  readonly batch: EncodedBatch;
  readonly settle: (error?: unknown) => void;
}

/**
 * Sends batches, those of a topic-partition in their order, one request to each broker at a time; resolves when the brokers
 * have them all. Rejects with the failure that killed the session, when none of the batches is in use any more.
 */
export function createLeaderSends(
  session: ProducerSession,
  sender: Sender,
): (topic: string, batches: readonly EncodedBatch[]) => Promise<void> {
  const topics = new Map<string, ReturnType<typeof sendTopic>>();
  return async (topic, batches) => {
    await session.admit([topic]);
    if (session.death) throw session.death;
    let enqueue = topics.get(topic);
    if (!enqueue) {
      enqueue = sendTopic(session, sender, topic);
      topics.set(topic, enqueue);
    }
    for (const result of await Promise.allSettled(enqueue(batches))) {
      if (result.status === 'rejected') throw result.reason;
    }
  };
}

/** A function that takes batches of one topic and gives a promise for each. */
function sendTopic(
  session: ProducerSession,
  sender: Sender,
  topic: string,
): (batches: readonly EncodedBatch[]) => Promise<void>[] {
  /** By partition; a partition that was served goes to the end. */
  const queues = new Map<number, Waiting[]>();
  const busyPartitions = new Set<number>();
  const busyLeaders = new Set<number | undefined>();
  let leaders: Leaders | undefined;
  let asking = false;
  const step = { doing: `sending to \`${topic}\``, limit: DEADLINE, topic };

  const dispatch = (): void => {
    if (session.death) failAll(session.death);
    else if (!leaders) void askLeaders();
    else for (const [leader, group] of nextGroups(leaders)) void sendGroup(leader, group);
  };

  /** For each broker that is free, the batches to send to it: the first of each of its partitions that is free. */
  const nextGroups = (current: Leaders): Map<number | undefined, Waiting[]> => {
    const groups = new Map<number | undefined, Waiting[]>();
    const sizes = new Map<number | undefined, Bytes>();
    for (const [partition, [first, ...others]] of queues) {
      const leader = current.get(partition);
      if (!first || busyPartitions.has(partition) || busyLeaders.has(leader)) continue;
      const group = groups.get(leader) ?? [];
      const size = (sizes.get(leader) ?? 0) + first.batch.bytes.length;
      if (group.length > 0 && size > MOST) continue;
      groups.set(leader, [...group, first]);
      sizes.set(leader, size);
      queues.set(partition, others);
    }
    for (const partition of [...groups.values()].flat().map(({ batch }) => batch.partition)) moveToEnd(partition);
    return groups;
  };

  const moveToEnd = (partition: number): void => {
    const queue = queues.get(partition);
    queues.delete(partition);
    if (queue && queue.length > 0) queues.set(partition, queue);
  };

  const sendGroup = async (leader: number | undefined, group: readonly Waiting[]): Promise<void> => {
    const batches = group.map(({ batch }) => batch);
    busyLeaders.add(leader);
    for (const { partition } of batches) busyPartitions.add(partition);
    let divided = false;
    const onLeaders = (current: Leaders): void => {
      leaders = current;
      divided = new Set(batches.map(({ partition }) => current.get(partition))).size > 1;
      // Not even tried: an earlier attempt, if any, was one request, and kafkajs took its sequence numbers back.
      if (divided) throw leadersMoved(topic);
    };
    try {
      await session.step({ ...step, spares: () => divided }, () =>
        session.send(sender, [{ topic, batches }], { gate: () => {}, onLeaders }),
      );
      for (const waiting of group) waiting.settle();
    } catch (error) {
      if (session.death) for (const waiting of group) waiting.settle(error);
      else for (const waiting of group) putBack(waiting);
    }
    busyLeaders.delete(leader);
    for (const { partition } of batches) busyPartitions.delete(partition);
    dispatch();
  };

  const putBack = (waiting: Waiting): void => {
    const { partition } = waiting.batch;
    queues.set(partition, [waiting, ...(queues.get(partition) ?? [])]);
  };

  /** A send of nothing, for the sake of the leaders. */
  const askLeaders = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    const onLeaders = (current: Leaders): void => {
      leaders = current;
    };
    try {
      await session.step(step, () => session.send(sender, [{ topic, batches: [] }], { onLeaders }));
    } catch (error) {
      failAll(error);
    }
    asking = false;
    if (leaders) dispatch();
  };

  const failAll = (error: unknown): void => {
    const waiting = [...queues.values()].flat();
    queues.clear();
    for (const { settle } of waiting) settle(error);
  };

  return (batches) => {
    const promises = batches.map(
      (batch) =>
        new Promise<void>((resolve, reject) => {
          const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
          const queue = queues.get(batch.partition);
          if (queue) queue.push({ batch, settle });
          else queues.set(batch.partition, [{ batch, settle }]);
        }),
    );
    dispatch();
    session.prepare(batches);
    return promises;
  };
}

/** Never seen outside: the batches are sorted by leader anew. */
function leadersMoved(topic: string): Failure {
  return new Failure(`kafka: leaders of \`${topic}\` moved`, { kind: 'kafka', retryable: true, code: 'LEADERS_MOVED' });
}
