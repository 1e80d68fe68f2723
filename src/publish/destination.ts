// Where the rows of a run by hand go: Kafka, or the screen. Types only.
import type { Committer } from '../ledger/types.ts';
import type { Failure } from '../model/failure.ts';
import type { ServerName } from '../model/units.ts';
import type { AttemptResult, TopicShape } from './attempt.ts';

export interface Destination {
  readonly committer: Committer;
  readonly topicShape: (topic: string) => Promise<TopicShape>;
  /** Makes a result that was read visible; the failure, if it could not be. */
  deliver(result: ReadResult, server: ServerName): Promise<Failure | undefined>;
  close(): Promise<void>;
}

export type ReadResult = Extract<AttemptResult, { status: 'read' }>;
