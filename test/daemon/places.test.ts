import { describe, expect, test } from 'vitest';
import { createPlaces, type Place } from '../../src/daemon/places.ts';

/** Takes without waiting; undefined when no place was free. */
async function takeNow(taking: Promise<Place>): Promise<Place | undefined> {
  return Promise.race([taking, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
}

describe('places', () => {
  test('a job gets no more places than its own limit, and others go on', async () => {
    const places = createPlaces(10);
    const first = await places.take('a', 1, 'main');
    expect(await takeNow(places.take('a', 1, 'main'))).toBeUndefined();
    expect(await takeNow(places.take('b', 1, 'main'))).toBeDefined();
    first.giveBack();
    expect(places.taken).toBe(2);
    expect(places.waiting).toBe(0);
  });

  test('the limit holds over all jobs, and waiting jobs are served in turn', async () => {
    const places = createPlaces(1);
    const held = await places.take('a', 9, 'main');
    const order: string[] = [];
    for (const job of ['a', 'a', 'b', 'c', 'b']) {
      void places.take(job, 9, 'main').then((place) => {
        order.push(job);
        place.giveBack();
      });
    }
    held.giveBack();
    await new Promise((resolve) => setImmediate(resolve));
    expect(order.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c']);
    expect(order.slice(0, 3).toSorted()).toEqual(['a', 'b', 'c']);
    expect(places.taken).toBe(0);
  });

  test('the failing pool is its own: a full main pool does not hold it up, nor the other way round', async () => {
    const places = createPlaces(1);
    await places.take('a', 9, 'main');
    const failing = await Promise.all(Array.from({ length: 8 }, () => places.take('a', 99, 'failing')));
    expect(await takeNow(places.take('a', 99, 'failing'))).toBeUndefined();
    expect(failing).toHaveLength(8);
  });

  test('giving a place back twice frees one place', async () => {
    const places = createPlaces(1);
    const place = await places.take('a', 1, 'main');
    place.giveBack();
    place.giveBack();
    await places.take('a', 1, 'main');
    expect(await takeNow(places.take('a', 1, 'main'))).toBeUndefined();
  });
});
