// Real daemons with real SQL on several servers under faults. Expected each time: no slot missing, none doubled, none by half.
import { expect, it } from 'vitest';
import { seconds } from '../ledger/lateness.ts';
import { EACH_ONCE } from './daemons.ts';
import { crashPostgres, killDaemons, terminateBackends } from './storms.ts';

it('daemons killed every 2 to 5 s publish each slot of each server once', async () => {
  const count = await killDaemons(seconds(120));
  console.log(`daemons killed: ${count.runs} runs`);
  expect(count).toMatchObject(EACH_ONCE);
}, 300_000);

it('Postgres backends terminated every 20 ms cost no slot and double none', async () => {
  const count = await terminateBackends(seconds(60));
  console.log(`backends terminated: ${count.runs} runs`);
  expect(count).toMatchObject(EACH_ONCE);
  expect(count.retries).toBeGreaterThan(0);
}, 240_000);

it('Postgres crashed and recovered costs no slot and doubles none', async () => {
  const count = await crashPostgres(seconds(60));
  console.log(`Postgres crashed: ${count.runs} runs`);
  expect(count).toMatchObject(EACH_ONCE);
  expect(count.retries).toBeGreaterThan(0);
}, 240_000);
