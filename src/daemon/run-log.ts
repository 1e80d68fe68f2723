// What the log says of one (job, server): a line for each outcome, as it is recorded.
import type { Failure } from '../model/failure.ts';
import type { LedgerRecord } from '../model/run.ts';
import { formatInstant, type JobName, type Milliseconds, type ServerName, type Slot } from '../model/units.ts';
import type { Log } from './log.ts';

export interface RunLog {
  /** `changedFrom`: the last slot of the schedule it had before. */
  registered(slot: Slot, changedFrom: Slot | undefined): void;
  retry(slot: Slot, failure: Failure, delay: Milliseconds): void;
  /** Records that were committed together; `took`: the run among them. */
  records(records: readonly LedgerRecord[], took: Milliseconds): void;
}

export function createRunLog(log: Log, job: JobName, server: ServerName): RunLog {
  const place = { job, server };
  const outcome = (record: LedgerRecord, ms: Milliseconds): void => {
    const { slot, rows, attempts, trigger, error } = record;
    const fields = { ...place, slot, outcome: record.outcome };
    switch (record.outcome) {
      case 'registered':
        return;
      case 'skipped':
        log.warn('skipped', { ...fields, since: record.since, slots: record.slots, reason: record.reason });
        return;
      case 'failed':
        log.error('failed', { ...fields, attempts, ms, error: error?.message, code: error?.code, hint: error?.hint });
        return;
      default:
        log.info(record.outcome, {
          ...fields,
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
    retry(slot, failure, delay) {
      log.warn('will retry', { ...place, slot: formatInstant(slot), in_ms: Math.round(delay), error: failure.message });
    },
    records(records, took) {
      for (const record of records) outcome(record, took);
    },
  };
}
