// How a server is reached: its password and TLS settings, from the declaration, the URL and libpq's variables, in this
// order. Files are named, not read: the layer that connects reads them, again when they change.
import { join, resolve } from 'node:path';
import type { SecretSource, Server, TlsMode } from '../model/project.ts';
import type { Located } from '../model/source.ts';
import type { Draft } from './field.ts';
import { type serverFields, tlsFields } from './fields/server.ts';
import { isFile } from './glob.ts';
import { type Problems, showList } from './problems.ts';
import type { ServerUrl } from './server-url.ts';
import type { Environment } from './variables.ts';

export type ServerFields = Draft<typeof serverFields>;

/** libpq's variables, for what a declaration leaves open. Paths are absolute. */
export interface AccessDefaults {
  readonly password?: string;
  readonly passfile?: string;
  readonly mode?: TlsMode;
  readonly tls: Partial<Record<TlsFile, string>>;
}

type TlsFile = 'ca' | 'cert' | 'key';

/** `PGPASSWORD`, `PGPASSFILE` or `~/.pgpass`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`. */
export function readAccessDefaults(env: Environment, cwd: string, problems: Problems): AccessDefaults {
  const passfile = env.PGPASSFILE ? resolve(cwd, env.PGPASSFILE) : env.HOME ? join(env.HOME, '.pgpass') : undefined;
  const modes: readonly string[] = tlsFields.mode.of;
  const mode = env.PGSSLMODE || undefined;
  if (mode !== undefined && !modes.includes(mode)) {
    problems.error(`the variable \`PGSSLMODE\` must be one of ${showList(modes)}`);
  }
  const files = { ca: env.PGSSLROOTCERT, cert: env.PGSSLCERT, key: env.PGSSLKEY };
  const given = Object.entries(files).flatMap(([name, path]) => (path ? [[name, fromFolder(cwd, path)]] : []));
  return {
    ...(env.PGPASSWORD ? { password: env.PGPASSWORD } : {}),
    ...(passfile !== undefined && isFile(passfile) ? { passfile } : {}),
    ...(mode === undefined ? {} : { mode: mode as TlsMode }),
    tls: Object.fromEntries(given),
  };
}

/** What is wrong with the password sources of a declaration: two of them, or a password for everyone to read. */
export function checkPasswords(draft: ServerFields, url: Located<string>, parsed: ServerUrl, problems: Problems): void {
  const given = (['password', 'password_file', 'passfile'] as const).filter((name) => draft[name] !== undefined);
  const second = given[1] && draft[given[1]];
  if (second) problems.error(`\`${given[0]}\` and \`${given[1]}\` are both given`, second, 'keep one of the two');
  if (parsed.password === undefined) return;
  if (given[0]) {
    problems.error(`\`url\` holds a password, and \`${given[0]}\` is given too`, url, 'remove the one in `url`');
  } else if (isWrittenOut(url)) {
    const hint = `give it as \`password: \${NAME}\` or \`password_file\`, which keep it out of the file`;
    problems.warning('`url` holds a password', url, hint);
  }
}

/** Whether a password stands in the file itself, and not in a variable. */
function isWrittenOut({ file, span }: Located<string>): boolean {
  const written = file.text.slice(span.start, span.end).replace(/\$\{[^}]*\}/g, '');
  return /:\/\/[^:]*:[^@]+@/.test(written);
}

/** Where the password comes from; nothing where nobody named one. */
export function passwordOf(
  draft: ServerFields,
  parsed: ServerUrl,
  folder: string,
  defaults: AccessDefaults,
): { password?: SecretSource; passfile?: string } {
  if (parsed.password !== undefined) return { password: { value: parsed.password } };
  if (draft.password && draft.password.value !== '') return { password: { value: draft.password.value } };
  if (draft.password_file) return { password: { file: resolve(folder, draft.password_file.value) } };
  if (draft.passfile) return { passfile: resolve(folder, draft.passfile.value) };
  if (defaults.password !== undefined) return { password: { value: defaults.password } };
  return defaults.passfile === undefined ? {} : { passfile: defaults.passfile };
}

/** The TLS settings, or undefined when they contradict each other, which has been reported. */
export function tlsOf(
  draft: ServerFields,
  url: Located<string>,
  parsed: ServerUrl,
  folder: string,
  defaults: AccessDefaults,
  problems: Problems,
): Server['tls'] | undefined {
  const given = draft.tls?.value ?? {};
  const place = draft.tls ?? url;
  if (given.mode && parsed.tls.mode !== undefined && given.mode.value !== parsed.tls.mode) {
    const message = `\`mode\` is \`${given.mode.value}\`, but \`sslmode\` in \`url\` is \`${parsed.tls.mode}\``;
    problems.error(message, given.mode, 'keep one of the two');
    return undefined;
  }
  const own = (name: TlsFile): string | undefined => {
    const path = given[name]?.value ?? parsed.tls[name];
    return path === undefined ? undefined : fromFolder(folder, path);
  };
  const ca = own('ca') ?? defaults.tls.ca;
  const cert = own('cert') ?? defaults.tls.cert;
  const key = own('key') ?? defaults.tls.key;
  if ((cert === undefined) !== (key === undefined)) {
    const message =
      cert === undefined ? 'there is a TLS `key` without a `cert`' : 'there is a TLS `cert` without a `key`';
    problems.error(message, place, 'a certificate and its private key go together');
    return undefined;
  }
  const named = given.mode?.value ?? parsed.tls.mode;
  const mode = named ?? (own('ca') === undefined ? (defaults.mode ?? 'prefer') : 'verify-full');
  if (ca === SYSTEM && named !== undefined && named !== 'verify-full') {
    problems.error(`\`${SYSTEM}\` authorities need the mode \`verify-full\``, given.mode ?? place);
    return undefined;
  }
  return {
    mode: ca === SYSTEM ? 'verify-full' : mode,
    ...(ca === undefined || ca === SYSTEM ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** As in libpq: in place of a file, the authorities that are trusted anyway. Anybody can have a certificate of theirs, so
 * only a check of the name too is worth something. */
const SYSTEM = 'system';

function fromFolder(folder: string, path: string): string {
  return path === SYSTEM ? path : resolve(folder, path);
}
