// Real node-cron on real timers; only the Date of the process is moved, as a suspended or corrected machine moves it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startWaking, type Waking } from '../../src/schedule/wake.ts';

const RealDate = Date;
let waking: Waking | undefined;
/** By how much the machine's clock has been moved. */
let moved = 0;

beforeEach(() => {
  moved = 0;
  vi.stubGlobal(
    'Date',
    class extends RealDate {
      constructor(...instant: [number?]) {
        super(instant[0] ?? RealDate.now() + moved);
      }
      static override now(): number {
        return RealDate.now() + moved;
      }
    },
  );
});

afterEach(() => {
  waking?.stop();
  vi.unstubAllGlobals();
});

/** Starts waking and gives the instants at which it woke. */
async function wakes(): Promise<number[]> {
  const instants: number[] = [];
  waking = await startWaking((now) => instants.push(now));
  return instants;
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('waking', () => {
  test('happens at the start of each second, also after a blocked event loop', async () => {
    const instants = await wakes();
    await until(() => instants.length >= 2);
    const blocked = performance.now();
    while (performance.now() < blocked + 2300);
    await until(() => instants.length >= 4);
    const seconds = instants.map((instant) => Math.floor(instant / 1000));
    expect(new Set(seconds).size).toBe(4);
    expect(seconds[2]).toBeGreaterThanOrEqual((seconds[1] ?? 0) + 2);
  });

  // Walked second by second, as node-cron does by itself, a year takes longer than any test may and more memory than there is.
  test('a clock that jumps a year ahead wakes once for it', async () => {
    const instants = await wakes();
    moved += 365 * 86_400_000;
    const jumped = Date.now();
    await until(() => instants.length >= 2);
    expect(instants.length).toBe(2);
    expect(instants[0]).toBeGreaterThanOrEqual(jumped);
  });

  test('a clock that is set back an hour goes on waking, until it is stopped', async () => {
    const instants = await wakes();
    moved -= 3_600_000;
    const jumped = Date.now();
    await until(() => instants.length >= 3);
    expect(instants[0]).toBeGreaterThanOrEqual(jumped);
    waking?.stop();
    const count = instants.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(instants.length).toBe(count);
  });
});
