// The short forms of test/faults/daemons: real daemons and real SQL, each fault for some seconds.
import { describe, expect, it } from 'vitest';
import { EACH_ONCE } from '../faults/daemons/daemons.ts';
import { crashPostgres, killDaemons, terminateBackends } from '../faults/daemons/storms.ts';

describe.concurrent('each slot of each server is published once', () => {
  it.each([
    ['though daemons are killed', killDaemons, 0],
    ['though the backends of Postgres are terminated', terminateBackends, 1],
    ['though Postgres crashes and recovers', crashPostgres, 1],
  ] as const)(
    '%s',
    async (_, storm, retries) => {
      const count = await storm(8);
      expect(count).toMatchObject(EACH_ONCE);
      // Something was felt of it.
      expect(count.retries).toBeGreaterThanOrEqual(retries);
      expect(count.runs).toBeGreaterThan(4 * 8);
    },
    // Longer than all the waiting in it, so that a failure is a count and not a limit.
    240_000,
  );
});
