// Which topics may enter a producer, asked before they do: one missing, forbidden or leaderless topic would take the producer
// (and with it everybody's runs) down. Shared by all lanes of a process; what one learns protects the others.
import type { KafkaClient } from '../kafka/client.ts';
import { type Cluster, newCluster } from '../kafka/cluster.ts';
import type { TopicMetadata } from '../kafka/metadata.ts';
import { createTopicShapes, type TopicShapes } from '../kafka/topic-shapes.ts';
import { whyUnusable } from '../kafka/usable-topic.ts';
import { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';

type MaybeTopic = string | undefined;

export interface TopicWatch {
  /**
   * Looks at the topics that were not looked at since they were last doubted; resolves with a Failure for each that may not be
   * used now. Never rejects: when no broker answers, the producer will find out.
   */
  look(topics: readonly MaybeTopic[]): Promise<ReadonlyMap<string, Failure>>;
  /** Looked at again before the next use. */
  doubt(topics: readonly MaybeTopic[]): void;
  /** Rehearsed before it may share a transaction again. */
  suspect(topics: readonly MaybeTopic[]): void;
  isSuspect(topic: MaybeTopic): boolean;
  /** It was committed to: no longer doubted nor suspect. */
  trust(topics: readonly MaybeTopic[]): void;
  /** Refused at once for a moment, so that a thousand runs due to it do not each try. */
  holdOut(topic: string, failure: Failure): void;
  /** The largest batch the topic takes, and we make. */
  readonly batchBytes: (topic: string) => Bytes;
  close(): void;
}

export interface TopicWatchOptions {
  /** Shared with who encodes rows; default: its own. */
  readonly shapes?: TopicShapes;
  readonly now?: () => number;
}

/** How long a topic that was found unusable stays so without being asked about again. */
const HOLD_OUT: Milliseconds = 1000;
/** Batches of several runs grow no larger than this: enough for speed. */
const LARGEST_BATCH: Bytes = 512 * 1024;

interface Watched {
  looked: boolean;
  suspect: boolean;
  batchBytes: Bytes;
  heldOut?: { readonly failure: Failure; readonly until: number };
}

export function createTopicWatch(client: KafkaClient, options: TopicWatchOptions = {}): TopicWatch {
  const now = options.now ?? (() => performance.now());
  const shapes = options.shapes ?? createTopicShapes(client);
  const topics = new Map<string, Watched>();
  let cluster: Cluster | undefined;

  const watched = (topic: string): Watched => {
    let found = topics.get(topic);
    if (!found) {
      found = { looked: false, suspect: false, batchBytes: LARGEST_BATCH };
      topics.set(topic, found);
    }
    return found;
  };
  const each = (names: readonly MaybeTopic[], change: (watched: Watched) => void): void => {
    for (const name of new Set(names)) if (name !== undefined) change(watched(name));
  };
  const holdOut = (topic: string, failure: Failure): void => {
    watched(topic).heldOut = { failure, until: now() + HOLD_OUT };
  };

  /** What cannot be asked is left to the broker to refuse. */
  const largestBatch = async (topic: string): Promise<Bytes> => {
    try {
      return (await shapes.shapeOf(topic)).maxMessageBytes;
    } catch (error) {
      if (error instanceof Failure) return LARGEST_BATCH;
      throw error;
    }
  };

  const ask = async (names: readonly string[]): Promise<readonly TopicMetadata[]> => {
    cluster ??= newCluster(client);
    const metadata = await cluster.metadata(names);
    return metadata.topics;
  };

  const lookAt = async (names: readonly string[]): Promise<void> => {
    let answers: readonly TopicMetadata[];
    try {
      answers = await ask(names);
    } catch (error) {
      // Kafka away is not the topics' fault; the transaction will say so itself.
      if (error instanceof Failure) return;
      throw error;
    }
    for (const answer of answers) {
      const failure = whyUnusable(answer);
      const entry = watched(answer.name);
      if (failure) {
        holdOut(answer.name, failure);
        continue;
      }
      entry.looked = true;
      delete entry.heldOut;
      entry.batchBytes = Math.min(LARGEST_BATCH, await largestBatch(answer.name));
    }
  };

  return {
    async look(names) {
      const asked = [...new Set(names)].filter((name) => name !== undefined);
      const unknown = asked.filter((name) => {
        const { looked, heldOut } = watched(name);
        return !looked && !(heldOut && heldOut.until > now());
      });
      if (unknown.length > 0) await lookAt(unknown);
      const refusals = new Map<string, Failure>();
      for (const name of asked) {
        const { heldOut } = watched(name);
        if (heldOut && heldOut.until > now()) refusals.set(name, heldOut.failure);
      }
      return refusals;
    },
    doubt: (names) =>
      each(names, (entry) => {
        entry.looked = false;
      }),
    suspect: (names) =>
      each(names, (entry) => {
        entry.suspect = true;
      }),
    isSuspect: (topic) => topic !== undefined && (topics.get(topic)?.suspect ?? false),
    trust: (names) =>
      each(names, (entry) => {
        entry.looked = true;
        entry.suspect = false;
        delete entry.heldOut;
      }),
    holdOut,
    batchBytes: (topic) => watched(topic).batchBytes,
    close: () => {
      cluster?.close();
      if (!options.shapes) shapes.close();
    },
  };
}
