// What the log says of the runs of each (job, server): a line for each outcome as it is recorded; of failures that repeat, and
// of many servers at once, as troubles.ts and fleet-lines.ts have it.
import type { Failure } from '../model/failure.ts';
import type { LedgerRecord, RecordedError } from '../model/run.ts';
import { formatInstant, type JobName, type Milliseconds, type ServerName, type Slot } from '../model/units.ts';
import { createFleetLines } from './fleet-lines.ts';
import type { Log, LogFields } from './log.ts';
import { createTroubles, type Trouble, type Words } from './troubles.ts';

export interface RunLogs {
  of(job: JobName, server: ServerName): RunLog;
  /** The (job, server)s that there are now: of others nothing more is said. */
  update(jobs: ReadonlyMap<JobName, ReadonlySet<ServerName>>): void;
  /** Says what was counted and gathered. To be called when no run is under way any more. */
  close(): void;
}

export interface RunLog {
  /** `changedFrom`: the last slot of the schedule it had before. */
  registered(slot: Slot, changedFrom: Slot | undefined): void;
  retry(slot: Slot, failure: Failure, delay: Milliseconds): void;
  /** The query was answered, and Kafka did not take what it gave. */
  notCommitted(failure: Failure): void;
  /** Nothing runs, because the ledger's last slot is ahead of the clock. */
  ahead(failure: Failure): void;
  /** What stops nothing, and may come again. */
  warned(message: string): void;
  /** A partition of an ingest job that goes no further while others do. */
  halted(failure: Failure): void;
  /** Records that were committed together; `took`: the run among them. */
  records(records: readonly LedgerRecord[], took: Milliseconds): void;
}

/** Failures of these kinds are a server's, whatever job met them first: it is told of once. */
const OF_THE_SERVER: ReadonlySet<string> = new Set(['connection', 'authentication', 'tls', 'resources']);
/** These are not even of one server. */
const OF_NO_JOB: ReadonlySet<string> = new Set([...OF_THE_SERVER, 'kafka']);
const FAILING: Words = { again: 'still failing', between: 'fails now and then', end: 'back' };
/** Of Kafka's failures, which are not the server's. */
const NOT_COMMITTED: Words = {
  again: 'still not committed',
  between: 'now and then not committed',
  end: 'committed again',
};
const WARNED: Words = { again: 'warned again', between: 'warned again', end: 'not warned any more' };
const PAUSED: Words = { again: 'still paused', between: 'paused now and then', end: 'runs again' };

export function createRunLogs(log: Log, clock: () => number): RunLogs {
  const lines = createFleetLines(log);
  const troubles = createTroubles(log, lines, clock);

  const runLog = (job: JobName, server: ServerName): RunLog => {
    const place = { job, server };
    const scopes = scopesOf(job, server);

    const failure = (
      error: Failure | RecordedError,
      line: Pick<Trouble, 'level' | 'msg' | 'stage' | 'counts'> & {
        readonly fields: LogFields;
        readonly part?: string;
        readonly words?: Words;
      },
    ): Trouble => {
      const { kind, message, code, hint } = error;
      const told = { error: message, code, hint };
      return {
        ...line,
        server,
        scope: OF_THE_SERVER.has(kind) ? scopes.server : scopes.own,
        job: OF_NO_JOB.has(kind) ? undefined : job,
        cause: [kind, code, line.part].join(' '),
        words: line.words ?? FAILING,
        fields: { ...place, ...line.fields, ...told },
        brief: told,
      };
    };

    const skipped = (record: LedgerRecord): void => {
      const { slot, outcome, since, slots = 1, reason } = record;
      const fields = { ...place, slot, outcome, since, slots, reason };
      const line = { msg: 'skipped', server, fields, counts: { slots } };
      if (reason !== 'paused') {
        const group = JSON.stringify(['skipped', job, reason]);
        lines.say({ ...line, group, level: 'warn', shared: ['job', 'outcome', 'reason'] });
        return;
      }
      const kind = {
        scope: scopes.paused,
        job,
        cause: 'paused',
        stage: 'paused',
        words: PAUSED,
        level: 'info',
      } as const;
      // The records count on: the latest has all slots of the pause.
      troubles.met({ ...line, ...kind, brief: { reason, slots }, counts: { records: 1 } });
    };

    const outcome = (record: LedgerRecord, ms: Milliseconds): void => {
      const { slot, run, rows, attempts, trigger, error } = record;
      switch (record.outcome) {
        case 'registered':
          return;
        case 'skipped':
          skipped(record);
          return;
        case 'failed': {
          const fields = { slot, run, outcome: record.outcome, attempts, ms };
          const what = error ?? { kind: 'internal', message: 'no error was recorded' };
          troubles.met(failure(what, { level: 'error', msg: 'failed', stage: 'failed', fields, counts: { runs: 1 } }));
          return;
        }
        default:
          troubles.over(scopes.server);
          troubles.over(scopes.own);
          troubles.over(scopes.paused);
          log.info(record.outcome, {
            job,
            server,
            slot,
            run,
            outcome: record.outcome,
            trigger: trigger === 'schedule' ? undefined : trigger,
            rows,
            ms,
            attempts,
          });
      }
    };

    return {
      registered(slot, changedFrom) {
        const at = { ...place, slot: formatInstant(slot) };
        if (changedFrom === undefined) log.info('registered', at);
        else log.info('schedule changed: registered anew', { ...at, previous: formatInstant(changedFrom) });
      },
      retry(slot, error, delay) {
        const fields = { slot: formatInstant(slot), in_ms: Math.round(delay) };
        const line = { level: 'warn', msg: 'will retry', stage: 'retry', fields, counts: { retries: 1 } } as const;
        troubles.met(failure(error, line));
      },
      notCommitted(error) {
        const line = {
          level: 'warn',
          msg: 'not committed',
          stage: 'commit',
          fields: {},
          counts: { retries: 1 },
          words: NOT_COMMITTED,
        } as const;
        troubles.met(failure(error, line));
      },
      ahead(error) {
        const line = { level: 'warn', msg: 'ahead of the clock', stage: 'ahead', fields: {} } as const;
        troubles.met(failure(error, { ...line, part: error.message, counts: { times: 1 } }));
      },
      warned(message) {
        const trouble = { scope: scopes.warned, server, job, cause: message, stage: 'warned', words: WARNED } as const;
        troubles.met({
          ...trouble,
          level: 'warn',
          msg: message,
          fields: place,
          brief: { message },
          counts: { times: 1 },
        });
      },
      halted(error) {
        const line = { level: 'error', msg: 'partition halted', stage: 'halted', fields: {} } as const;
        troubles.met(failure(error, { ...line, part: error.message, counts: { halts: 1 } }));
      },
      records(records, took) {
        for (const record of records) outcome(record, took);
      },
    };
  };

  return {
    of: runLog,
    update(jobs) {
      const known = new Set<string>();
      for (const [job, servers] of jobs) {
        for (const server of servers) for (const scope of Object.values(scopesOf(job, server))) known.add(scope);
      }
      troubles.retain((scope) => known.has(scope));
    },
    close: () => troubles.close(),
  };
}

/** The server; the job on it; its pause; its warnings, of which nobody is told that they are over. */
function scopesOf(job: JobName, server: ServerName): Readonly<Record<'server' | 'own' | 'paused' | 'warned', string>> {
  return { server, own: `${job}\n${server}`, paused: `paused\n${job}\n${server}`, warned: `warned\n${job}\n${server}` };
}
