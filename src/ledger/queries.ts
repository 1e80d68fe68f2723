// What commands read of the ledger without a daemon: the whole state, once, with who owns what.
import type { KafkaClient } from '../kafka/client.ts';
import { Failure } from '../model/failure.ts';
import type { LedgerSettings } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import { parseBeat } from './heartbeat.ts';
import { ledgerTopicNames } from './ledger-topics.ts';
import { type Beat, PROVEN_TIMES } from './membership.ts';
import { collectProblems, readAll } from './read-all.ts';
import type { Pause, ReplicaId } from './record.ts';
import { type BackfillState, createLedgerState } from './state.ts';

type Settings = Pick<LedgerSettings, 'topic' | 'shards'>;

export interface RunState {
  readonly job: JobName;
  readonly server: ServerName;
  readonly shard: number;
  readonly record: LedgerRecord;
}

export interface LedgerSnapshot {
  readonly runs: readonly RunState[];
  /** By shard: who claimed it last and did not release it. */
  readonly owners: readonly (ReplicaId | undefined)[];
  readonly pauses: ReadonlyMap<JobName, Pause>;
  readonly backfills: readonly BackfillState[];
  /** `heard`: it sent a heartbeat lately, by this machine's clock and the others' heartbeats. */
  readonly replicas: readonly (Beat & { readonly heard: boolean })[];
  /** Records that could not be read, each a sentence with its place. */
  readonly problems: readonly string[];
}

/** Clocks of this machine and of the broker may differ by so much before a replica that is there is called silent. */
const CLOCK_TOLERANCE: Milliseconds = 15_000;

/** The ledger as it is now. Rejects with a Failure: `topic` when there is none yet, `kafka` when it cannot be read. */
export async function readState(client: KafkaClient, settings: Settings): Promise<LedgerSnapshot> {
  const names = ledgerTopicNames(settings.topic);
  const state = createLedgerState(settings.shards);
  const beats = new Map<ReplicaId, Beat>();
  const ledger = collectProblems(names.ledger);
  const replicas = collectProblems(names.replicas);
  await Promise.all([
    readAll(client, names.ledger, 'read_committed', 'beginning', (partition, record) =>
      ledger.trying(partition, record, () => {
        if (partition >= settings.shards)
          throw new Failure(`there is no shard ${partition}`, { kind: 'configuration' });
        if (record.key) state.fold(partition, { key: record.key.toString(), value: record.value?.toString() ?? null });
      }),
    ),
    readAll(client, names.replicas, 'read_uncommitted', 'beginning', (partition, record) =>
      replicas.trying(partition, record, () => {
        const beat = parseBeat(record);
        if (beat) beats.set(beat.replica, beat);
        else if (record.key) beats.delete(record.key.toString());
      }),
    ),
  ]);
  const shards = Array.from({ length: settings.shards }, (_, shard) => shard);
  const newest = Math.max(0, ...[...beats.values()].map(({ at }) => at));
  const current = Date.now() - newest < PROVEN_TIMES.silent + CLOCK_TOLERANCE;
  return {
    runs: shards.flatMap((shard) => [...state.runs(shard)].map((run) => ({ ...run, shard }))),
    owners: shards.map((shard) => {
      const claim = state.claim(shard);
      return claim && !claim.released ? claim.replica : undefined;
    }),
    pauses: state.pauses(),
    backfills: state.backfills(),
    replicas: [...beats.values()].map((beat) => ({
      ...beat,
      heard: current && newest - beat.at < PROVEN_TIMES.silent,
    })),
    problems: [
      ...ledger.problems,
      ...replicas.problems,
      ...state.unreadables().map(({ key, failure }) => `the record of \`${key}\`: ${failure.message}`),
    ],
  };
}
