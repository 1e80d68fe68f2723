// What an ingest run is given, what it tells, and how it ended. Types only.
import type { KafkaClient } from '../kafka/client.ts';
import type { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { Bytes } from '../model/units.ts';
import type { ConnectionKeeper } from '../postgres/pool.ts';
import type { PreparedIngest } from '../project/prepared.ts';

export interface IngestInput {
  readonly prepared: PreparedIngest;
  readonly server: Server;
  /** `end`: to the end as of the start, and no more than the job's `limit` of a partition; `never`: until it is stopped. */
  readonly until: 'end' | 'never';
  /** Names of the project's jobs, to tell one that was renamed. */
  readonly jobs: readonly string[];
  /** Ends it in good order: what is being written is written. */
  readonly stopping: AbortSignal;
  /** Ends it at once: statements are cancelled. */
  readonly signal: AbortSignal;
  /** When this job needs the server next (epoch ms): connections are kept until then if that is near. */
  readonly nextUse?: number;
  readonly onWarning: (message: string) => void;
  /** A partition goes no further; the others do. */
  readonly onHalted?: (partition: number, failure: Failure) => void;
  /** At the start: where each partition goes on, and its end as of then. */
  readonly onPositions?: (positions: readonly Omit<IngestProgress, 'rows'>[]) => void;
  /** After each batch: the partition's next offset, the end that was last seen, and rows of the run so far. */
  readonly onProgress?: (progress: IngestProgress) => void;
}

export interface IngestProgress {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
  readonly rows: number;
}

export interface IngestContext {
  readonly kafka: KafkaClient;
  readonly connections: ConnectionKeeper;
}

export interface IngestResult {
  /** Messages that became rows. */
  readonly rows: number;
  readonly bytes: Bytes;
  /** Messages that became dead letters. */
  readonly dead: number;
  /** Why the run, or a partition of it, did not come to its end. */
  readonly failures: readonly Failure[];
}
