// What looking at servers one by one does not show: a column that has another type on some, a table that is missing on some.
import type { JobName, ServerName } from '../model/units.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { InspectedServer } from './inspect-servers.ts';

/** A column of one job that is not the same on all of its servers. */
export interface TypeDifference {
  readonly job: PreparedJob;
  readonly column: string;
  /** The most common type first; `type` is undefined where the column is missing. */
  readonly types: readonly { readonly type: string | undefined; readonly servers: readonly ServerName[] }[];
}

/** Compares the columns of each job between the servers on which it could be prepared. */
export function findTypeDifferences(inspected: readonly InspectedServer[]): TypeDifference[] {
  const byJob = new Map<PreparedJob, { readonly server: ServerName; readonly types: ReadonlyMap<string, string> }[]>();
  for (const { server, jobs } of inspected) {
    for (const { prepared, columns, failure } of jobs) {
      if (failure || prepared.kind !== 'publish') continue;
      const list = byJob.get(prepared) ?? [];
      list.push({ server: server.name, types: new Map(columns.map(({ name, type }) => [name, type])) });
      byJob.set(prepared, list);
    }
  }
  return [...byJob].flatMap(([job, servers]) => {
    const columns = new Set(servers.flatMap(({ types }) => [...types.keys()]));
    return [...columns].flatMap((column): TypeDifference[] => {
      const groups = new Map<string | undefined, ServerName[]>();
      for (const { server, types } of servers) {
        const type = types.get(column);
        groups.set(type, [...(groups.get(type) ?? []), server]);
      }
      if (groups.size < 2) return [];
      const types = [...groups].map(([type, names]) => ({ type, servers: names }));
      return [{ job, column, types: types.sort((a, b) => b.servers.length - a.servers.length) }];
    });
  });
}

/** A table that is missing on some servers, by the name the job gives it. */
export interface MissingTable {
  readonly table: string;
  readonly servers: readonly ServerName[];
  readonly jobs: readonly JobName[];
}

/** Tables that Postgres did not find (42P01), with where they are missing. */
export function findMissingTables(inspected: readonly InspectedServer[]): MissingTable[] {
  const missing = new Map<string, { servers: Set<ServerName>; jobs: Set<JobName> }>();
  for (const { server, jobs } of inspected) {
    for (const { prepared, failure, place } of jobs) {
      if (failure?.code !== '42P01' || !place) continue;
      const table = place.file.text.slice(place.span.start, place.span.end);
      const entry = missing.get(table) ?? { servers: new Set(), jobs: new Set() };
      entry.servers.add(server.name);
      entry.jobs.add(prepared.job.name);
      missing.set(table, entry);
    }
  }
  return [...missing].map(([table, { servers, jobs }]) => ({ table, servers: [...servers], jobs: [...jobs] }));
}
