// Pausing and resuming a job from any machine: a record in the ledger that every replica's tail sees.
import type { KafkaClient } from '../kafka/client.ts';
import { murmur2Partition } from '../kafka/murmur2.ts';
import { openIdempotentProducer } from '../kafka/producer.ts';
import { encodeRecords } from '../kafka/record-batch.ts';
import type { LedgerSettings } from '../model/project.ts';
import { formatInstant, type JobName } from '../model/units.ts';
import { formatPause, type Pause, pauseKey } from './record.ts';

type Settings = Pick<LedgerSettings, 'topic' | 'shards'>;

/** Every replica sees it within a second and starts no run of the job. Rejects with a Failure. */
export async function writePause(client: KafkaClient, settings: Settings, job: JobName, note?: string): Promise<Pause> {
  const pause: Pause = {
    since: formatInstant(Math.floor(Date.now() / 1000) * 1000),
    ...(note === undefined ? {} : { note }),
  };
  await writePauseRecord(client, settings, job, formatPause(pause));
  return pause;
}

/** Ends a pause; also one that is none. Rejects with a Failure. */
export async function writeResume(client: KafkaClient, settings: Settings, job: JobName): Promise<void> {
  await writePauseRecord(client, settings, job, null);
}

/**
 * A pause is written by the command itself, without a transaction: it touches no run's state, so that no owner's fencing has to
 * be passed. It lies in the partition of its own key.
 */
async function writePauseRecord(
  client: KafkaClient,
  { topic, shards }: Settings,
  job: JobName,
  value: string | null,
): Promise<void> {
  const key = Buffer.from(pauseKey(job));
  const producer = await openIdempotentProducer(client, { topic });
  try {
    await producer.send(topic, [
      encodeRecords(murmur2Partition(key, shards), [{ key, value: value === null ? null : Buffer.from(value) }]),
    ]);
  } finally {
    await producer.close();
  }
}
