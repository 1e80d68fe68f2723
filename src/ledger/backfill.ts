// What a backfill commits by: rows and progress in one transaction, under an id of the backfill's own, so that it resumes after
// the last done slot and a second command of the same range takes over from the first. Which slots it runs is not decided here.
import { createHash, randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/client.ts';
import { murmur2PartitionOfText } from '../kafka/murmur2.ts';
import { openReader, type TopicReader } from '../kafka/reader.ts';
import type { TopicShapes } from '../kafka/topic-shapes.ts';
import { Failure } from '../model/failure.ts';
import type { LedgerSettings } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import { formatInstant, type JobName, type Milliseconds, type ServerName } from '../model/units.ts';
import type { RecordTopics } from './commit-plan.ts';
import { createGroupCommitter } from './group-commit.ts';
import { judgeUnit } from './judge.ts';
import type { Lane } from './lane.ts';
import { ledgerTopicNames } from './ledger-topics.ts';
import { type BackfillRange, backfillKey, parseClaim } from './record.ts';
import { createRehearsal } from './rehearsal.ts';
import { type ShardSession, takeShard } from './shard-session.ts';
import { createShardStreams } from './shard-streams.ts';
import { createLedgerState } from './state.ts';
import { noSteps, type OnStep } from './steps.ts';
import { streamTimeout } from './stream-timeout.ts';
import { createTopicWatch } from './topic-watch.ts';
import { asFailure } from './transact.ts';
import type { Committer, Delivery } from './types.ts';
import { takeUnfenced } from './unfenced-session.ts';

export interface BackfillCommitter extends Committer {
  /** Takes over and reads how far it came. Rejects with a Failure. Units and streams are to have `backfill: range`. */
  start(): Promise<void>;
  /** The last done slot's record; undefined when the server has none yet. */
  progress(server: ServerName): LedgerRecord | undefined;
  /** Forgets the progress of these servers: the same command would start from the beginning. */
  finish(servers: readonly ServerName[]): Promise<void>;
  close(): Promise<void>;
}

export interface BackfillOptions {
  readonly client: KafkaClient;
  readonly settings: Pick<LedgerSettings, 'topic' | 'shards'>;
  readonly job: JobName;
  readonly range: BackfillRange;
  /** The job's. */
  readonly timeout: Milliseconds;
  /** As the job's. Default `exactly_once`. */
  readonly delivery?: Delivery;
  /** Shared with who encodes the rows; default: its own. */
  readonly shapes?: TopicShapes;
  readonly onStep?: OnStep;
}

const TAKE_TRIES = 5;
const FIRST_PAUSE: Milliseconds = 100;
const AFTER_FENCED: Milliseconds = 1000;

export function createBackfillCommitter(options: BackfillOptions): BackfillCommitter {
  const { client, settings, job, range } = options;
  const names = ledgerTopicNames(settings.topic);
  const name = `${job}/${formatInstant(range.from)}/${formatInstant(range.to)}`;
  const claimKey = `#backfill-owner/${name}`;
  // All of one backfill in one partition: its transactions need no other.
  const shard = murmur2PartitionOfText(claimKey, settings.shards);
  const records: RecordTopics = { shard, ledger: names.ledger, history: names.history };
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const transactionalId = `${names.ledger}.backfill.${hash}`;
  const self = randomUUID();
  const watch = createTopicWatch(client, options.shapes ? { shapes: options.shapes } : {});
  const fenced = options.delivery !== 'at_least_once';
  const rehearsal = fenced ? createRehearsal(client, `${transactionalId}.rehearsal`) : undefined;
  const onStep = options.onStep ?? noSteps;
  const state = createLedgerState(settings.shards);
  const nonces = new Map<string, () => void>();
  let owner: string | undefined;
  let reader: TopicReader | undefined;
  let session: ShardSession | undefined;
  let taking: Promise<ShardSession> | undefined;
  /** The last session ended by being fenced. */
  let wasFenced = false;
  /** Why this backfill is over. */
  let lost: Failure | undefined;

  const fold = (key: Buffer, value: Buffer | null): void => {
    const name = key.toString();
    if (name === claimKey && value) {
      const claim = parseClaim(value.toString());
      owner = claim.replica;
      nonces.get(claim.nonce)?.();
    } else if (name.startsWith('#backfill/')) {
      state.fold(shard, { key: name, value: value?.toString() ?? null });
    }
  };

  const openTail = async (): Promise<TopicReader> => {
    const opened = await openReader(client, {
      topic: names.ledger,
      partitions: [shard],
      from: 'beginning',
      onRecords: (answer) => {
        for (const { key, value } of answer.records) if (key) fold(key, value);
      },
    });
    opened.done.catch((error: unknown) => {
      lost = asFailure(error);
    });
    return opened;
  };

  const takeOnce = async (): Promise<ShardSession> => {
    reader ??= await openTail();
    if (wasFenced) await requireOwnership(reader);
    const taken = await (fenced ? takeShard : takeUnfenced)({
      client,
      records,
      self,
      transactionalId,
      claimKey,
      streamTimeout: streamTimeout(options.timeout),
      stillMine: () => true,
      untilRead: (nonce) => new Promise((resolve) => nonces.set(nonce, resolve)),
      onStep,
    });
    session = taken;
    wasFenced = false;
    return taken;
  };

  /** Fenced by another command, whose claim may still be on the way, or by the broker's own timeout: the last claim tells. */
  const requireOwnership = async (tail: TopicReader): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, AFTER_FENCED));
    await tail.untilFresh(shard, performance.now());
    if (owner === self) return;
    lost = new Failure(`another backfill of \`${job}\` over the same range has taken over`, {
      kind: 'fenced',
      hint: 'run one at a time; what this one had done is kept',
    });
    throw lost;
  };

  const take = async (): Promise<ShardSession> => {
    for (let tries = 1, pause = FIRST_PAUSE; ; tries++, pause *= 2) {
      try {
        return await takeOnce();
      } catch (error) {
        if (lost ?? tries >= TAKE_TRIES) throw asFailure(error);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  };

  const whenHeld = async (): Promise<ShardSession> => {
    if (lost) throw lost;
    if (session) return session;
    taking ??= take().finally(() => {
      taking = undefined;
    });
    return taking;
  };

  const lose = (failure: Failure, failed = session): void => {
    if (!session || failed !== session) return;
    session.close();
    session = undefined;
    wasFenced ||= failure.kind === 'fenced';
  };

  const lane: Lane = {
    records,
    async ready() {
      try {
        await whenHeld();
        return undefined;
      } catch (error) {
        return asFailure(error);
      }
    },
    async commit(plan) {
      const current = await whenHeld().catch(asFailure);
      if (current instanceof Failure) return { status: 'failed', failure: current, outcomeUnknown: false };
      const attempt = await current.commit(plan);
      if (attempt.status === 'failed') lose(attempt.failure, current);
      return attempt;
    },
    basis: (key) => state.text(shard, key),
    judge: (unit, basis) => judgeUnit(state, shard, unit, basis),
    committed(units) {
      for (const { stateKey, stateText } of units)
        if (stateText !== undefined) state.commit(shard, stateKey, stateText);
    },
    ...(rehearsal ? { rehearse: (rows) => rehearsal.rehearse(rows) } : {}),
  };
  const group = createGroupCommitter(lane, watch);
  const streams = createShardStreams({
    shard: { lane, session: whenHeld, lose },
    watch,
    wantStreamTimeout: () => undefined,
    onStep,
  });

  return {
    async start() {
      await whenHeld();
    },
    progress: (server) => state.record(shard, backfillKey(job, server, range)),
    commit: (unit) => group.commit(unit),
    openStream: (run) => streams.openStream(run),
    async finish(servers) {
      await Promise.all(
        servers.map((server) => group.commit({ job, server, records: [], backfill: range, forget: true })),
      );
    },
    async close() {
      session?.close();
      await Promise.all([reader?.stop(), rehearsal?.close()]);
      watch.close();
    },
  };
}
