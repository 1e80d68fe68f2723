// Faults between replicas and one broker, and of that broker, each for as long as it takes. What they are: network-faults.ts.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { seconds } from './lateness.ts';
import { BROKER_FAULTS, NETWORK_FAULTS, type Place, startPlace, under } from './network-faults.ts';

let place: Place;

beforeAll(async () => {
  place = await startPlace(1);
});

afterAll(() => place.discard());

describe.each([
  ['between a replica and the broker', NETWORK_FAULTS],
  ['the broker', BROKER_FAULTS],
] as const)('%s', (_, faults) => {
  it.each(faults)(
    '$name',
    async (plan) => {
      for (const proxy of place.proxies)
        await under(plan, place, proxy, { jobs: 12, streams: 2, seconds: seconds(25) });
    },
    180_000,
  );
});
