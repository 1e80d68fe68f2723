// The short form of test/faults/ledger: replicas as processes, one of them killed.
import { expect, it } from 'vitest';
import { createFleet, NOTHING_LOST } from '../faults/ledger/fleet.ts';
import { kafkaBootstrap } from '../stack/for-tests.ts';

it('publishes every slot once though a replica is killed in the middle of a transaction', async () => {
  const fleet = await createFleet({ bootstrap: await kafkaBootstrap(), shards: 4, jobs: 20, streams: 2, seconds: 6 });
  const doomed = fleet.start({ fault: { step: 'rows-sent', nth: 4, signal: 'SIGKILL', delay: 0 } });
  fleet.start();
  await doomed.faulted;
  await fleet.finish();
  const count = await fleet.count();
  expect(count).toMatchObject(NOTHING_LOST);
  expect(count.expected).toBe(20 * 6 + 2 * 2);
});
