import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scheduleHash, splayOf } from '../../src/schedule/hash.ts';
import { schedule } from './arbitrary.ts';

describe('splay', () => {
  test('is below the splay and below the interval, and always the same', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(100_000), fc.nat(100_000), (job, server, splay, interval) => {
        const late = splayOf(job, server, splay, interval);
        expect(late).toBe(splayOf(job, server, splay, interval));
        expect(late).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThan(Math.max(Math.min(splay, interval), 1));
      }),
    );
  });

  test('does not change between releases', () => {
    expect(splayOf('group-counts', 'shard-1', 5000, 10_000)).toBe(4779);
  });

  test('spreads numbered servers evenly', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 1; i <= 1000; i += 1) {
      const tenth = Math.floor(splayOf('group-counts', `edge-${i}`, 10_000, 60_000) / 1000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    // 100 in each, give or take four standard deviations of a binomial distribution.
    for (const count of tenths) expect(Math.abs(count - 100)).toBeLessThan(38);
  });
});

describe('the hash of a schedule', () => {
  test('is the same for two ways of writing one schedule', () => {
    expect(scheduleHash(schedule('@hourly'), 'UTC')).toBe(scheduleHash(schedule('0 0 * * * *'), 'UTC'));
    expect(scheduleHash(schedule('0 9 * * mon-fri'), 'UTC')).toBe(scheduleHash(schedule('0 9 * * 1,2,3,4,5'), 'UTC'));
    expect(scheduleHash(schedule('@hourly'), 'UTC')).toBe('1c9bc3d6');
  });

  test('tells a changed schedule from a reformatted one', () => {
    const hash = (text: string, zone = 'UTC'): string => scheduleHash(schedule(text), zone);
    expect(hash('*/10 * * * *')).toBe(hash('  */10  *\t* * * '));
    expect(hash('*/10 * * * *')).not.toBe(hash('*/5 * * * *'));
    expect(hash('*/10 * * * *')).not.toBe(hash('*/10 * * * *', 'Europe/Berlin'));
  });

  test('is another for other slots, another zone, and another conduct at a change of offset', () => {
    const hashes = [
      scheduleHash(schedule('0 * * * *'), 'UTC'),
      scheduleHash(schedule('1 * * * *'), 'UTC'),
      scheduleHash(schedule('0 * * * *'), 'Europe/Berlin'),
      scheduleHash(schedule('0 0-23 * * *'), 'UTC'),
    ];
    expect(new Set(hashes).size).toBe(4);
  });
});
