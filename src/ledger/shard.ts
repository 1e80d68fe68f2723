// One shard on one replica: released -> taking -> owned -> handing over -> released. It decides, on a sound view of who is
// there, when to take and when to give back, and is the lane that group commit commits by while it is owned.
import type { TopicBatches } from '../kafka/written.ts';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { RecordTopics } from './commit-plan.ts';
import { judgeUnit } from './judge.ts';
import type { CommitAttempt, Lane } from './lane.ts';
import type { LedgerLog } from './log.ts';
import type { Membership, Monotonic } from './membership.ts';
import type { Claim, ReplicaId } from './record.ts';
import { createRunHolds } from './run-holds.ts';
import { type ShardSession, VIEW_CHANGED } from './shard-session.ts';
import { createShardWait, shardLost } from './shard-wait.ts';
import type { LedgerState } from './state.ts';
import { asFailure } from './transact.ts';

export type ShardStatus = 'released' | 'taking' | 'owned' | 'handing over';

export interface ShardOptions {
  readonly records: RecordTopics;
  readonly self: ReplicaId;
  readonly membership: Membership;
  readonly state: LedgerState;
  readonly now: () => Monotonic;
  /** Takes the shard by the protocol of shard-session.ts. */
  readonly take: (asked: {
    readonly stillMine: () => boolean;
    readonly untilRead: (nonce: string) => Promise<void>;
  }) => Promise<ShardSession>;
  /** The shard's partition was read to its last stable offset by a fetch begun at or after `since`. */
  readonly caughtUp: (since: Monotonic) => boolean;
  /** A commit or a stream is under way or waits. */
  readonly busy: () => boolean;
  /** See Lane. */
  readonly rehearse?: (rows: readonly TopicBatches[]) => Promise<Failure | undefined>;
  readonly onChange: () => void;
  readonly log: LedgerLog;
}

export interface Shard {
  readonly status: ShardStatus;
  /** Held with its final state read: runs may be decided and committed. */
  readonly owned: boolean;
  readonly lane: Lane;
  /** To be called every 200 ms and at every heartbeat; `sound`: the view may be decided by. */
  evaluate(sound: boolean): void;
  /** A claim was folded. */
  noteClaim(claim: Claim): void;
  /** Marks a run under way; undefined when none may start. */
  begin(stateKey: string): (() => void) | undefined;
  /** Resolves with the session to stream by. Rejects with a Failure when the shard is given up. */
  session(): Promise<ShardSession>;
  /** A session met an error: it is discarded, and the shard taken anew if it still falls to this replica. Default: the present one. */
  lose(failure: Failure, session?: ShardSession): void;
  /** Nothing new starts; given back when nothing is under way. */
  stop(): void;
  /** Gives up at once, without a word to the others. */
  abandon(): void;
}

/** After another owner's claim or a timeout of the broker, which look the same: its claim may still be on the way. */
const AFTER_FENCED: Milliseconds = 1000;
const FIRST_BACKOFF: Milliseconds = 150;
const LONGEST_BACKOFF: Milliseconds = 2000;

export function createShard(options: ShardOptions): Shard {
  const { records, self, membership, state, now, log } = options;
  const { shard } = records;
  const holds = createRunHolds();
  const wait = createShardWait();
  const claims = new Map<string, () => void>();
  let status: ShardStatus = 'released';
  let session: ShardSession | undefined;
  /** A hand-over is wanted. */
  let leaving = false;
  let stopping = false;
  let abandoned = false;
  let freshFrom: Monotonic = Number.NEGATIVE_INFINITY;
  let notBefore: Monotonic = Number.NEGATIVE_INFINITY;
  let failures = 0;

  const held = (): boolean => status === 'owned' || status === 'handing over';
  const become = (next: ShardStatus): void => {
    if (status === next) return;
    status = next;
    options.onChange();
  };

  /** Discards the session; what was read before now may be old. */
  const drop = (): void => {
    session?.close();
    session = undefined;
    freshFrom = now();
    leaving = false;
    holds.unmarkElders();
    become('released');
  };

  const backOff = ({ kind, code }: Failure): void => {
    const fenced = kind === 'fenced' && code !== VIEW_CHANGED;
    const pause = fenced ? AFTER_FENCED : Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** failures);
    failures = code === VIEW_CHANGED ? 0 : failures + 1;
    notBefore = now() + pause * (0.75 + Math.random() / 2);
  };

  const lose = (failure: Failure, lost = session): void => {
    if (!session || lost !== session) return;
    log('warn', 'lost a shard', { shard, error: failure.message });
    drop();
    backOff(failure);
  };

  const take = async (giveBack: boolean): Promise<void> => {
    become('taking');
    const began = now();
    try {
      const taken = await options.take({
        stillMine: () => giveBack || (!stopping && membership.fallsTo(shard, now()) === self),
        untilRead: (nonce) => new Promise((resolve) => claims.set(nonce, resolve)),
      });
      session = taken;
      const claim = state.claim(shard);
      if (abandoned || claim?.replica !== self) throw takenBy(claim?.replica);
      failures = 0;
      if (giveBack) {
        await release(taken);
        return;
      }
      log('info', 'took a shard', { shard, ms: Math.round(now() - began) });
      become(leaving ? 'handing over' : 'owned');
      wait.settle(taken);
    } catch (error) {
      const failure = asFailure(error);
      const level = failure.code === VIEW_CHANGED ? 'debug' : 'warn';
      log(level, 'could not take a shard', { shard, error: failure.message });
      drop();
      backOff(failure);
    } finally {
      claims.clear();
    }
  };

  const release = async (released: ShardSession): Promise<void> => {
    become('taking');
    try {
      await released.release();
      log('info', 'released a shard', { shard });
    } catch (error) {
      log('warn', 'could not release a shard', { shard, error: asFailure(error).message });
    }
    if (session === released) drop();
  };

  const takenBy = (replica = 'nobody'): Failure => shardLost(shard, `replica \`${replica}\` took it`);

  const considerLeaving = (sound: boolean, owner: ReplicaId | undefined): void => {
    const wanted = stopping || (sound && owner !== undefined && owner !== self);
    if (wanted && !leaving) {
      leaving = true;
      holds.markElders();
      if (status === 'owned') become('handing over');
    } else if (!wanted && leaving && sound && owner === self) {
      leaving = false;
      holds.unmarkElders();
      if (status === 'handing over') become('owned');
    }
    if (status === 'handing over' && holds.count === 0 && !options.busy() && session) void release(session);
  };

  const considerTaking = (sound: boolean, owner: ReplicaId | undefined): void => {
    if (!sound || now() < notBefore || !options.caughtUp(Math.max(membership.staleSince, freshFrom))) return;
    const claim = state.claim(shard);
    const holder = claim && !claim.released ? claim.replica : undefined;
    if (owner === self) {
      if (holder === undefined || holder === self || !membership.isHeard(holder, now())) void take(false);
    } else if (holder === self && owner !== undefined) {
      // Claimed by this replica, run by nobody, and it falls to another, who waits for it.
      void take(true);
    }
  };

  const considerWaiting = (sound: boolean, owner: ReplicaId | undefined): void => {
    if (stopping) wait.settle(shardLost(shard, 'this replica is stopping'));
    else if (sound && owner !== undefined && owner !== self)
      wait.settle(shardLost(shard, 'it fell to another replica'));
    else if (wait.overdue(now())) wait.settle(shardLost(shard, 'it could not be taken again'));
  };

  const whenHeld = async (): Promise<ShardSession | Failure> => (session && held() ? session : wait.join(now()));

  const lane: Lane = {
    records,
    async ready() {
      const result = await whenHeld();
      return result instanceof Failure ? result : undefined;
    },
    async commit(plan): Promise<CommitAttempt> {
      const current = session;
      if (!current || !held()) {
        return { status: 'failed', failure: shardLost(shard, 'it was lost just now'), outcomeUnknown: false };
      }
      const attempt = await current.commit(plan);
      if (attempt.status === 'committed') return attempt;
      if (current.closed)
        return { status: 'failed', failure: shardLost(shard, 'it was lost in a commit'), outcomeUnknown: true };
      lose(attempt.failure, current);
      return attempt;
    },
    basis(key) {
      const hold = holds.basisOf(key);
      return hold ? hold.text : state.text(shard, key);
    },
    judge: (unit, basis) => judgeUnit(state, shard, unit, basis),
    committed(units) {
      for (const { stateKey, stateText, stateRecord } of units) {
        if (stateText === undefined) continue;
        state.commit(shard, stateKey, stateText, stateRecord);
        holds.committed(stateKey, stateText);
      }
    },
    ...(options.rehearse ? { rehearse: options.rehearse } : {}),
  };

  return {
    get status() {
      return status;
    },
    get owned() {
      return held();
    },
    lane,
    evaluate(sound) {
      const owner = membership.fallsTo(shard, now());
      if (status === 'released') considerTaking(sound, owner);
      else considerLeaving(sound, owner);
      if (!held()) considerWaiting(sound, owner);
    },
    noteClaim({ nonce, replica }) {
      const mine = claims.get(nonce);
      if (mine) mine();
      else if (held() && replica !== self) lose(takenBy(replica));
    },
    begin(key) {
      if (!held() || stopping || (leaving && !holds.hasElders)) return undefined;
      return holds.begin(key, state.text(shard, key));
    },
    async session() {
      const result = await whenHeld();
      if (result instanceof Failure) throw result;
      return result;
    },
    lose,
    stop() {
      stopping = true;
    },
    abandon() {
      stopping = true;
      abandoned = true;
      drop();
      wait.settle(shardLost(shard, 'this replica has stopped'));
    },
  };
}
