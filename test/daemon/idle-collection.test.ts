import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { afterEach, expect, test } from 'vitest';
import { createIdleCollection, type IdleCollection } from '../../src/daemon/idle-collection.ts';

let collection: IdleCollection | undefined;
afterEach(() => collection?.stop());

/** Early in a second, whatever the time is. */
const clock = (): number => 100;
let kept: number[][] = [];
const allocate = (megabytes: number): void => {
  kept = Array.from({ length: megabytes }, () => Array.from<number>({ length: 131_072 }).fill(0.5));
};

test('after much was allocated it collects once nothing runs, and not again for nothing', async () => {
  let collections = 0;
  collection = createIdleCollection(clock, () => collections++);
  allocate(64);
  await collection.during(async () => undefined);
  await expect.poll(() => collections).toBe(1);
  await collection.during(async () => undefined);
  await sleep(500);
  expect(collections).toBe(1);
  expect(kept.length).toBe(64);
});

test('it never collects while something runs, nor at the end of a second', async () => {
  let collections = 0;
  let now = 0;
  collection = createIdleCollection(
    () => now,
    () => collections++,
  );
  allocate(64);
  const long = collection.during(() => sleep(900));
  await collection.during(async () => undefined);
  await sleep(600);
  expect(collections).toBe(0);
  now = 950;
  await long;
  await sleep(280);
  expect(collections).toBe(0);
  now = 1200;
  await expect.poll(() => collections).toBe(1);
});

test('by default garbage really goes', async () => {
  collection = createIdleCollection(clock);
  allocate(64);
  const { used_heap_size: before } = getHeapStatistics();
  kept = [];
  await collection.during(async () => undefined);
  await expect.poll(() => before - getHeapStatistics().used_heap_size).toBeGreaterThan(32 * 1024 * 1024);
});
