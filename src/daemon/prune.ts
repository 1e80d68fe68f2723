// State in the ledger of jobs and servers that the files no longer name: dropped with a tombstone by the owner of its shard,
// a day after it was first seen to be nobody's, so that a file that was only moved, or a wrong deploy, costs nothing.
import type { RunningLedger } from '../ledger/ledger.ts';
import type { Milliseconds } from '../model/units.ts';
import type { Log } from './log.ts';

const DROPPED_AFTER: Milliseconds = 24 * 60 * 60_000;

export interface Pruning {
  /** Looks once; `known` says whether the files name (job, server). */
  look(known: (job: string, server: string) => boolean): Promise<void>;
}

export function createPruning(
  ledger: Pick<RunningLedger, 'ownedRuns' | 'begin' | 'committer'>,
  log: Log,
  clock: () => number,
): Pruning {
  const unknownSince = new Map<string, number>();
  return {
    async look(known) {
      const now = clock();
      const stillUnknown = new Set<string>();
      // As it was: what is forgotten is taken from it meanwhile.
      const runs = Array.from(ledger.ownedRuns());
      for (const { job, server } of runs) {
        if (known(job, server)) continue;
        const key = `${job}/${server}`;
        stillUnknown.add(key);
        const since = unknownSince.get(key) ?? now;
        unknownSince.set(key, since);
        if (now - since < DROPPED_AFTER) continue;
        const ended = ledger.begin(job, server);
        if (!ended) continue;
        const result = await ledger
          .committer(job, server)
          .commit({ job, server, records: [], forget: true })
          .finally(ended);
        if (result.status === 'committed') {
          unknownSince.delete(key);
          log.info('forgotten: no file names it any more', { job, server });
        }
      }
      for (const key of unknownSince.keys()) if (!stillUnknown.has(key)) unknownSince.delete(key);
    },
  };
}
