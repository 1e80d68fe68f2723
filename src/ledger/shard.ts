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
import type { ShardSession } from './shard-session.ts';
import { VIEW_CHANGED } from './shard-session.ts';
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
  /** A unit that went through the group committer, or a stream, is under way. */
  readonly busy: () => boolean;
  readonly rehearse?: (rows: readonly TopicBatches[]) => Promise<Failure | undefined>;
  readonly onChange: () => void;
  readonly log: LedgerLog;
}

export interface Shard {
  readonly status: ShardStatus;
  /** Held with its final state read: runs may be decided and committed. */
  readonly owned: boolean;
  readonly lane: Lane;
  /** To be called every 100 ms and at every heartbeat; `sound`: the view may be decided by. */
  evaluate(sound: boolean): void;
  /** A claim was folded. */
  noteClaim(claim: Claim): void;
  /** Marks a run under way; undefined when none may start. */
  begin(stateKey: string): (() => void) | undefined;
  /** Runs under way. */
  readonly runs: number;
  /** Resolves with the session to stream by, or rejects with a Failure when the shard is given up. */
  session(): Promise<ShardSession>;
  /** A session met an error: it is discarded and the shard taken anew, if it still falls to this replica. */
  lose(session: ShardSession, failure: Failure): void;
  /** The same, whichever session there is. */
  loseAny(failure: Failure): void;
  /** Nothing new starts; given back when nothing is under way. */
  stop(): void;
  /** Gives up at once, without a word to the others. */
  abandon(): void;
}

/** After another owner's claim or a timeout of the broker, which look the same: its claim may still be on the way. */
const AFTER_FENCED: Milliseconds = 1000;
const FIRST_BACKOFF: Milliseconds = 150;
const LONGEST_BACKOFF: Milliseconds = 2000;
/** How long finished runs wait for their shard to be taken again before they are given back as pending. */
const PATIENCE: Milliseconds = 10_000;

export function createShard(options: ShardOptions): Shard {
  const { records, self, membership, state, now, log } = options;
  const { shard } = records;
  const holds = new Map<string, { count: number; basis: string | undefined }>();
  const claims = new Map<string, () => void>();
  let waiting: { readonly since: Monotonic; readonly settle: (session: ShardSession | Failure) => void }[] = [];
  let status: ShardStatus = 'released';
  let session: ShardSession | undefined;
  let leave = false;
  /** The runs that were under way when a hand-over was wanted: as long as one is, others may begin beside it. */
  let elders = new Set<object>();
  let stopping = false;
  let abandoned = false;
  let freshFrom: Monotonic = Number.NEGATIVE_INFINITY;
  let notBefore: Monotonic = Number.NEGATIVE_INFINITY;
  let failures = 0;

  const settleWaiting = (result: ShardSession | Failure): void => {
    const settled = waiting;
    waiting = [];
    for (const { settle } of settled) settle(result);
  };

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
    leave = false;
    elders.clear();
    become('released');
  };

  const backOff = (failure: Failure): void => {
    const wait =
      failure.kind === 'fenced' && failure.code !== VIEW_CHANGED
        ? AFTER_FENCED
        : Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** failures);
    if (failure.code === VIEW_CHANGED) failures = 0;
    else failures++;
    notBefore = now() + wait * (0.75 + Math.random() / 2);
  };

  const lose = (lost: ShardSession, failure: Failure): void => {
    if (lost !== session) return;
    log('warn', 'lost a shard', { shard, error: failure.message });
    drop();
    backOff(failure);
  };

  const untilRead = (nonce: string): Promise<void> => new Promise((resolve) => claims.set(nonce, resolve));

  const take = async (giveBack: boolean): Promise<void> => {
    become('taking');
    const began = now();
    try {
      const stillMine = () => giveBack || (!stopping && membership.fallsTo(shard, now()) === self);
      const taken = await options.take({ stillMine, untilRead });
      const claim = state.claim(shard);
      if (abandoned || claim?.replica !== self) {
        taken.close();
        throw takenBy(claim?.replica ?? self);
      }
      session = taken;
      failures = 0;
      if (giveBack) {
        await release(taken);
        return;
      }
      log('info', 'took a shard', { shard, ms: Math.round(now() - began) });
      become(leave ? 'handing over' : 'owned');
      settleWaiting(taken);
    } catch (error) {
      const failure = asFailure(error);
      log(failure.code === VIEW_CHANGED ? 'debug' : 'warn', 'could not take a shard', {
        shard,
        error: failure.message,
      });
      drop();
      backOff(failure);
    } finally {
      claims.clear();
    }
  };

  const release = async (released: ShardSession): Promise<void> => {
    try {
      become('taking');
      await released.release();
      log('info', 'released a shard', { shard });
    } catch (error) {
      log('warn', 'could not release a shard', { shard, error: asFailure(error).message });
    }
    if (session === released) drop();
  };

  const considerLeaving = (sound: boolean, owner: ReplicaId | undefined): void => {
    const wanted = stopping || (sound && owner !== undefined && owner !== self);
    if (wanted && !leave) {
      leave = true;
      elders = new Set(holds.values());
      if (status === 'owned') become('handing over');
    } else if (!wanted && leave && sound && owner === self) {
      leave = false;
      elders.clear();
      if (status === 'handing over') become('owned');
    }
    if (status === 'handing over' && holds.size === 0 && !options.busy() && session) void release(session);
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

  /** Runs that wait for their shard are given back when it will not come back to this replica, or not soon. */
  const considerWaiting = (sound: boolean, owner: ReplicaId | undefined): void => {
    if (waiting.length === 0) return;
    if (stopping) settleWaiting(givenUp('this replica is stopping'));
    else if (sound && owner !== undefined && owner !== self) settleWaiting(givenUp('it fell to another replica'));
    else if (now() - Math.min(...waiting.map(({ since }) => since)) > PATIENCE)
      settleWaiting(givenUp('it could not be taken again'));
  };

  const givenUp = (why: string): Failure =>
    new Failure(`shard ${shard} of the ledger is not held: ${why}`, {
      kind: 'fenced',
      retryable: true,
      code: 'SHARD_LOST',
    });

  const takenBy = (replica: ReplicaId): Failure =>
    new Failure(`replica \`${replica}\` took shard ${shard}`, { kind: 'fenced', retryable: true, code: 'SHARD_LOST' });

  const held = (): boolean => status === 'owned' || status === 'handing over';

  const whenHeld = (): Promise<ShardSession | Failure> => {
    if (session && held()) return Promise.resolve(session);
    return new Promise((settle) => waiting.push({ since: now(), settle }));
  };

  const lane: Lane = {
    records,
    async ready() {
      const result = await whenHeld();
      return result instanceof Failure ? result : undefined;
    },
    async commit(plan): Promise<CommitAttempt> {
      const current = session;
      if (!current || !held())
        return { status: 'failed', failure: givenUp('it was lost just now'), outcomeUnknown: false };
      const attempt = await current.commit(plan);
      if (attempt.status === 'failed') lose(current, attempt.failure);
      return attempt;
    },
    basis(key) {
      const hold = holds.get(key);
      return hold ? hold.basis : state.text(shard, key);
    },
    judge: (unit, basis) => judgeUnit(state, shard, unit, basis),
    committed(units) {
      for (const { stateKey, stateText } of units) {
        if (stateText === undefined) continue;
        state.commit(shard, stateKey, stateText);
        const hold = holds.get(stateKey);
        if (hold) hold.basis = stateText ?? undefined;
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
      if (status === 'released') considerWaiting(sound, owner);
    },
    noteClaim(claim) {
      const mine = claims.get(claim.nonce);
      if (mine) {
        claims.delete(claim.nonce);
        mine();
      } else if (session && held() && claim.replica !== self) {
        lose(session, takenBy(claim.replica));
      }
    },
    begin(key) {
      if (!held() || stopping || (leave && elders.size === 0)) return undefined;
      const hold = holds.get(key) ?? { count: 0, basis: state.text(shard, key) };
      hold.count++;
      holds.set(key, hold);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        if (--hold.count > 0) return;
        holds.delete(key);
        elders.delete(hold);
      };
    },
    get runs() {
      return holds.size;
    },
    async session() {
      const result = await whenHeld();
      if (result instanceof Failure) throw result;
      return result;
    },
    lose,
    loseAny(failure) {
      if (session) lose(session, failure);
    },
    stop() {
      stopping = true;
    },
    abandon() {
      stopping = true;
      abandoned = true;
      drop();
      settleWaiting(givenUp('this replica has stopped'));
    },
  };
}
