// Where a server's password comes from: the project, a file that may change, or a file in ~/.pgpass form. What is found
// is returned and kept nowhere; no message here holds it.
import { readFileSync, statSync } from 'node:fs';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';

export interface FoundPassword {
  readonly password?: string;
  /** Why there is none, for the hint of a login that fails: `passfile … is ignored: others can read it`. */
  readonly note?: string;
}

/**
 * Reads a server's password anew: a value, a file without its last newline, or the first line of a passfile that
 * matches (libpq, "The Password File"). Throws a Failure (authentication) when a named file cannot be read.
 */
export function findPassword(server: Server): FoundPassword {
  if (server.password && 'value' in server.password) return { password: server.password.value };
  if (server.password) return { password: readPasswordFile(server.password.file) };
  if (server.passfile !== undefined) return findInPassfile(server.passfile, server);
  return {};
}

/** The password of the first matching line of a passfile's text; undefined when none matches. */
export function matchPassfile(
  text: string,
  target: { readonly host: string; readonly port: number; readonly database: string; readonly user: string },
): string | undefined {
  // libpq looks a Unix-domain socket up as `localhost`.
  const host = target.host.startsWith('/') ? 'localhost' : target.host;
  const wanted = [host, String(target.port), target.database, target.user];
  for (const line of text.split(/\r?\n/)) {
    const password = line.startsWith('#') ? undefined : matchLine(line, wanted);
    if (password !== undefined) return password;
  }
  return undefined;
}

/** `\:` and `\\` stand for `:` and `\`; a field that is one bare `*` fits all; the rest of the line is the password. */
function matchLine(line: string, wanted: readonly string[]): string | undefined {
  let rest = line;
  for (const value of wanted) {
    const field = /^(?:\\.|[^:\\])*/.exec(rest)?.[0] ?? '';
    if (rest[field.length] !== ':') return undefined;
    if (field !== '*' && unquote(field) !== value) return undefined;
    rest = rest.slice(field.length + 1);
  }
  return unquote(rest);
}

function unquote(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}

function readPasswordFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new Failure(`cannot read the password file \`${path}\` (${code})`, {
      kind: 'authentication',
      code,
      hint: 'check that the file named by `password_file` exists and that this user may read it',
      cause: error,
    });
  }
}

function findInPassfile(path: string, server: Server): FoundPassword {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return { note: `passfile \`${path}\` is ignored because it is not a plain file` };
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      return { note: `passfile \`${path}\` is ignored because others can read it: \`chmod 0600 ${path}\`` };
    }
    const password = matchPassfile(readFileSync(path, 'utf8'), server);
    if (password !== undefined) return { password };
    return {
      note: `passfile \`${path}\` has no line for ${server.host}:${server.port}:${server.database}:${server.user}`,
    };
  } catch (error) {
    return { note: `passfile \`${path}\` cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})` };
  }
}
