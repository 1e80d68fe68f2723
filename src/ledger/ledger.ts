// The ledger of one replica: its tail, heartbeats, shards and committers, wired together. What each decides is in its own file.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { KafkaClient } from '../kafka/client.ts';
import type { TopicShapes } from '../kafka/topic-shapes.ts';
import { Failure } from '../model/failure.ts';
import type { LedgerSettings } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, Milliseconds, ServerName } from '../model/units.ts';
import { type Heartbeat, startHeartbeat } from './heartbeat.ts';
import { ledgerTopicNames } from './ledger-topics.ts';
import type { LedgerLog } from './log.ts';
import { type Beat, createMembership } from './membership.ts';
import type { Pause, ReplicaId } from './record.ts';
import { createRehearsal } from './rehearsal.ts';
import { createRowSender } from './row-sender.ts';
import { createRunPlaces } from './run-places.ts';
import { createShard, type Shard, type ShardStatus } from './shard.ts';
import { createShardCommitters, type ShardCommitters } from './shard-committers.ts';
import { takeShard } from './shard-session.ts';
import { createShardStreams } from './shard-streams.ts';
import { createLedgerState, type StateListener } from './state.ts';
import { noSteps, type OnStep } from './steps.ts';
import { streamTimeout } from './stream-timeout.ts';
import { startTail, type Tail } from './tail.ts';
import { createTopicWatch } from './topic-watch.ts';
import type { Delivery, Ledger } from './types.ts';
import { takeUnfenced } from './unfenced-session.ts';

export interface LedgerOptions {
  readonly client: KafkaClient;
  readonly settings: Pick<LedgerSettings, 'topic' | 'shards'>;
  /** `at_least_once`: without any transaction, for clusters that forbid them. Default `exactly_once`. */
  readonly delivery?: Delivery;
  /** The longest `timeout` of a job that may stream; a longer one met later costs its shard a new taking. Default 60 s. */
  readonly longestTimeout?: Milliseconds;
  readonly log?: LedgerLog;
  /** Default: host name, process id and random digits. */
  readonly self?: ReplicaId;
  /** Shared with who encodes rows; default: its own. */
  readonly shapes?: TopicShapes;
  /** Only for tests. */
  readonly onStep?: OnStep;
}

/** What a ledger knows beyond what running jobs needs: for the status page, metrics and pruning. */
export interface RunningLedger extends Ledger {
  readonly self: ReplicaId;
  shardOf(job: JobName, server: ServerName): number;
  /** By shard: how it stands here and who claimed it last. */
  shards(): readonly { readonly shard: number; readonly status: ShardStatus; readonly owner: ReplicaId | undefined }[];
  replicas(): readonly (Beat & { readonly heard: boolean })[];
  /** The last records in the shards that this replica owns. */
  ownedRuns(): IterableIterator<{ readonly job: JobName; readonly server: ServerName; readonly record: LedgerRecord }>;
  /** The last record of every (job, server), whoever owns it, as its JSON. */
  records(): IterableIterator<{ readonly job: JobName; readonly server: ServerName; readonly text: string }>;
  pauses(): ReadonlyMap<JobName, Pause>;
  /** Tells of each record as it is read, once it is committed, whoever wrote it. Returns what ends it. */
  follow(follower: LedgerFollower): () => void;
}

export type LedgerFollower = Required<Pick<StateListener, 'recorded' | 'cleared' | 'paused'>>;

const EVALUATE_EVERY: Milliseconds = 200;
/** Runs are cancelled after `stop_grace` (at most 10 s), and then have to be told to Kafka. */
const STOP_LIMIT: Milliseconds = 20_000;
/** After so long somebody should look why. */
const SLOW_JOIN: Milliseconds = 10_000;
const DEFAULT_TIMEOUT: Milliseconds = 60_000;

/** The topics must exist (`ensureLedgerTopics`). Nothing is connected before `start`. */
export function createLedger(options: LedgerOptions): RunningLedger {
  const { client, settings } = options;
  const log = options.log ?? (() => undefined);
  const onStep = options.onStep ?? noSteps;
  const self = options.self ?? `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const topics = ledgerTopicNames(settings.topic);
  const now = () => performance.now();
  const membership = createMembership(self, now());
  const followers = new Set<LedgerFollower>();
  const state = createLedgerState(settings.shards, {
    claimed: (shard, claim) => shards[shard]?.noteClaim(claim),
    paused(job) {
      changed();
      for (const follower of followers) follower.paused(job);
    },
    recorded(job, server, text) {
      for (const follower of followers) follower.recorded(job, server, text);
    },
    cleared() {
      for (const follower of followers) follower.cleared();
    },
  });
  const watch = createTopicWatch(client, options.shapes ? { shapes: options.shapes } : {});
  const fenced = options.delivery !== 'at_least_once';
  const rehearsal = fenced ? createRehearsal(client, `${settings.topic}.rehearsal.${self}`) : undefined;
  const sender = fenced ? createRowSender(client) : undefined;
  let longestStream = streamTimeout(options.longestTimeout ?? DEFAULT_TIMEOUT);
  let tail: Tail | undefined;
  let heartbeat: Heartbeat | undefined;
  let timer: NodeJS.Timeout | undefined;
  let available = false;
  let stopping = false;
  let stopped: Promise<void> | undefined;
  let whenSound: (() => void) | undefined;
  /** Asked at a stop about each (job, server) that was asked for. */
  let stillBusy: ((shard: number) => boolean) | undefined;
  const places = createRunPlaces(settings.shards);

  const listeners = new Set<() => void>();
  let telling = false;
  const changed = (): void => {
    if (telling) return;
    telling = true;
    setImmediate(() => {
      telling = false;
      for (const listener of listeners) listener();
    });
  };

  const shards: Shard[] = [];
  const committers: ShardCommitters[] = [];
  for (let index = 0; index < settings.shards; index++) {
    const records = { shard: index, ledger: topics.ledger, history: topics.history };
    const take = fenced ? takeShard : takeUnfenced;
    const shard = createShard({
      records,
      self,
      membership,
      state,
      now,
      take: (asking) => take({ client, records, self, streamTimeout: longestStream, onStep, ...asking }),
      caughtUp: (since) => tail?.fresh(index, since) ?? false,
      busy: () => !(committers[index]?.idle ?? true) || (stillBusy?.(index) ?? false),
      ...(rehearsal ? { rehearse: (rows) => rehearsal.rehearse(rows) } : {}),
      onChange: changed,
      log,
    });
    const wantStreamTimeout = (timeout: Milliseconds): void => {
      longestStream = Math.max(longestStream, timeout);
    };
    const streams = createShardStreams({ shard, watch, wantStreamTimeout, onStep });
    shards.push(shard);
    committers.push(createShardCommitters({ shard, streams, watch, sender }));
  }

  const at = <T>(list: readonly T[], index: number): T => list[index] as T;

  const evaluate = (): void => {
    const standing = membership.evaluate(now(), Date.now(), (since) =>
      shards.every((_, shard) => tail?.fresh(shard, since) ?? false),
    );
    if (standing.beatNow) heartbeat?.beatNow();
    for (const shard of shards) shard.evaluate(standing.sound);
    if (standing.available !== available) {
      available = standing.available;
      const why = heartbeat?.failure;
      if (available) log('info', 'Kafka is reached', {});
      else log('warn', 'Kafka is not reached: nothing is dispatched', { error: why?.message, hint: why?.hint });
      changed();
    }
    if (standing.sound) whenSound?.();
  };

  const close = async (): Promise<void> => {
    clearInterval(timer);
    for (const shard of shards) shard.abandon();
    await Promise.all([heartbeat?.stop({ tellOthers: available }), tail?.stop(), rehearsal?.close(), sender?.close()]);
    watch.close();
  };

  return {
    self,
    shardOf: (job, server) => places.of(job, server).shard,
    async start() {
      try {
        tail = await startTail({
          client,
          topic: topics.ledger,
          shards: shards.map((_, shard) => shard),
          state,
          onRestart: loseAll,
          log,
        });
        const shardsRun = () => shards.flatMap((shard, index) => (shard.status === 'released' ? [] : [index]));
        heartbeat = await startHeartbeat({
          client,
          topic: topics.replicas,
          self,
          membership,
          shards: shardsRun,
          onRead: evaluate,
          log,
        });
      } catch (error) {
        await close();
        throw error;
      }
      if (stopping) return close();
      timer = setInterval(evaluate, EVALUATE_EVERY);
      const slow = setTimeout(
        () => log('warn', 'still joining: the ledger is being read, or a partition of it has no leader', {}),
        SLOW_JOIN,
      );
      await new Promise<void>((resolve) => {
        whenSound = resolve;
      });
      clearTimeout(slow);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get available() {
      return available && !stopping;
    },
    owns: (job, server) => at(shards, places.of(job, server).shard).owned,
    begin(job, server) {
      const { shard, key } = places.of(job, server);
      return available ? at(shards, shard).begin(key) : undefined;
    },
    last(job, server) {
      const { shard, key } = places.of(job, server);
      return state.record(shard, key);
    },
    paused: (job) => state.pause(job),
    committer(job, server, delivery = 'exactly_once') {
      return at(committers, places.of(job, server).shard).of(delivery);
    },
    shards: () => shards.map(({ status }, shard) => ({ shard, status, owner: ownerOf(shard) })),
    replicas: () => membership.replicas(now()),
    *ownedRuns() {
      for (const [index, shard] of shards.entries()) if (shard.owned) yield* state.runs(index);
    },
    *records() {
      for (const index of shards.keys()) yield* state.texts(index);
    },
    pauses: () => state.pauses(),
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
    stop(busy) {
      stopped ??= stop(busy);
      return stopped;
    },
  };

  async function stop(busy?: (job: JobName, server: ServerName) => boolean): Promise<void> {
    stopping = true;
    if (busy) stillBusy = (shard) => places.in(shard).some(({ job, server }) => busy(job, server));
    membership.stop();
    for (const shard of shards) shard.stop();
    changed();
    whenSound?.();
    // Others take a shard over when they have heard this, or read that it was released.
    if (available) await heartbeat?.beat();
    const limit = now() + STOP_LIMIT;
    while (shards.some(({ status }) => status !== 'released') && now() < limit) {
      evaluate();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await close();
  }

  function ownerOf(shard: number): ReplicaId | undefined {
    const claim = state.claim(shard);
    return claim && !claim.released ? claim.replica : undefined;
  }

  function loseAll(): void {
    const failure = new Failure('the ledger is read again from its beginning', { kind: 'kafka', retryable: true });
    for (const shard of shards) shard.lose(failure);
  }
}
