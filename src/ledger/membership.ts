// Which replicas are there, and whether what is known of them is sound enough to decide by. Pure: heartbeats and clocks come in
// as arguments, nothing here waits or sends. Only for liveness: a wrong view costs a fencing, never a doubled run.
import type { Milliseconds } from '../model/units.ts';
import type { ReplicaId, Shard } from './record.ts';
import { createRendezvous } from './rendezvous.ts';

/** Milliseconds of a clock that never goes back, of this process (`performance.now()`). */
export type Monotonic = number;
/** Epoch milliseconds of the broker's clock (the replicas topic has `LogAppendTime`): one clock for all replicas. */
export type BrokerInstant = number;

/** `joining` until the ledger was read and the own heartbeat came back; only `alive` ones are given shards. */
export type ReplicaState = 'joining' | 'alive' | 'stopping';

export interface Beat {
  readonly replica: ReplicaId;
  readonly state: ReplicaState;
  /** Counts the heartbeats of one replica: its own come back and are told from older ones. */
  readonly seq: number;
  /** The shards it runs, for people to see. */
  readonly shards: readonly Shard[];
  readonly at: BrokerInstant;
}

export interface Standing {
  /** Reads and writes reach Kafka: the own heartbeat came back lately. */
  readonly available: boolean;
  /** The view may be decided by: shards may be claimed and handed over. */
  readonly sound: boolean;
  /** The own state changed, or has to be confirmed: a heartbeat should go out now. */
  readonly beatNow: boolean;
}

export interface MembershipTimes {
  /** Not heard for so long = gone; cut off for so long = join anew. */
  readonly silent: Milliseconds;
  /** The own heartbeat must have been read back within this. */
  readonly backWithin: Milliseconds;
  /** A gap between two evaluations that counts as a stall of this process. */
  readonly stall: Milliseconds;
  /** After having been cut off: others must be heard first. */
  readonly quiet: Milliseconds;
  /** Between `alive` and the first claim. */
  readonly settle: Milliseconds;
}

/** The times that were run under kills, freezes and broker restarts: failover 3 s. */
export const PROVEN_TIMES: MembershipTimes = { silent: 3000, backWithin: 2000, stall: 700, quiet: 1500, settle: 300 };

export interface Membership {
  /** What the next heartbeat is to say; counts it. */
  nextBeat(): { readonly state: ReplicaState; readonly seq: number };
  hear(beat: Beat, now: Monotonic): void;
  /** A replica's tombstone was read: it stopped cleanly. */
  forget(replica: ReplicaId): void;
  /**
   * Looks at the clocks. Call it every 200 ms and whenever a heartbeat was read.
   * `caughtUp(since)` says whether every shard's partition was read to its last stable offset by a fetch begun after `since`.
   */
  evaluate(now: Monotonic, wall: number, caughtUp: (since: Monotonic) => boolean): Standing;
  /** When this process last stalled: nothing read before may be decided by. */
  readonly staleSince: Monotonic;
  isHeard(replica: ReplicaId, now: Monotonic): boolean;
  /** The owner a shard should have: the highest rendezvous weight of those alive. Undefined when nobody is. */
  fallsTo(shard: Shard, now: Monotonic): ReplicaId | undefined;
  /** From now on nothing falls to this replica. */
  stop(): void;
  /** All that were heard of and left no tombstone, with whether they still are heard. */
  replicas(now: Monotonic): readonly (Beat & { readonly heard: boolean })[];
}

export function createMembership(self: ReplicaId, start: Monotonic, times = PROVEN_TIMES): Membership {
  const members = new Map<ReplicaId, { readonly beat: Beat; readonly readAt: Monotonic }>();
  const highestWeight = createRendezvous();
  let newest: BrokerInstant = 0;
  let seq = 0;
  let joined = false;
  let joinedAt = start;
  let stopping = false;
  let ownReadAt = Number.NEGATIVE_INFINITY;
  let ownSeq = 0;
  let staleSince = start;
  let confirmFrom = 1;
  let confirmedSince: Monotonic | undefined;
  let quietAsked = false;
  let last: { readonly now: Monotonic; readonly wall: number } | undefined;

  const isHeard = (replica: ReplicaId, now: Monotonic): boolean => {
    const member = members.get(replica);
    // Both: records of replicas long dead are read just now when a process starts, and nothing is read when Kafka is away.
    return member !== undefined && now - member.readAt < times.silent && newest - member.beat.at < times.silent;
  };

  const rejoin = (): void => {
    joined = false;
    quietAsked = true;
  };

  /** A frozen process, a blocked event loop or a suspended machine: until confirmed, what was heard is old. */
  const noteStall = (now: Monotonic, wall: number): boolean => {
    // The monotonic clock stands still while a machine is suspended, the wall clock does not; a wall clock that is set
    // forward looks the same and costs one heartbeat.
    const gap = last === undefined ? 0 : Math.max(now - last.now, wall - last.wall);
    last = { now, wall };
    if (gap <= times.stall) return false;
    if (gap > times.silent && joined) rejoin();
    staleSince = now;
    confirmFrom = seq + 1;
    return true;
  };

  return {
    nextBeat() {
      seq += 1;
      return { state: stopping ? 'stopping' : joined ? 'alive' : 'joining', seq };
    },
    hear(beat, now) {
      newest = Math.max(newest, beat.at);
      members.set(beat.replica, { beat, readAt: now });
      if (beat.replica !== self) return;
      ownReadAt = now;
      ownSeq = beat.seq;
    },
    forget(replica) {
      members.delete(replica);
    },
    evaluate(now, wall, caughtUp) {
      let beatNow = noteStall(now, wall);
      const silence = now - ownReadAt;
      if (joined && !stopping && silence > times.silent) rejoin();
      const confirmed = !stopping && silence < times.backWithin && ownSeq >= confirmFrom;
      confirmedSince = confirmed ? (confirmedSince ?? now) : undefined;
      if (quietAsked && confirmedSince !== undefined && now - confirmedSince >= times.quiet) quietAsked = false;
      const mayJoin = confirmed && !quietAsked;
      if (mayJoin && !joined && caughtUp(staleSince)) {
        joined = true;
        joinedAt = now;
        beatNow = true;
      }
      const settled = joined && now - joinedAt > times.settle;
      return {
        available: silence < times.silent && ownSeq >= confirmFrom,
        // A view in which this replica is not alive would give its shards to others.
        sound: mayJoin && settled && members.get(self)?.beat.state === 'alive',
        beatNow,
      };
    },
    get staleSince() {
      return staleSince;
    },
    isHeard,
    fallsTo(shard, now) {
      const alive: ReplicaId[] = [];
      for (const [replica, { beat }] of members) {
        if (beat.state === 'alive' && isHeard(replica, now)) alive.push(replica);
      }
      return highestWeight(alive, shard);
    },
    stop() {
      stopping = true;
    },
    replicas(now) {
      return [...members.values()].map(({ beat }) => ({ ...beat, heard: isHeard(beat.replica, now) }));
    },
  };
}
