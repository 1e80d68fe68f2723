// A topic of the ledger read once, from some point to its end as of now, without a group.
import type { KafkaClient } from '../kafka/client.ts';
import { openReader } from '../kafka/reader.ts';
import type { FetchedRecord, Isolation, StartOffset } from '../kafka/record.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { asFailure } from './transact.ts';

/** How long a partition may be unreadable before a command gives up. */
const PATIENCE: Milliseconds = 10_000;

/** A sentence for each record that `read` could not make sense of, with its place. */
export function collectProblems(topic: string) {
  const problems: string[] = [];
  return {
    problems,
    trying(partition: number, record: FetchedRecord, read: () => void): void {
      try {
        read();
      } catch (error) {
        problems.push(
          `topic \`${topic}\`, partition ${partition}, offset ${record.offset}: ${asFailure(error).message}`,
        );
      }
    },
  };
}

/** Calls `onRecord` for every record. Rejects with a Failure: `topic` when there is no such topic, `kafka` when it cannot be read. */
export async function readAll(
  client: KafkaClient,
  topic: string,
  isolation: Isolation,
  from: StartOffset,
  onRecord: (partition: number, record: FetchedRecord) => void,
): Promise<void> {
  const reader = await openReader(client, {
    topic,
    from,
    until: 'end',
    isolation,
    patience: PATIENCE,
    onRecords: ({ partition, records }) => {
      for (const record of records) onRecord(partition, record);
    },
  }).catch((error: unknown) => {
    throw withHint(asFailure(error), topic);
  });
  await reader.done;
}

function withHint(failure: Failure, topic: string): Failure {
  if (failure.code !== 'UNKNOWN_TOPIC_OR_PARTITION') return failure;
  return new Failure(`there is no ledger: topic \`${topic}\` does not exist`, {
    kind: 'topic',
    code: failure.code,
    cause: failure,
    hint: '`pgtally start` creates it; check `ledger.topic` and `kafka.brokers` in pgtally.yaml',
  });
}
