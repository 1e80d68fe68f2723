// What the status page needs to know of the daemon it belongs to. Types only; each is asked for when it is used, because the
// files may be read again and the ledger may not have been joined yet.
import type { KafkaClient } from '../kafka/client.ts';
import type { RunningLedger } from '../ledger/ledger.ts';
import type { Project } from '../model/project.ts';
import type { JobName } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';

export interface StatusSource {
  readonly project: () => Project;
  readonly jobs: () => readonly PreparedJob[];
  /** Undefined before it was joined. */
  readonly ledger: () => RunningLedger | undefined;
  readonly client: KafkaClient;
  /** By job and partition: offsets that are still to be read, of those that this replica reads. */
  readonly ingestLags: () => ReadonlyMap<JobName, ReadonlyMap<number, number>>;
  readonly clock: () => number;
}
