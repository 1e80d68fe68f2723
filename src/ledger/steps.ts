// The named steps of the ledger's protocol, so that a test can kill, freeze or interleave replicas at each of them. In a
// running pgtally nothing listens.
import type { Shard } from './record.ts';

export type ProtocolStep =
  // Taking a shard.
  | 'main-fenced'
  | 'stream-fenced'
  | 'claim-sent'
  | 'claim-committed'
  | 'claim-read'
  // A transaction of the main producer.
  | 'begun'
  | 'ledger-sent'
  | 'rows-sent'
  | 'commit-asked'
  | 'committed'
  // A run that streams.
  | 'stream-begun'
  | 'stream-rows-sent'
  | 'stream-ledger-sent'
  | 'stream-commit-asked'
  | 'stream-committed'
  // Giving a shard back.
  | 'release-sent'
  | 'released';

/** Awaited before the protocol goes on; what it throws ends the protocol as an error of Kafka would. */
export type OnStep = (step: ProtocolStep, shard: Shard | undefined) => void | Promise<void>;

export const noSteps: OnStep = () => undefined;
