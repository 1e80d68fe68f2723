// A `stream: true` job: one reader of all partitions that goes on until it is told to stop, through whatever happens to Kafka,
// Postgres or single partitions. Replicas share no partitions by a consumer group: whoever has the job's shard reads all, and
// two who believe they have it do no harm, because each batch moves its offset by compare-and-set.
import { newCluster } from '../kafka/cluster.ts';
import { partitionLeaders } from '../kafka/offsets.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { ingest } from './ingest.ts';
import type { IngestContext, IngestInput } from './run-types.ts';

export interface StreamInput extends Omit<IngestInput, 'until' | 'stopping' | 'signal' | 'onHalted' | 'nextUse'> {
  /** A partition is held up, or the whole job (`undefined`); told once for each reason. */
  readonly onHeldUp: (partition: number | undefined, failure: Failure) => void;
  /** What was held up goes on. */
  readonly onRecovered: (partition: number | undefined) => void;
}

export interface Stream {
  /** Ends it: what is being written is written, or cancelled after `grace`. Never rejects. */
  stop(grace: Milliseconds): Promise<void>;
}

const FIRST_RETRY: Milliseconds = 500;
const LONGEST_RETRY: Milliseconds = 10_000;
/** When a partition is looked at again that only a person can mend, and whether the topic got new ones. */
const RECHECK: Milliseconds = 60_000;

/** Starts reading. */
export function startStream(context: IngestContext, input: StreamInput): Stream {
  const stopping = new AbortController();
  const cancelling = new AbortController();
  const running = run(context, input, stopping.signal, cancelling.signal);
  return {
    async stop(grace) {
      stopping.abort();
      const timer = setTimeout(
        () => cancelling.abort(new Failure('pgtally is stopping', { kind: 'cancelled' })),
        grace,
      );
      await running;
      clearTimeout(timer);
    },
  };
}

async function run(
  context: IngestContext,
  input: StreamInput,
  stopping: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  const troubles = createTroubles(input);
  let retry = FIRST_RETRY;
  while (!stopping.aborted) {
    const round = new AbortController();
    const watching = watchTopic(context, input, round);
    let again: NodeJS.Timeout | undefined;
    const lookAgain = (failure: Failure): void => {
      clearTimeout(again);
      again = setTimeout(() => round.abort(), failure.retryable ? retry : RECHECK);
    };
    const halted = new Set<Failure>();
    const started = performance.now();
    const { failures } = await ingest(context, {
      ...input,
      until: 'never',
      onProgress: (progress) => {
        troubles.over(progress.partition);
        input.onProgress?.(progress);
      },
      stopping: AbortSignal.any([stopping, round.signal]),
      signal,
      onHalted: (partition, failure) => {
        halted.add(failure);
        if (stopping.aborted) return;
        troubles.met(partition, failure);
        lookAgain(failure);
      },
    });
    clearTimeout(again);
    clearInterval(watching);
    if (stopping.aborted) return;
    const failure = failures.find((one) => !halted.has(one));
    if (failure) troubles.met(undefined, failure);
    // It went well for a while: what is wrong now is something else.
    if (failures.length === 0 || performance.now() - started > RECHECK) retry = FIRST_RETRY;
    if (failures.length === 0) continue;
    const wait = failures.some(({ retryable }) => retryable) ? retry : RECHECK;
    retry = Math.min(LONGEST_RETRY, 2 * retry);
    if (!round.signal.aborted) await pause(wait, stopping);
  }
}

/** Ends the round when the topic has got partitions, which the next round reads. */
function watchTopic({ kafka }: IngestContext, { prepared }: StreamInput, round: AbortController): NodeJS.Timeout {
  let known: number | undefined;
  const look = async (): Promise<void> => {
    const cluster = newCluster(kafka);
    try {
      const { partitions } = await partitionLeaders(cluster, prepared.job.topic);
      if (known !== undefined && partitions.length !== known) round.abort();
      known = partitions.length;
    } catch (error) {
      // Whoever reads meets the same, and says it.
      if (!(error instanceof Failure)) throw error;
    } finally {
      cluster.close();
    }
  };
  void look();
  return setInterval(() => void look(), RECHECK);
}

interface Troubles {
  met(partition: number | undefined, failure: Failure): void;
  /** Something of a partition was written. */
  over(partition: number): void;
}

/** Tells of each trouble once, however often it is met. */
function createTroubles({ onHeldUp, onRecovered }: StreamInput): Troubles {
  const told = new Map<number | undefined, string>();
  return {
    met(partition, failure) {
      if (told.get(partition) === failure.message) return;
      told.set(partition, failure.message);
      onHeldUp(partition, failure);
    },
    over(partition) {
      if (told.size === 0) return;
      for (const held of [partition, undefined]) if (told.delete(held)) onRecovered(held);
    },
  };
}

function pause(duration: Milliseconds, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || duration <= 0) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, duration);
    signal.addEventListener('abort', end, { once: true });
  });
}
