// Where the ledger keeps the state of a (job, server): its key, and the shard that the key falls to. Found once for each, because
// a run asks for it several times and a thousand of them ask at once.
import { murmur2PartitionOfText } from '../kafka/murmur2.ts';
import type { JobName, ServerName } from '../model/units.ts';
import { runKey, type Shard } from './record.ts';

export interface RunPlace {
  readonly job: JobName;
  readonly server: ServerName;
  readonly key: string;
  readonly shard: Shard;
}

export interface RunPlaces {
  of(job: JobName, server: ServerName): RunPlace;
  /** Those of a shard that were asked for. */
  in(shard: Shard): RunPlace[];
}

export function createRunPlaces(shards: number): RunPlaces {
  const places = new Map<JobName, Map<ServerName, RunPlace>>();
  return {
    of(job, server) {
      let servers = places.get(job);
      if (!servers) {
        servers = new Map();
        places.set(job, servers);
      }
      let place = servers.get(server);
      if (!place) {
        const key = runKey(job, server);
        place = { job, server, key, shard: murmur2PartitionOfText(key, shards) };
        servers.set(server, place);
      }
      return place;
    },
    in: (shard) =>
      [...places.values()].flatMap((servers) => [...servers.values()].filter((place) => place.shard === shard)),
  };
}
