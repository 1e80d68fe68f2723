import { describe, expect, test } from 'vitest';
import { createBreaker } from '../../src/daemon/breaker.ts';
import { Failure } from '../../src/model/failure.ts';

const refused = new Failure('connection refused', { kind: 'connection', retryable: true });

describe('breaker', () => {
  test('a server counts as down after three failures in a row to reach it, and says since when', () => {
    const breaker = createBreaker();
    for (const at of [1000, 2000, 3000]) {
      expect(breaker.refuse('s', at)).toBeUndefined();
      breaker.failed('s', refused, at);
    }
    expect(breaker.refuse('s', 3100)).toMatchObject({ since: 1000, failure: refused });
    expect([...breaker.down.keys()]).toEqual(['s']);
  });

  test('a down server is probed by one caller at a time, ever more rarely, at least once a minute', () => {
    const breaker = createBreaker();
    for (let i = 0; i < 3; i++) breaker.failed('s', refused, 0);
    const probes: number[] = [];
    for (let now = 0; now < 600_000; now += 500) {
      if (breaker.refuse('s', now)) continue;
      expect(breaker.refuse('s', now)).toBeDefined();
      probes.push(now);
      breaker.failed('s', refused, now);
    }
    const gaps = probes.slice(1).map((probe, index) => probe - (probes[index] ?? 0));
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
    expect(Math.max(...gaps)).toBe(60_000);
  });

  test('a success, or an error that proves the server lives, ends it', () => {
    const breaker = createBreaker();
    for (let i = 0; i < 3; i++) breaker.failed('s', refused, 0);
    breaker.failed('s', new Failure('no such table', { kind: 'sql' }), 10);
    expect(breaker.refuse('s', 11)).toBeUndefined();
    expect(breaker.isFailing('s')).toBe(false);
    breaker.failed('s', refused, 12);
    expect(breaker.isFailing('s')).toBe(true);
    breaker.succeeded('s');
    expect(breaker.isFailing('s')).toBe(false);
  });

  test('a clock that is set back by a day does not put the next probe off by a day', () => {
    const breaker = createBreaker();
    for (let i = 0; i < 3; i++) breaker.failed('s', refused, 86_400_000);
    expect(breaker.refuse('s', 86_400_001)).toBeDefined();
    expect(breaker.refuse('s', 0)).toBeUndefined();
  });
});
