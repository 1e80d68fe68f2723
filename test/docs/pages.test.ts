// Pages that are worked through from top to bottom: every file, statement and command of them, in their order.
import { expect, test } from 'vitest';
import { WALKED } from './fences.ts';
import { walk } from './walk.ts';

for (const page of WALKED) {
  // Each has a Postgres of its own, and mostly waits.
  test.concurrent(`${page} works as it is written`, { timeout: 180_000 }, async ({ onTestFinished }) => {
    expect((await walk(page, onTestFinished)).steps).toBeGreaterThan(3);
  });
}
