import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSeeds } from '../../../src/kafka/seeds.ts';

describe('createSeeds', () => {
  it('begins with the first broker and leaves one that failed to the last', () => {
    const seeds = createSeeds(['a:1', 'b:1', 'c:1']);
    expect(seeds.next()).toBe('a:1');
    seeds.failed('a:1');
    expect(seeds.next()).toBe('b:1');
    seeds.failed('b:1');
    seeds.failed('c:1');
    expect(seeds.next()).toBe('a:1');
  });

  it('takes a broker back when it answers', () => {
    const seeds = createSeeds(['a:1', 'b:1']);
    seeds.failed('a:1');
    seeds.answered('a:1');
    expect(seeds.next()).toBe('a:1');
  });

  it('always has one of those that do not fail, if there are any, in the order of the configuration', () => {
    const brokers = ['a:1', 'b:1', 'c:1'];
    const event = fc.record({ broker: fc.constantFrom(...brokers, 'other:1'), fails: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const seeds = createSeeds(brokers);
        const failing = new Map<string, number>();
        for (const [at, { broker, fails }] of events.entries()) {
          if (fails) {
            seeds.failed(broker);
            failing.set(broker, at);
          } else {
            seeds.answered(broker);
            failing.delete(broker);
          }
        }
        const oldest = [...brokers].sort((a, b) => (failing.get(a) ?? -1) - (failing.get(b) ?? -1))[0];
        expect(seeds.next()).toBe(brokers.find((broker) => !failing.has(broker)) ?? oldest);
      }),
    );
  });
});
