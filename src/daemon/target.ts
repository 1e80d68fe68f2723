// One (job, server) of the daemon: at most one run at a time, its retries, what is recorded and in which order. When
// something is due is decide.ts; how rows get to Kafka is publish/ and the ledger's committer.

import { scheduledRunId } from '../ledger/record.ts';
import type { CommitResult, Committer } from '../ledger/types.ts';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import type { LedgerRecord } from '../model/run.ts';
import type { Milliseconds, Slot } from '../model/units.ts';
import type { Timetable } from '../project/prepared.ts';
import type { AttemptResult } from '../publish/attempt.ts';
import type { SkippedSlots } from '../schedule/due.ts';
import { splayOf } from '../schedule/hash.ts';
import { nextTick, previousTick, window } from '../schedule/ticks.ts';
import type { WaitingSlot } from '../status/operations.ts';
import { decide, nextDispatch, overlapped } from './decide.ts';
import { outcomeRecord, type RunFacts, skipRecord, withStreaks } from './records.ts';
import { createRetrying } from './retrying.ts';
import type { ScheduledJob } from './scheduled.ts';
import type { Target, TargetDependencies } from './target-contract.ts';

/** After Kafka failed a commit: how long until the slot is looked at again, should nothing else wake it. */
const AFTER_UNAVAILABLE: Milliseconds = 1000;

/** A (job, server) with nothing under way. */
export function createTarget(
  prepared: ScheduledJob,
  timetable: Timetable,
  server: Server,
  deps: TargetDependencies,
): Target {
  const { ledger, log, clock } = deps;
  const { job } = prepared;
  const { schedule, timezone } = timetable;
  const place = { job: job.name, server: server.name };
  const lateBy = job.delay + splayOf(job.name, server.name, job.splay, typicalInterval(timetable, clock()));
  const tell = deps.runLogs.of(job.name, server.name);
  const stopping = new AbortController();
  /** The last thing that happened here is a record of ours: what came due meanwhile was not missed. */
  let justRan = false;
  /** Ends the run's hold on its shard. */
  let hold: (() => void) | undefined;
  let working: Promise<void> | undefined;
  let waiting: WaitingSlot | undefined;
  let notBefore = 0;
  let stopped = false;

  const last = (): LedgerRecord | undefined => ledger.last(job.name, server.name);
  const release = (): void => {
    hold?.();
    hold = undefined;
  };

  function evaluate(): void {
    if (working || stopped) return;
    if (!ledger.available || !ledger.owns(job.name, server.name)) {
      justRan = false;
      waiting = undefined;
      return;
    }
    const now = clock();
    // A clock set back by more is not waited for.
    if (now < notBefore && notBefore - now <= AFTER_UNAVAILABLE) return;
    const paused = ledger.paused(job.name) !== undefined;
    const decision = decide({ prepared, timetable, lateBy, last: last(), paused, justRan, now });
    if (decision.kind === 'wait') {
      if (decision.ahead) noteAhead(decision.ahead, now);
      return;
    }
    hold = ledger.begin(job.name, server.name);
    if (!hold) return;
    const work =
      decision.kind === 'register'
        ? register(decision.slot, decision.changedFrom)
        : decision.kind === 'skip'
          ? recordSkip(decision.skipped, decision.reason)
          : runSlot(decision.due.slot, decision.due.trigger, decision.missed);
    working = work
      .catch((error: unknown) => {
        notBefore = clock() + AFTER_UNAVAILABLE;
        setTimeout(evaluate, AFTER_UNAVAILABLE + 1).unref();
        log.error('a defect in pgtally', {
          ...place,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      })
      .finally(() => {
        release();
        working = undefined;
        evaluate();
      });
  }

  function noteAhead(failure: Failure, now: number): void {
    waiting ??= { slot: previousTick(schedule, timezone, now - lateBy), failure };
    tell.ahead(failure);
  }

  async function register(slot: Slot, changedFrom: Slot | undefined): Promise<void> {
    const record = outcomeRecord(facts(slot, 'schedule', clock(), 0), 'registered', 0, 0);
    if (await commitRecords([record], 0)) tell.registered(slot, changedFrom);
  }

  async function recordSkip(skipped: SkippedSlots, reason: 'missed' | 'paused'): Promise<void> {
    const records = [skip(skipped, reason, last())];
    if (await commitRecords(records, 0)) tell.records(records, 0);
  }

  async function runSlot(slot: Slot, trigger: 'schedule' | 'catchup', missed: SkippedSlots | undefined): Promise<void> {
    const committer = ledger.committer(job.name, server.name, job.delivery);
    const before = missed ? [skip(missed, 'missed', last())] : [];
    const started = clock();
    const run = runOf(slot);
    const retrying = createRetrying(prepared, slot, nextDispatch(timetable, slot, lateBy), stopping.signal, clock);
    const written = { rows: 0, bytes: 0 };
    for (;;) {
      const result = await deps.attempts.once({
        prepared,
        server,
        slot,
        window: window(schedule, timezone, slot),
        trigger,
        run,
        committer,
        signal: stopping.signal,
        nextUse: nextDispatch(timetable, clock(), lateBy),
      });
      if (result.status === 'read') {
        const ran = facts(slot, trigger, started, retrying.attempts, run);
        await settle(
          { ...result, rows: result.rows + written.rows, bytes: result.bytes + written.bytes },
          before,
          ran,
          committer,
        );
        return;
      }
      const { failure } = result;
      written.rows += result.written?.rows ?? 0;
      written.bytes += result.written?.bytes ?? 0;
      if (failure.kind === 'cancelled') return;
      if (failure.kind === 'kafka' || failure.kind === 'fenced') {
        unavailable(failure, slot);
        return;
      }
      if (failure.retryable) {
        // A shard is not kept from being handed over by a run that only waits.
        const known = last();
        release();
        waiting = { slot, failure };
        const again = await retrying.wait(failure, (delay) => tell.retry(slot, failure, delay));
        if (stopping.signal.aborted) return;
        hold = ledger.begin(job.name, server.name);
        if (!hold || last()?.slot !== known?.slot) return;
        if (again) continue;
      }
      const ran = facts(slot, trigger, started, retrying.attempts, run);
      await fail(failure, before, ran, retrying.endedByNextSlot, written);
      return;
    }
  }

  /** Commits rows and record together; on refusal for the rows' own reason the slot has failed. */
  async function settle(
    result: Extract<AttemptResult, { status: 'read' }>,
    before: readonly LedgerRecord[],
    ran: RunFacts,
    committer: Committer,
  ): Promise<void> {
    const { rows, bytes, batches, stream } = result;
    const finished = { ...ran, finished: clock() };
    const record = outcomeRecord(finished, rows > 0 ? 'published' : 'empty', rows, bytes);
    const previous = last();
    const records = withStreaks(previous, [...before, record, ...skippedMeanwhile(finished)]);
    let committed: CommitResult;
    try {
      committed = stream
        ? await stream.commit(records)
        : await committer.commit({
            job: job.name,
            server: server.name,
            ...(batches.length > 0 ? { rows: { topic: job.topic.name, batches, bytes } } : {}),
            records,
          });
    } finally {
      result.release();
    }
    if (committed.status === 'refused') await fail(committed.failure, before, ran, false);
    else if (committed.status === 'unavailable') unavailable(committed.failure, ran.slot);
    else {
      const took = finished.finished - finished.started;
      remember(records, previous, took);
      tell.records(records, took);
    }
  }

  async function fail(
    failure: Failure,
    before: readonly LedgerRecord[],
    ran: RunFacts,
    nextIsDue: boolean,
    written = { rows: 0, bytes: 0 },
  ): Promise<void> {
    const finished = { ...ran, finished: clock() };
    const records = [
      ...before,
      outcomeRecord(finished, 'failed', written.rows, written.bytes, failure),
      ...(nextIsDue ? [] : skippedMeanwhile(finished)),
    ];
    const took = finished.finished - finished.started;
    if (await commitRecords(records, took)) tell.records(records, took);
  }

  function skippedMeanwhile(ran: RunFacts): LedgerRecord[] {
    if (prepared.overlap !== 'skip') return [];
    const skipped = overlapped(timetable, ran.slot, lateBy, ran.started, clock());
    return skipped ? [skip(skipped, 'overlap', undefined)] : [];
  }

  async function commitRecords(outcomes: readonly LedgerRecord[], took: Milliseconds): Promise<boolean> {
    const previous = last();
    const records = withStreaks(previous, outcomes);
    const result = await ledger.committer(job.name, server.name, job.delivery).commit({ ...place, records });
    if (result.status !== 'committed') {
      unavailable(result.failure, undefined);
      return false;
    }
    remember(records, previous, took);
    return true;
  }

  function remember(records: readonly LedgerRecord[], before: LedgerRecord | undefined, took: Milliseconds): void {
    justRan = true;
    waiting = undefined;
    let previous = before;
    for (const record of records) {
      deps.onRecord({ job: job.name, server: server.name, lateBy, record, previous, took });
      previous = record;
    }
  }

  /** Nothing was recorded: the slot is still due. It is looked at again soon, whatever else happens. */
  function unavailable(failure: Failure, slot: Slot | undefined): void {
    justRan = false;
    notBefore = clock() + AFTER_UNAVAILABLE;
    setTimeout(evaluate, AFTER_UNAVAILABLE + 1).unref();
    // That Kafka is away, or that another replica has the shard now, is told by the ledger.
    if (ledger.available && failure.kind !== 'fenced') {
      if (slot !== undefined) waiting = { slot, failure };
      tell.notCommitted(failure);
    } else {
      log.debug('not committed', { ...place, error: failure.message });
    }
  }

  const runOf = (slot: Slot): string => scheduledRunId({ job: job.name, server: server.name, slot });

  function facts(slot: Slot, trigger: 'schedule' | 'catchup', started: number, attempts: number, run = runOf(slot)) {
    return { slot, run, trigger, started, finished: clock(), schedule: timetable.hash, attempts };
  }

  function skip(
    skipped: SkippedSlots,
    reason: 'missed' | 'paused' | 'overlap',
    previous: LedgerRecord | undefined,
  ): LedgerRecord {
    return skipRecord(facts(skipped.last, 'schedule', clock(), 0), skipped, reason, previous);
  }

  return {
    prepared,
    server,
    lateBy,
    evaluate,
    get busy() {
      return working !== undefined;
    },
    get waiting() {
      return waiting;
    },
    async stop() {
      stopped = true;
      await working;
    },
    cancel(reason) {
      stopped = true;
      stopping.abort(new Failure(reason, { kind: 'cancelled' }));
    },
  };
}

/** The distance of two slots now, by which the splay is bounded. */
function typicalInterval({ schedule, timezone }: Timetable, now: number): Milliseconds {
  return nextTick(schedule, timezone, now) - previousTick(schedule, timezone, now);
}
