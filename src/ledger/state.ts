// What the ledger topic says, folded from its records in the order of their offsets, and what this replica committed but has not
// read back yet. Pure: the reader and the shards feed it.
import { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, ServerName } from '../model/units.ts';
import type { BackfillRange, Claim, LedgerKey, Pause, Shard } from './record.ts';
import { parseClaim, parseLedgerKey, parsePause, parseRecord } from './record.ts';

/** A record as the reader gives it; a null value is a tombstone. */
export interface FoldedMessage {
  readonly key: string;
  readonly value: string | null;
}

export interface LedgerState {
  /** Takes in the next record of a shard's partition. Throws a Failure that says what is wrong with it; then the state is as before. */
  fold(shard: Shard, message: FoldedMessage): void;
  /**
   * Takes in what this replica, the shard's owner, has committed: it counts before it is read back. Null forgets the key.
   * `record`: what the value would be read as, where that is known.
   */
  commit(shard: Shard, key: string, value: string | null, record?: LedgerRecord): void;
  /** The JSON of the last record under a key; undefined when there is none. */
  text(shard: Shard, key: string): string | undefined;
  /** Undefined when there is none, and when it cannot be read: see `unreadable`. */
  record(shard: Shard, key: string): LedgerRecord | undefined;
  /** Why the record under a key cannot be read: nothing may be decided by it nor written over it. */
  unreadable(shard: Shard, key: string): Failure | undefined;
  claim(shard: Shard): Claim | undefined;
  pause(job: JobName): Pause | undefined;
  pauses(): ReadonlyMap<JobName, Pause>;
  runs(
    shard: Shard,
  ): IterableIterator<{ readonly job: JobName; readonly server: ServerName; readonly record: LedgerRecord }>;
  /** As `runs`, but each record as its JSON, whether it can be read or not; nothing is kept of it. */
  texts(shard: Shard): IterableIterator<{ readonly job: JobName; readonly server: ServerName; readonly text: string }>;
  backfills(): readonly BackfillState[];
  /** The keys whose records cannot be read, with the reasons. */
  unreadables(): readonly { readonly key: string; readonly failure: Failure }[];
  /** Forgets everything: the topic is about to be read again from its beginning. */
  clear(): void;
}

export interface BackfillState extends BackfillRange {
  readonly job: JobName;
  readonly server: ServerName;
  readonly record: LedgerRecord;
}

/** Parsed only when asked for: 500,000 records are read at a start, a few are looked at. */
interface Entry {
  readonly text: string;
  parsed?: LedgerRecord | Failure | undefined;
}

interface ShardState {
  readonly folded: Map<string, Entry>;
  /** Committed by this replica since its claim and not read back yet. */
  readonly own: Map<string, Entry | null>;
  claim?: Claim;
}

/** What is told of a state's changes. */
export interface StateListener {
  readonly claimed?: (shard: Shard, claim: Claim) => void;
  readonly paused?: (job: JobName) => void;
  /** A (job, server)'s record was read; null: it was forgotten. */
  readonly recorded?: (job: JobName, server: ServerName, text: string | null) => void;
  readonly cleared?: () => void;
}

/** An empty state for `shards` partitions. */
export function createLedgerState(shards: number, onChange: StateListener = {}): LedgerState {
  const states: readonly ShardState[] = Array.from({ length: shards }, () => ({ folded: new Map(), own: new Map() }));
  const pauses = new Map<JobName, Pause>();

  const stateOf = (shard: Shard): ShardState => {
    const state = states[shard];
    if (!state) throw new RangeError(`shard ${shard} of ${shards}`);
    return state;
  };
  const entryOf = (shard: Shard, key: string): Entry | undefined => {
    const { folded, own } = stateOf(shard);
    const mine = own.get(key);
    return mine === undefined ? folded.get(key) : (mine ?? undefined);
  };

  return {
    fold(shard, { key, value }) {
      const state = stateOf(shard);
      const meaning = parseLedgerKey(key);
      switch (meaning.kind) {
        case 'claim': {
          if (value === null) return;
          const claim = parseClaim(value);
          state.claim = claim;
          // Whatever this replica committed under an earlier claim lies before this one, and nothing of it can come after
          // (it was fenced): the folded state is the whole truth again.
          state.own.clear();
          onChange.claimed?.(shard, claim);
          return;
        }
        case 'pause':
          if (value === null) pauses.delete(meaning.job);
          else pauses.set(meaning.job, parsePause(value));
          onChange.paused?.(meaning.job);
          return;
        case 'run':
          foldEntry(state, key, value);
          onChange.recorded?.(meaning.job, meaning.server, value);
          return;
        case 'backfill':
          foldEntry(state, key, value);
          return;
        case 'other':
          return;
      }
    },
    commit(shard, key, value, record) {
      stateOf(shard).own.set(key, value === null ? null : { text: value, parsed: record });
    },
    text: (shard, key) => entryOf(shard, key)?.text,
    record(shard, key) {
      const record = parsed(entryOf(shard, key));
      return record instanceof Failure ? undefined : record;
    },
    unreadable(shard, key) {
      const record = parsed(entryOf(shard, key));
      return record instanceof Failure ? record : undefined;
    },
    claim: (shard) => stateOf(shard).claim,
    pause: (job) => pauses.get(job),
    pauses: () => pauses,
    *runs(shard) {
      for (const [key, meaning] of keysOf(stateOf(shard))) {
        if (meaning.kind !== 'run') continue;
        const record = parsed(entryOf(shard, key));
        if (record && !(record instanceof Failure)) yield { job: meaning.job, server: meaning.server, record };
      }
    },
    *texts(shard) {
      for (const [key, meaning] of keysOf(stateOf(shard))) {
        const entry = meaning.kind === 'run' ? entryOf(shard, key) : undefined;
        if (entry && meaning.kind === 'run') yield { job: meaning.job, server: meaning.server, text: entry.text };
      }
    },
    backfills() {
      const found: BackfillState[] = [];
      for (const [shard, state] of states.entries()) {
        for (const [key, meaning] of keysOf(state)) {
          if (meaning.kind !== 'backfill') continue;
          const record = parsed(entryOf(shard, key));
          if (!record || record instanceof Failure) continue;
          const { job, server, from, to } = meaning;
          found.push({ job, server, from, to, record });
        }
      }
      return found;
    },
    unreadables() {
      const all = states.flatMap((state) => [...keysOf(state)].map(([key]) => [state, key] as const));
      return all.flatMap(([state, key]) => {
        const found = parsed(state.own.get(key) ?? state.folded.get(key));
        return found instanceof Failure ? [{ key, failure: found }] : [];
      });
    },
    clear() {
      for (const state of states) {
        state.folded.clear();
        state.own.clear();
        delete state.claim;
      }
      pauses.clear();
      onChange.cleared?.();
    },
  };
}

function foldEntry({ folded, own }: ShardState, key: string, value: string | null): void {
  if (value === null) {
    folded.delete(key);
    if (own.get(key) === null) own.delete(key);
    return;
  }
  const mine = own.get(key);
  if (mine?.text !== value) {
    folded.set(key, { text: value });
    return;
  }
  // What it was parsed to is kept.
  folded.set(key, mine);
  own.delete(key);
}

function parsed(entry: Entry | undefined): LedgerRecord | Failure | undefined {
  if (entry) entry.parsed ??= parseOrFailure(entry.text);
  return entry?.parsed;
}

function parseOrFailure(text: string): LedgerRecord | Failure {
  try {
    return parseRecord(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

function* keysOf({ folded, own }: ShardState): IterableIterator<[string, LedgerKey]> {
  for (const key of folded.keys()) yield [key, parseLedgerKey(key)];
  for (const key of own.keys()) if (!folded.has(key)) yield [key, parseLedgerKey(key)];
}
