// Which replica a shard falls to: highest random weight. Pure; who takes part is membership's to say.
import { createHash } from 'node:crypto';
import type { ReplicaId, Shard } from './record.ts';

/**
 * Highest random weight (rendezvous) hashing, Thaler and Ravishankar 1996: each replica has a weight for each shard and the
 * highest one present owns it, so a replica that comes or goes moves only its own shards.
 *
 * The returned function remembers weights, for it is asked five times a second; what it knows of replicas long gone is dropped.
 */
export function createRendezvous(): (replicas: Iterable<ReplicaId>, shard: Shard) => ReplicaId | undefined {
  const weights = new Map<string, number>();
  return (replicas, shard) => {
    let best: ReplicaId | undefined;
    let highest = -1;
    if (weights.size > 100_000) weights.clear();
    for (const replica of replicas) {
      const key = `${replica}/${shard}`;
      let weight = weights.get(key);
      if (weight === undefined) {
        weight = weightOf(key);
        weights.set(key, weight);
      }
      // Two equal weights of 48 bits: the name decides, so that all replicas decide alike.
      if (weight > highest || (weight === highest && best !== undefined && replica > best)) {
        highest = weight;
        best = replica;
      }
    }
    return best;
  };
}

function weightOf(key: string): number {
  return createHash('sha256').update(key).digest().readUIntBE(0, 6);
}
