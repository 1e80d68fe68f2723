import { expect, test } from 'vitest';
import { createDispatcher, type MakeTarget } from '../../src/daemon/dispatcher.ts';
import type { Target } from '../../src/daemon/target-contract.ts';
import type { Server } from '../../src/model/project.ts';
import { manualClock, prepared, SERVER } from './scripted.ts';

const SERVERS = 1000;
const RANKS = 8;
/** As mixed as shards by a hash. */
const rankOf = (_job: string, server: string): number => Number(server.replace('server-', '')) % RANKS;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A job of each minute on a thousand servers, and how often each was looked at. */
function setUp() {
  const servers = Array.from({ length: SERVERS }, (_, index): Server => ({ ...SERVER, name: `server-${index}` }));
  const job = { ...prepared('0 * * * * *', { servers }), fingerprint: 'the same' };
  const clock = manualClock('2027-03-28T00:00:30Z');
  const looks = new Map<string, number>();
  const order: string[] = [];
  const stopped = new Set<string>();
  const makeTarget: MakeTarget = (of, _timetable, server): Target => {
    const look = (): void => {
      order.push(server.name);
      looks.set(server.name, (looks.get(server.name) ?? 0) + 1);
    };
    const stop = async (): Promise<void> => void stopped.add(server.name);
    return { prepared: of, server, lateBy: 0, evaluate: look, busy: false, waiting: undefined, stop, cancel: () => {} };
  };
  const dispatcher = createDispatcher(makeTarget, rankOf, clock.read);
  dispatcher.update([job]);
  return { dispatcher, job, servers, clock, looks, order, stopped };
}

async function untilQuiet(looks: ReadonlyMap<string, number>): Promise<void> {
  for (let before = -1; before !== looks.size; await turn()) before = looks.size;
}

test('a wake-up looks at every target that is due, once, and gives way to other work between them', async () => {
  const { dispatcher, clock, looks } = setUp();
  dispatcher.wake();
  expect(looks.size).toBeGreaterThan(0);
  expect(looks.size).toBeLessThan(SERVERS / 10);
  await turn();
  expect(looks.size).toBeLessThan(SERVERS / 5);
  // The next wake-up comes before the first is through.
  dispatcher.wake();
  await untilQuiet(looks);
  expect([...looks.values()]).toEqual(Array.from({ length: SERVERS }, () => 1));
  dispatcher.wake();
  await turn();
  expect([...looks.values()]).toEqual(Array.from({ length: SERVERS }, () => 1));
  clock.now = Date.parse('2027-03-28T00:01:00Z');
  dispatcher.wake();
  await untilQuiet(looks);
  for (let left = 0; left < SERVERS; left++) await turn();
  expect([...looks.values()]).toEqual(Array.from({ length: SERVERS }, () => 2));
});

test('of what is due nothing is looked at after a stop, and nothing that has gone', async () => {
  const { dispatcher, job, servers, looks, stopped } = setUp();
  dispatcher.wake();
  const first = looks.size;
  dispatcher.update([{ ...job, job: { ...job.job, servers: servers.slice(0, SERVERS / 2) } } as typeof job]);
  await untilQuiet(looks);
  expect(looks.size).toBe(SERVERS / 2);
  expect(stopped.size).toBe(SERVERS / 2);

  const other = setUp();
  other.dispatcher.wake();
  await other.dispatcher.stop(0);
  await turn();
  expect(other.looks.size).toBe(first);
});

test('what ranks lower is started first, but what came due later overtakes nothing', async () => {
  const { dispatcher, servers, clock, order } = setUp();
  const byRank = Array.from({ length: RANKS }, (_, rank) =>
    servers.map(({ name }) => name).filter((name) => rankOf('', name) === rank),
  ).flat();
  dispatcher.wake();
  const first = order.length;
  expect(first).toBeLessThan(SERVERS / RANKS);
  // Those that were looked at are due again before the others had their turn.
  clock.now += 60_000;
  dispatcher.wake();
  for (let left = 0; left < SERVERS; left++) await turn();
  expect(order).toEqual([...byRank, ...byRank.slice(0, first)]);
});
