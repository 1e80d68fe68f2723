import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecords } from '../../src/kafka/record-batch.ts';
import type { CommitPlan } from '../../src/ledger/commit-plan.ts';
import { createGroupCommitter } from '../../src/ledger/group-commit.ts';
import type { Basis, CommitAttempt, Lane } from '../../src/ledger/lane.ts';
import type { TopicWatch } from '../../src/ledger/topic-watch.ts';
import type { CommitUnit } from '../../src/ledger/types.ts';
import { Failure, type FailureKind } from '../../src/model/failure.ts';
import type { LedgerRecord } from '../../src/model/run.ts';

const record = (slot: number): LedgerRecord => ({
  slot: new Date(slot * 1000).toISOString(),
  outcome: 'published',
  rows: 1,
  bytes: 1,
  run: 'r',
  trigger: 'schedule',
  started: '2027-01-01T00:00:00Z',
  finished: '2027-01-01T00:00:00Z',
  schedule: 'h',
});

function unit(job: string, topic: string, slot = 1, value = `${job} ${slot}`): CommitUnit {
  const batches = [encodeRecords(0, [{ key: null, value: Buffer.from(value) }])];
  return { job, server: 's', rows: { topic, batches, bytes: value.length }, records: [record(slot)] };
}

const failed = (
  kind: FailureKind,
  more: { retryable?: boolean; unknown?: boolean; code?: string } = {},
): CommitAttempt => ({
  status: 'failed',
  outcomeUnknown: more.unknown ?? false,
  failure: new Failure(`${kind} failure`, {
    kind,
    retryable: more.retryable ?? false,
    ...(more.code ? { code: more.code } : {}),
  }),
});

/** What a transaction would show, and the state it would leave: the rules of a lane kept in memory, faults decided by a test. */
function memoryLane(options: {
  records?: boolean;
  attempt?: (topics: readonly string[], units: number, n: number) => CommitAttempt | undefined;
  rehearsal?: (topics: readonly string[], units: number) => Failure | undefined;
  ready?: () => Failure | undefined;
}) {
  const state = new Map<string, string>();
  const published: string[] = [];
  const groups: number[] = [];
  let rehearsed = 0;
  const rowsOf = (plan: CommitPlan) => plan.rows.flatMap(({ batches }) => batches);
  const apply = (plan: CommitPlan) => {
    for (const batch of rowsOf(plan)) published.push(...batch.bytes.toString('latin1').match(/\w+ \d+/g)!);
    for (const [, key, text] of plan.ledger?.bytes.toString('utf8').matchAll(/(\w+\/s)[^{]*(\{[^}]*\})/g) ?? [])
      state.set(key!, text!);
  };
  const lane: Lane = {
    records: options.records === false ? undefined : { shard: 0, ledger: 'ledger', history: 'history' },
    ready: async () => options.ready?.(),
    async commit(plan) {
      await new Promise(setImmediate);
      const topics = plan.rows.map(({ topic }) => topic);
      const units = plan.ledger?.count ?? rowsOf(plan).reduce((sum, batch) => sum + batch.count, 0);
      groups.push(units);
      const attempt = options.attempt?.(topics, units, groups.length);
      if (!attempt || (attempt.status === 'failed' && attempt.outcomeUnknown && attempt.failure.code === 'HAPPENED'))
        apply(plan);
      return attempt ?? { status: 'committed' };
    },
    basis: (key): Basis => state.get(key),
    judge(prepared, basis) {
      const text = state.get(prepared.stateKey);
      if (text === prepared.stateText && text !== undefined) return { status: 'committed' };
      if (text === basis) return { status: 'open' };
      return { status: 'superseded', failure: new Failure('superseded', { kind: 'fenced', code: 'SUPERSEDED' }) };
    },
    committed() {},
    async rehearse(batches) {
      rehearsed++;
      return options.rehearsal?.(
        batches.map(({ topic }) => topic),
        batches.flatMap((one) => one.batches).reduce((sum, one) => sum + one.count, 0),
      );
    },
  };
  return { lane, state, published, groups, rehearsals: () => rehearsed };
}

/** A watch whose only knowledge is what it was told. */
function watch(refusals: Record<string, Failure> = {}): TopicWatch {
  const suspects = new Set<string>();
  return {
    look: async (topics) =>
      new Map(topics.flatMap((topic) => (topic && refusals[topic] ? [[topic, refusals[topic]] as const] : []))),
    doubt() {},
    suspect: (topics) => {
      for (const topic of topics) if (topic) suspects.add(topic);
    },
    isSuspect: (topic) => topic !== undefined && suspects.has(topic),
    trust: (topics) => {
      for (const topic of topics) if (topic) suspects.delete(topic);
    },
    holdOut: (topic, failure) => {
      refusals[topic] = failure;
    },
    batchBytes: () => 512 * 1024,
    close() {},
  };
}

describe('group commit', () => {
  it('puts what is ready together, and what became ready meanwhile, into one transaction each', async () => {
    const { lane, groups, published } = memoryLane({});
    const committer = createGroupCommitter(lane, watch());
    const results = await Promise.all(Array.from({ length: 40 }, (_, n) => committer.commit(unit(`a${n}`, 't'))));
    const more: Promise<unknown>[] = [];
    for (let n = 0; n < 30; n++) {
      more.push(committer.commit(unit(`b${n}`, 't')));
      if (n % 5 === 0) await new Promise(setImmediate);
    }
    await Promise.all(more);
    expect(results.every(({ status }) => status === 'committed')).toBe(true);
    expect(groups[0]).toBe(40);
    expect(groups.length).toBeLessThan(15);
    expect(published).toHaveLength(70);
    expect(committer.idle).toBe(true);
  });

  it('bounds a transaction in runs and in bytes', async () => {
    const { lane, groups } = memoryLane({});
    const committer = createGroupCommitter(lane, watch());
    await Promise.all(Array.from({ length: 1100 }, (_, n) => committer.commit(unit(`j${n}`, 't'))));
    expect(Math.max(...groups)).toBe(500);
    groups.length = 0;
    const large = Buffer.alloc(3 * 1024 * 1024, 'x').toString();
    await Promise.all(Array.from({ length: 5 }, (_, n) => committer.commit(unit(`l${n}`, 't', 1, `${large} ${n}`))));
    expect(groups).toEqual([2, 2, 1]);
  });

  it('lets one topic that fails poison no run of another: those are published, it is refused', async () => {
    const forbidden = (topics: readonly string[]) => (topics.includes('forbidden') ? failed('topic') : undefined);
    const { lane, published, groups } = memoryLane({
      attempt: forbidden,
      rehearsal: (topics) => (forbidden(topics) ? new Failure('not allowed', { kind: 'topic' }) : undefined),
    });
    const committer = createGroupCommitter(lane, watch());
    const good = Array.from({ length: 10 }, (_, n) => committer.commit(unit(`g${n}`, 'good')));
    const bad = Array.from({ length: 10 }, (_, n) => committer.commit(unit(`b${n}`, 'forbidden')));
    expect((await Promise.all(good)).every(({ status }) => status === 'committed')).toBe(true);
    expect((await Promise.all(bad)).map(({ status }) => status)).toEqual(Array(10).fill('refused'));
    expect(published).toHaveLength(10);
    // Only the first transaction was lost to it: it was taken apart without the owner's producer.
    expect(groups).toEqual([20, 10]);
    const later = await committer.commit(unit('b11', 'forbidden'));
    expect(later.status).toBe('refused');
    expect(groups).toEqual([20, 10]);
  });

  it('lets one row that is too large poison no run of the same topic', async () => {
    const rehearsal = (_: readonly string[], units: number) =>
      units > 1 ? new Failure('too large', { kind: 'record' }) : undefined;
    let alone = 0;
    const { lane, published } = memoryLane({
      attempt: (_topics, units) => (units === 6 ? failed('record') : undefined),
      rehearsal: (topics, units) =>
        rehearsal(topics, units) ?? (++alone === 3 ? new Failure('too large', { kind: 'record' }) : undefined),
    });
    const committer = createGroupCommitter(lane, watch());
    const results = await Promise.all(Array.from({ length: 6 }, (_, n) => committer.commit(unit(`j${n}`, 't'))));
    expect(results.map(({ status }) => status).filter((status) => status === 'refused')).toHaveLength(1);
    expect(results[2]?.status).toBe('refused');
    expect(published).toHaveLength(5);
  });

  it('holds out a topic without a leader without touching the owner, and says that it may be tried again', async () => {
    const leaderless = new Failure('no leader', { kind: 'topic', retryable: true });
    const { lane, groups } = memoryLane({});
    const committer = createGroupCommitter(lane, watch({ leaderless }));
    const [good, waiting] = await Promise.all([
      committer.commit(unit('g', 'good')),
      committer.commit(unit('b', 'leaderless')),
    ]);
    expect(good.status).toBe('committed');
    expect(waiting).toEqual({ status: 'unavailable', failure: leaderless, outcomeUnknown: false });
    expect(groups).toEqual([1]);
  });

  it('finds out by the state whether a transaction of unknown outcome had happened, and repeats only what had not', async () => {
    const happened = failed('kafka', { retryable: true, unknown: true, code: 'HAPPENED' });
    const not = failed('kafka', { retryable: true, unknown: true });
    const { lane, published, groups } = memoryLane({
      attempt: (_t, _u, n) => (n === 1 ? happened : n === 2 ? not : undefined),
    });
    const committer = createGroupCommitter(lane, watch());
    const first = await Promise.all([committer.commit(unit('a', 't')), committer.commit(unit('b', 't'))]);
    expect(first.map(({ status }) => status)).toEqual(['committed', 'committed']);
    expect(groups).toEqual([2]);
    expect((await committer.commit(unit('c', 't'))).status).toBe('committed');
    expect(groups).toEqual([2, 1, 1]);
    expect(published.sort()).toEqual(['a 1', 'b 1', 'c 1']);
  });

  it('without a ledger repeats nothing whose outcome is unknown, and what certainly did not happen', async () => {
    const { lane, published } = memoryLane({
      records: false,
      attempt: (_t, _u, n) => (n === 1 ? failed('kafka', { unknown: true }) : n === 2 ? failed('kafka') : undefined),
    });
    const committer = createGroupCommitter(lane, watch());
    expect(await committer.commit(unit('a', 't'))).toMatchObject({ status: 'unavailable', outcomeUnknown: true });
    expect(await committer.commit(unit('b', 't'))).toMatchObject({ status: 'committed' });
    expect(published).toEqual(['b 1']);
  });

  it('refuses as superseded what was decided by a state that has changed', async () => {
    const { lane, state, published } = memoryLane({});
    const committer = createGroupCommitter(lane, watch());
    const basis = { text: state.get('a/s') };
    await committer.commit(unit('a', 't', 7), basis);
    const late = await committer.commit(unit('a', 't', 6), basis);
    expect(late).toMatchObject({ status: 'unavailable', outcomeUnknown: false, failure: { code: 'SUPERSEDED' } });
    expect(published).toEqual(['a 7']);
  });

  it('gives everything back when the owner gives up', async () => {
    const lost = new Failure('shard lost', { kind: 'fenced' });
    const { lane } = memoryLane({ ready: () => lost });
    const committer = createGroupCommitter(lane, watch());
    const results = await Promise.all([committer.commit(unit('a', 't')), committer.commit(unit('b', 't'))]);
    expect(results).toEqual(Array(2).fill({ status: 'unavailable', failure: lost, outcomeUnknown: false }));
  });

  it('commits records without rows, and answers for a unit that holds nothing', async () => {
    const { lane, state } = memoryLane({});
    const committer = createGroupCommitter(lane, watch());
    await committer.commit({ job: 'j', server: 's', records: [record(1), record(2)] });
    expect(JSON.parse(state.get('j/s')!)).toMatchObject({ slot: record(2).slot });
    expect((await committer.commit({ job: 'j', server: 's', records: [] })).status).toBe('committed');
  });

  it('settles every run once and shows none twice, whatever fails', async () => {
    const fault = fc.constantFrom<CommitAttempt | undefined>(
      undefined,
      undefined,
      failed('topic'),
      failed('topic', { retryable: true }),
      failed('record'),
      failed('kafka', { retryable: true }),
      failed('kafka', { retryable: true, unknown: true }),
      failed('kafka', { retryable: true, unknown: true, code: 'HAPPENED' }),
      failed('fenced', { unknown: true, code: 'HAPPENED' }),
      failed('internal'),
    );
    const rehearsal = fc.constantFrom(
      undefined,
      undefined,
      ...(['topic', 'record', 'kafka'] as const).map((kind) => new Failure(kind, { kind })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 12 }),
        fc.array(rehearsal, { maxLength: 12 }),
        fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 25 }),
        fc.boolean(),
        async (faults, rehearsals, runs, records) => {
          let rehearsed = 0;
          const { lane, published } = memoryLane({
            records,
            attempt: (_t, _u, n) => faults[n - 1],
            rehearsal: () => rehearsals[rehearsed++],
          });
          const committer = createGroupCommitter(lane, watch());
          const slots = new Map<number, number>();
          const done = runs.map(async ([job, topic]) => {
            const slot = (slots.get(job) ?? 0) + 1;
            slots.set(job, slot);
            const id = `j${job}x${slot}`;
            const result = await committer.commit(unit(id, `t${topic}`, slot));
            return { id: `${id} ${slot}`, result };
          });
          const results = await Promise.all(done);
          expect(committer.idle).toBe(true);
          expect(new Set(published).size).toBe(published.length);
          for (const { id, result } of results) {
            if (result.status === 'committed') expect(published).toContain(id);
            if (result.status === 'refused') expect(published).not.toContain(id);
            if (result.status === 'unavailable' && !result.outcomeUnknown) expect(published).not.toContain(id);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
