// Roles that may do more than a job needs (design 12), said once for all the servers on which they may: a fleet has one role.
import { nameSomeAndCount } from '../model/name-some.ts';
import type { Milliseconds, ServerName } from '../model/units.ts';
import { isTableRight } from '../postgres/privileges.ts';
import type { PublishContext } from '../publish/attempt.ts';
import { LEAST_PRIVILEGED_ROLE } from '../publish/privileged.ts';
import type { Log } from './log.ts';

/** The first slots of a fleet come within this time. */
const GATHER: Milliseconds = 3000;

/**
 * For the context of all runs: gathers what they find and writes a line for each role and what it may do. On a server that
 * jobs ingest into, a role that may write to a table is as it should be.
 */
export function createPrivilegeWarnings(
  log: Log,
  ingestsInto: (server: ServerName) => boolean,
): NonNullable<PublishContext['onPrivileged']> {
  const gathered = new Map<string, { role: string; servers: string[] }>();
  let _timer: NodeJS.Timeout | undefined;
  const say = (): void => {
    _timer = undefined;
    for (const [rights, { role, servers }] of gathered) {
      log.warn(`role ${rights}`, { role, servers: nameSomeAndCount(servers), hint: LEAST_PRIVILEGED_ROLE });
    }
    gathered.clear();
  };
  return {
    told: new Set(),
    warn(server, role, found) {
      const excess = ingestsInto(server) ? found.filter((right) => !isTableRight(right)) : found;
      if (excess.length === 0) return;
      const key = `\`${role}\` ${excess.join(', ')}`;
      const entry = gathered.get(key) ?? { role, servers: [] };
      entry.servers.push(server);
      gathered.set(key, entry);
      _timer ??= setTimeout(say, GATHER).unref();
    },
  };
}
