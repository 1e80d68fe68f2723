// `defaults: {privileged: refuse}`: no run by a role that is a superuser or may write (design 12). What such rights are is
// known to src/postgres.
import { Failure } from '../model/failure.ts';
import type { ServerName } from '../model/units.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { findExcessRights } from '../postgres/privileges.ts';

/** What a role for jobs is made like; without the names of schemas and tables, which only the reader knows. */
export const LEAST_PRIVILEGED_ROLE =
  "a job's role needs no more than `create role NAME login password '…'; grant usage on schema SCHEMA to NAME; grant select on TABLE to NAME`";

const found = new WeakMap<Connection, readonly string[]>();

/**
 * Rejects with a Failure (`authentication`, code PRIVILEGED) when the role may do what no job needs. Asked once for a
 * connection; works in a read-only transaction.
 */
export async function refusePrivileged(connection: Connection, options?: CallOptions): Promise<void> {
  const excess = found.get(connection) ?? (await findExcessRights(connection, options));
  found.set(connection, excess);
  if (excess.length > 0) throw privilegedFailure(connection.server.user, excess);
}

/** Whether `refusePrivileged` asked on this connection before and found nothing. */
export function isFoundModest(connection: Connection): boolean {
  return found.get(connection)?.length === 0;
}

/** Whether `warnPrivileged` has nothing to ask. */
export function isTold({ server }: Connection, told: ReadonlySet<string>): boolean {
  return told.has(roleKey(server));
}

/** Tells once a server and role (for as long as `told` lives) what the role may do that no job needs. */
export async function warnPrivileged(
  connection: Connection,
  told: Set<string>,
  warn: (server: ServerName, role: string, excess: readonly string[]) => void,
  options?: CallOptions,
): Promise<void> {
  const { name, user } = connection.server;
  if (isTold(connection, told)) return;
  told.add(roleKey(connection.server));
  const excess = await findExcessRights(connection, options);
  if (excess.length > 0) warn(name, user, excess);
}

/** The refusal of a role with these rights. */
export function privilegedFailure(role: string, excess: readonly string[]): Failure {
  return new Failure(`role \`${role}\` ${excess.join(', ')}: refused by \`privileged: refuse\``, {
    kind: 'authentication',
    code: 'PRIVILEGED',
    hint: LEAST_PRIVILEGED_ROLE,
  });
}

function roleKey({ name, user }: Connection['server']): string {
  return `${name}/${user}`;
}
