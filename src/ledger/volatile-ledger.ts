// A ledger of one process that remembers nothing after it: it owns everything and keeps the last records in memory. Rows are
// committed exactly as a command's are; only what ran is forgotten at a stop.
import type { LedgerRecord } from '../model/run.ts';
import type { JobName, ServerName } from '../model/units.ts';
import { runKey } from './record.ts';
import type { Committer, CommitUnit, Ledger, RunStream } from './types.ts';

/** `committer` is used for all jobs; it is not closed by `stop`. */
export function createVolatileLedger(committer: Committer): Ledger {
  const last = new Map<string, LedgerRecord>();
  const underWay = new Map<string, { job: JobName; server: ServerName; count: number }>();
  let started = false;
  let stopping = false;

  const remember = (
    unit: Pick<CommitUnit, 'job' | 'server' | 'backfill' | 'forget'>,
    records: readonly LedgerRecord[],
  ): void => {
    const record = records.at(-1);
    const key = runKey(unit.job, unit.server);
    if (unit.forget) last.delete(key);
    else if (record && !unit.backfill) last.set(key, record);
  };
  const remembering: Committer = {
    async commit(unit) {
      const result = await committer.commit({ ...unit, records: [] });
      if (result.status === 'committed') remember(unit, unit.records);
      return result;
    },
    async openStream(run) {
      const stream = await committer.openStream(run);
      return {
        send: (batches) => stream.send(batches),
        abort: () => stream.abort(),
        async commit(records) {
          const result = await stream.commit([]);
          if (result.status === 'committed') remember(run, records);
          return result;
        },
      } satisfies RunStream;
    },
  };

  return {
    async start() {
      started = true;
    },
    onChange: () => () => undefined,
    get available() {
      return started && !stopping;
    },
    owns: () => started,
    begin(job, server) {
      if (!started || stopping) return undefined;
      const key = runKey(job, server);
      const entry = underWay.get(key) ?? { job, server, count: 0 };
      entry.count++;
      underWay.set(key, entry);
      let ended = false;
      return () => {
        if (!ended && --entry.count === 0) underWay.delete(key);
        ended = true;
      };
    },
    last: (job, server) => last.get(runKey(job, server)),
    paused: () => undefined,
    committer: () => remembering,
    async stop() {
      stopping = true;
      while (underWay.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}
