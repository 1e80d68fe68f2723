// `--server NAME`, a name or a glob, may be given several times.
import { matchesServer } from '../config/glob.ts';
import { nameSomeAndCount } from '../model/name-some.ts';
import type { Job, Server } from '../model/project.ts';
import { UsageError } from './failure.ts';

/** The job's servers that one of the patterns matches; all without patterns. Throws a UsageError for one that matches none. */
export function selectServers(job: Job, patterns: readonly string[] | undefined): readonly Server[] {
  if (!patterns) return job.servers;
  for (const pattern of patterns) {
    if (job.servers.some((server) => matchesServer(pattern, server.name))) continue;
    const names = job.servers.map((server) => server.name);
    throw new UsageError(
      `--server: \`${pattern}\` matches none of the servers of job \`${job.name}\``,
      `its servers: ${nameSomeAndCount(names, 10)}`,
    );
  }
  return job.servers.filter((server) => patterns.some((pattern) => matchesServer(pattern, server.name)));
}
