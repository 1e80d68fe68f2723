import { describe, expect, it } from 'vitest';
import { type Beat, createMembership, PROVEN_TIMES, type Standing } from '../../src/ledger/membership.ts';
import { createRendezvous } from '../../src/ledger/rendezvous.ts';

const WALL = Date.parse('2027-01-01T00:00:00Z');

/** One replica under a clock of the test: monotonic, wall and broker time go on together unless a test says otherwise. */
function replica(self = 'a', start = 0) {
  const membership = createMembership(self, start);
  let now = start;
  let wallOffset = WALL;
  let ledgerReadAt = start;
  let standing: Standing = { available: false, sound: false, beatNow: false };
  const evaluate = () => {
    standing = membership.evaluate(now, now + wallOffset, (since) => ledgerReadAt >= since);
    return standing;
  };
  const beat = (fields: Partial<Beat> = {}) => {
    const own = fields.replica === undefined || fields.replica === self ? membership.nextBeat() : undefined;
    membership.hear(
      { replica: self, state: own?.state ?? 'alive', seq: own?.seq ?? 1, shards: [], at: now + WALL, ...fields },
      now,
    );
    return evaluate();
  };
  return {
    membership,
    beat,
    evaluate,
    standing: () => standing,
    now: () => now,
    /** Lets time pass in steps of 100 ms; `each` runs at every whole second. */
    pass(duration: number, each: () => void = () => {}) {
      for (const end = now + duration; now < end; ) {
        now += 100;
        ledgerReadAt = now;
        evaluate();
        if (now % 1000 === 0) each();
      }
      return standing;
    },
    freeze(duration: number) {
      now += duration;
    },
    suspend(duration: number) {
      wallOffset += duration;
    },
    ledgerStops() {
      ledgerReadAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Beats until alive, settled and sound. */
function joined(self = 'a') {
  const one = replica(self);
  one.beat();
  one.pass(100);
  one.beat();
  one.pass(500);
  expect(one.standing().sound).toBe(true);
  return one;
}

describe('joining', () => {
  it('says `alive` only after its own heartbeat came back and the ledger was read', () => {
    const one = replica();
    expect(one.membership.nextBeat().state).toBe('joining');
    one.evaluate();
    expect(one.membership.nextBeat().state).toBe('joining');
    const standing = one.beat();
    expect(standing).toEqual({ available: true, sound: false, beatNow: true });
    expect(one.membership.nextBeat().state).toBe('alive');
  });

  it('waits for the ledger as long as it takes', () => {
    const one = createMembership('a', 0);
    for (let now = 0; now <= 5000; now += 100) {
      one.hear({ replica: 'a', seq: one.nextBeat().seq, state: 'joining', shards: [], at: WALL + now }, now);
      expect(one.evaluate(now, now, () => false).beatNow).toBe(false);
    }
    expect(one.nextBeat().state).toBe('joining');
  });

  it('claims nothing before it is alive in its own view and 300 ms have passed', () => {
    const one = replica();
    one.beat();
    one.pass(600);
    expect(one.standing().sound).toBe(false); // its `alive` has not been read back
    one.beat();
    expect(one.pass(100).sound).toBe(true);
  });

  it('takes records of replicas long dead for what they are', () => {
    const one = replica();
    one.membership.hear({ replica: 'dead', state: 'alive', seq: 9, shards: [], at: WALL - 60_000 }, 0);
    one.beat();
    expect(one.membership.isHeard('dead', one.now())).toBe(false);
    one.beat();
    for (let shard = 0; shard < 20; shard++) expect(one.membership.fallsTo(shard, one.now())).toBe('a');
  });
});

describe('a view', () => {
  it('is not sound once the own heartbeat has not come back for 2 s, nor available after 3 s', () => {
    const one = joined();
    expect(one.pass(1300).sound).toBe(true);
    expect(one.pass(400).sound).toBe(false);
    expect(one.standing().available).toBe(true);
    expect(one.pass(1200).available).toBe(false);
  });

  it('of a replica that was cut off for more than 3 s starts anew and keeps quiet for 1.5 s', () => {
    const one = joined();
    one.pass(4000);
    expect(one.membership.nextBeat().state).toBe('joining');
    one.beat();
    expect(one.pass(1400).sound).toBe(false);
    one.beat();
    one.pass(200);
    one.beat();
    expect(one.pass(500).sound).toBe(true);
  });

  it('after a short stall is sound as soon as a heartbeat sent after it came back', () => {
    const one = joined();
    const before = one.membership.nextBeat();
    one.freeze(900);
    expect(one.evaluate()).toMatchObject({ sound: false, beatNow: true });
    one.membership.hear({ replica: 'a', ...before, shards: [], at: WALL + one.now() }, one.now());
    expect(one.evaluate().sound).toBe(false); // sent before the stall
    expect(one.beat().sound).toBe(true);
  });

  it('of a machine that was suspended is stale although the monotonic clock stood still', () => {
    const one = joined();
    one.suspend(3_600_000);
    expect(one.evaluate()).toMatchObject({ sound: false, available: false, beatNow: true });
    expect(one.membership.nextBeat().state).toBe('joining');
  });

  it('after a stall counts only what was read of the ledger since', () => {
    const one = joined();
    one.freeze(900);
    one.evaluate();
    expect(one.membership.staleSince).toBe(one.now());
  });
});

describe('the owner of a shard', () => {
  it('is never one that is joining, stopping, silent or gone', () => {
    const one = joined();
    const ownersWhile = (fields: Partial<Beat>) => {
      one.beat({ replica: 'b', at: WALL + one.now(), ...fields });
      return new Set(Array.from({ length: 40 }, (_, shard) => one.membership.fallsTo(shard, one.now())));
    };
    expect(ownersWhile({ state: 'alive' })).toEqual(new Set(['a', 'b']));
    expect(ownersWhile({ state: 'stopping' })).toEqual(new Set(['a']));
    expect(one.membership.isHeard('b', one.now())).toBe(true); // waited for until it releases
    expect(ownersWhile({ state: 'joining' })).toEqual(new Set(['a']));
    ownersWhile({ state: 'alive' });
    one.pass(3100, () => one.beat());
    expect(one.membership.isHeard('b', one.now())).toBe(false);
    expect(one.membership.fallsTo(3, one.now())).toBe('a');
    ownersWhile({ state: 'alive' });
    one.membership.forget('b');
    expect(one.membership.isHeard('b', one.now())).toBe(false);
  });

  it('is nobody when nobody is alive', () => {
    expect(createMembership('a', 0).fallsTo(0, 0)).toBeUndefined();
  });

  it('is the same for every replica, spread over them, and moves only from one that goes', () => {
    const replicas = ['alpha', 'beta', 'gamma', 'delta'];
    const shards = Array.from({ length: 400 }, (_, shard) => shard);
    const owners = shards.map((shard) => createRendezvous()(replicas, shard));
    expect(shards.map((shard) => createRendezvous()([...replicas].reverse(), shard))).toEqual(owners);
    const shares = replicas.map((one) => owners.filter((owner) => owner === one).length);
    for (const share of shares) expect(share).toBeGreaterThan(60);
    const left = replicas.slice(1);
    const after = shards.map((shard) => createRendezvous()(left, shard));
    for (const shard of shards) if (owners[shard] !== 'alpha') expect(after[shard]).toBe(owners[shard]);
  });

  it('stops being this replica the moment it is asked to stop', () => {
    const one = joined();
    one.membership.stop();
    expect(one.beat().sound).toBe(false);
    expect(one.membership.fallsTo(0, one.now())).toBeUndefined();
    expect(one.membership.nextBeat().state).toBe('stopping');
  });

  it('fails over within silence, a heartbeat and the settling of a view: below 5 s', () => {
    expect(PROVEN_TIMES.silent + 1000 + PROVEN_TIMES.settle).toBeLessThan(5000);
  });
});
