// Group commit: units that are ready while a transaction is under way share the next one. When a shared one fails, its units
// are taken apart without the owner's producer, so that one topic or row poisons no other run. Knows no producer: see lane.ts.
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import { countFitting, GROUP_LIMITS, type PreparedUnit, planCommit, prepareUnit } from './commit-plan.ts';
import type { Basis, Lane } from './lane.ts';
import type { TopicWatch } from './topic-watch.ts';
import type { CommitResult, CommitUnit } from './types.ts';

export interface GroupCommitter {
  /** `basis`: the state the unit was decided by; default: the state as it is now. */
  commit(unit: CommitUnit, basis?: { readonly text: Basis }): Promise<CommitResult>;
  /** Nothing waits and nothing is under way. */
  readonly idle: boolean;
}

/** While more runs become ready from step to step, a transaction waits for them: a burst of runs costs few transactions. */
const GATHERING_STEP: Milliseconds = 8;
const LONGEST_GATHERING: Milliseconds = 250;
/** After so many failed transactions that are nobody's fault, a run is given back: its slot stays pending. */
const MOST_TRIES = 4;

interface Waiting {
  readonly prepared: PreparedUnit;
  readonly basis: Basis;
  readonly settle: (result: CommitResult) => void;
  tries: number;
  outcomeUnknown: boolean;
  /** It went through a rehearsal since the last failure, and may share a transaction again. */
  rehearsed: boolean;
}

export function createGroupCommitter(lane: Lane, watch: TopicWatch): GroupCommitter {
  let queue: Waiting[] = [];
  let rehearsals: Waiting[] = [];
  let unsettled = 0;
  let pumping = false;
  let rehearsing = false;

  const settleAll = (units: readonly Waiting[], result: CommitResult): void => {
    for (const unit of units) unit.settle(result);
  };

  /** A reason of the unit's own: its topic or its row. */
  const settleByReason = (units: readonly Waiting[], failure: Failure): void => {
    settleAll(units, failure.retryable ? unavailable(failure, false) : { status: 'refused', failure });
  };

  const pump = async (): Promise<void> => {
    // Runs that end in the same turn of the event loop share the first transaction already.
    await new Promise(setImmediate);
    while (queue.length > 0) {
      await gather();
      const failure = await lane.ready();
      if (failure) {
        for (const unit of queue.splice(0)) unit.settle(unavailable(failure, unit.outcomeUnknown));
        return;
      }
      const group = await admitted(takeGroup());
      if (group.length > 0) await guarded(group, () => commitGroup(group));
    }
  };

  /** A run that is ready alone does not wait. */
  const gather = async (): Promise<void> => {
    const end = performance.now() + LONGEST_GATHERING;
    for (let before = 1; queue.length > before && performance.now() < end; ) {
      before = queue.length;
      if (before >= GROUP_LIMITS.units) return;
      await new Promise((resolve) => setTimeout(resolve, GATHERING_STEP));
    }
  };

  /** A defect of ours must not leave runs waiting for ever. */
  const guarded = async (group: readonly Waiting[], work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure(String(error), { kind: 'internal', cause: error });
      for (const unit of group) unit.settle(unavailable(failure, true));
    }
  };

  const kick = (): void => {
    if (pumping || queue.length === 0) return;
    pumping = true;
    void pump().finally(() => {
      pumping = false;
      kick();
    });
  };

  /** Removes what may go into the next transaction from the queue, and what must be rehearsed first. */
  const takeGroup = (): Waiting[] => {
    const suspects = queue.filter((unit) => !unit.rehearsed && watch.isSuspect(topicOf(unit)));
    if (lane.rehearse) rehearse(suspects.filter(isOpen));
    else if (suspects.length > 0 && suspects.length === queue.length) return queue.splice(0, 1);
    const keys = new Set<string>();
    const candidates = queue.filter((unit) => {
      // Two records of one (job, server) would hide the first: the second waits for the next transaction.
      if (suspects.includes(unit) || keys.has(unit.prepared.stateKey)) return false;
      keys.add(unit.prepared.stateKey);
      return true;
    });
    const group = candidates.slice(0, countFitting(candidates.map((unit) => unit.prepared)));
    const gone = new Set(lane.rehearse ? [...suspects, ...group] : group);
    queue = queue.filter((unit) => !gone.has(unit));
    return group;
  };

  /** Settles those that need no transaction or can have none; returns the rest. */
  const admitted = async (group: readonly Waiting[]): Promise<Waiting[]> => {
    const refusals = await watch.look(group.map(topicOf));
    return group.filter((unit) => {
      const refusal = refusals.get(topicOf(unit) ?? '');
      if (refusal) settleByReason([unit], refusal);
      return !refusal && isOpen(unit);
    });
  };

  const isOpen = (unit: Waiting): boolean => {
    const verdict = lane.judge(unit.prepared, unit.basis);
    if (verdict.status === 'committed') unit.settle({ status: 'committed' });
    if (verdict.status === 'superseded') unit.settle(unavailable(verdict.failure, false));
    // The owner is ready, so the state is final: what is not in it did not happen.
    unit.outcomeUnknown = false;
    return verdict.status === 'open';
  };

  const commitGroup = async (group: readonly Waiting[]): Promise<void> => {
    const units = group.map((unit) => unit.prepared);
    const attempt = await lane.commit(planCommit(units, lane.records, watch.batchBytes));
    if (attempt.status === 'committed') {
      lane.committed(units);
      watch.trust(group.map(topicOf));
      settleAll(group, { status: 'committed' });
      return;
    }
    const { failure, outcomeUnknown } = attempt;
    watch.doubt(group.map(topicOf));
    if (outcomeUnknown && !lane.records) {
      // There is no state to find out by: trying again could publish twice.
      settleAll(group, unavailable(failure, true));
    } else if (!isOwnReason(failure)) {
      tryAgain(group, failure, outcomeUnknown);
    } else if (group.length === 1) {
      const topic = topicOf(group[0]);
      const reason = await confirmed(topic, failure);
      if (topic !== undefined && reason.kind === 'topic') watch.holdOut(topic, reason);
      settleByReason(group, reason);
    } else {
      watch.suspect(group.map(topicOf));
      for (const unit of group) unit.rehearsed = topicOf(unit) === undefined;
      queue.unshift(...group);
    }
  };

  /** Kafka's fault or nobody's. Twice in a row it may be a unit's after all, in a way we do not know: they are rehearsed. */
  const tryAgain = (group: readonly Waiting[], failure: Failure, outcomeUnknown: boolean): void => {
    const again: Waiting[] = [];
    for (const unit of group) {
      unit.tries++;
      unit.outcomeUnknown ||= outcomeUnknown;
      if (unit.tries >= MOST_TRIES) unit.settle(unavailable(failure, unit.outcomeUnknown));
      else again.push(unit);
      unit.rehearsed &&= unit.tries < 2;
    }
    if (again.some((unit) => unit.tries >= 2)) watch.suspect(again.map(topicOf));
    queue.unshift(...again);
  };

  /** A broker that just lost a partition says `unknown topic` too: only what metadata confirms is final. */
  const confirmed = async (topic: string | undefined, failure: Failure): Promise<Failure> => {
    if (topic === undefined || failure.code !== 'UNKNOWN_TOPIC_OR_PARTITION') return failure;
    const refusal = (await watch.look([topic])).get(topic);
    return (
      refusal ?? new Failure(failure.message, { kind: 'kafka', retryable: true, code: failure.code, cause: failure })
    );
  };

  const rehearse = (units: readonly Waiting[]): void => {
    rehearsals.push(...units);
    if (rehearsing || rehearsals.length === 0) return;
    rehearsing = true;
    void rehearseAll().finally(() => {
      rehearsing = false;
      rehearse([]);
    });
  };

  const rehearseAll = async (): Promise<void> => {
    while (rehearsals[0]) {
      const topic = topicOf(rehearsals[0]);
      const same = rehearsals.filter((unit) => topicOf(unit) === topic);
      const group = same.slice(0, countFitting(same.map((unit) => unit.prepared)));
      rehearsals = rehearsals.filter((unit) => !group.includes(unit));
      const refusal = topic === undefined ? undefined : (await watch.look([topic])).get(topic);
      if (refusal) settleByReason(group, refusal);
      else await guarded(group, () => rehearseGroup(topic, group));
    }
  };

  const rehearseGroup = async (topic: string | undefined, group: readonly Waiting[]): Promise<void> => {
    const { rows } = planCommit(
      group.map((unit) => unit.prepared),
      undefined,
      watch.batchBytes,
    );
    const met = await lane.rehearse?.(rows);
    if (!met) {
      for (const unit of group) unit.rehearsed = true;
      queue.push(...group);
      kick();
      return;
    }
    const failure = await confirmed(topic, met);
    if (failure.kind === 'record' && group.length > 1) {
      for (const unit of group) await rehearseGroup(topic, [unit]);
    } else if (isOwnReason(failure)) {
      if (topic !== undefined && failure.kind === 'topic') watch.holdOut(topic, failure);
      settleByReason(group, failure);
    } else {
      for (const unit of group) unit.settle(unavailable(failure, unit.outcomeUnknown));
    }
  };

  return {
    commit(unit, basis) {
      const prepared = prepareUnit(unit);
      return new Promise((resolve) => {
        unsettled++;
        let settled = false;
        const settle = (result: CommitResult): void => {
          if (!settled) unsettled--;
          settled = true;
          resolve(result);
        };
        const text = basis ? basis.text : lane.basis(prepared.stateKey);
        queue.push({ prepared, basis: text, settle, tries: 0, outcomeUnknown: false, rehearsed: false });
        kick();
      });
    },
    get idle() {
      return unsettled === 0;
    },
  };
}

function topicOf(unit: Waiting | undefined): string | undefined {
  return unit?.prepared.unit.rows?.topic;
}

function isOwnReason(failure: Failure): boolean {
  return failure.kind === 'topic' || failure.kind === 'record';
}

function unavailable(failure: Failure, outcomeUnknown: boolean): CommitResult {
  return { status: 'unavailable', failure, outcomeUnknown };
}
