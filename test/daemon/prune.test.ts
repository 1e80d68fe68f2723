import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import { createPruning } from '../../src/daemon/prune.ts';
import type { RunningLedger } from '../../src/ledger/ledger.ts';
import type { CommitUnit } from '../../src/ledger/types.ts';
import { manualClock, scriptedLedger } from './scripted.ts';

const HOUR = 3_600_000;

describe('pruning', () => {
  test('state that no file names is dropped after a day of being nobody’s, not before, and not if it is named again', async () => {
    const forgotten: string[] = [];
    const base = scriptedLedger();
    const names = ['a', 'b', 'c'];
    const ledger: Pick<RunningLedger, 'ownedRuns' | 'begin' | 'committer'> = {
      *ownedRuns() {
        for (const job of names) yield { job, server: 's', record: {} as never };
      },
      begin: (job, server) => base.begin(job, server),
      committer: () => ({
        ...base.committer('', ''),
        async commit(unit: CommitUnit) {
          if (unit.forget) forgotten.push(unit.job);
          return { status: 'committed' };
        },
      }),
    };
    const clock = manualClock('2027-01-01T00:00:00Z');
    const pruning = createPruning(
      ledger,
      createLog({ write: () => undefined, pretty: false, level: 'error' }),
      clock.read,
    );
    await pruning.look((job) => job === 'a');
    clock.now += 12 * HOUR;
    await pruning.look((job) => job !== 'c');
    clock.now += 11 * HOUR;
    await pruning.look((job) => job === 'a');
    expect(forgotten).toEqual([]);
    clock.now += 2 * HOUR;
    await pruning.look((job) => job === 'a');
    expect(forgotten).toEqual(['c']);
  });
});
