// A server's `url` taken apart (libpq's connection URIs). No message holds any part of it that could be a password, and
// the URL class is not used because its errors carry the whole text.
import type { TlsMode } from '../model/project.ts';
import { server } from './fields/server.ts';
import type { Complaint } from './problems.ts';
import { suggest } from './suggest.ts';

export interface ServerUrl {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database?: string;
  /** Sent to the server at start-up. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly tls: { readonly mode?: TlsMode; readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** The parts of a URL, or what is wrong with it. */
export function parseServerUrl(url: string): ServerUrl | Complaint {
  const scheme = /^(?:postgres|postgresql):\/\//.exec(url)?.[0];
  if (scheme === undefined) return { message: '`url` must begin with `postgres://`', hint: EXAMPLE };
  const authorityEnd = endOfAuthority(url, scheme.length);
  const authority = url.slice(scheme.length, authorityEnd);
  const at = authority.lastIndexOf('@');
  const host = parseHost(authority.slice(at + 1), url.slice(authorityEnd).includes('@'));
  if ('message' in host) return host;
  const [user, password] = splitAtFirst(at < 0 ? '' : authority.slice(0, at), ':');
  if (user === '') return { message: '`url` names no user', hint: EXAMPLE };
  const [path, query] = splitAtFirst(url.slice(authorityEnd), '?');
  const database = path.replace(/^\//, '');
  if (database.includes('/') || path.includes('#')) {
    return { message: '`url` must end with one database name after the host', hint: EXAMPLE };
  }
  const decoded = decodeAll({ user, password: password ?? '', database });
  if (!decoded) return { message: '`url` holds a `%` that begins no percent-encoded byte', hint: ENCODE_HINT };
  const parameters = parseParameters(query ?? '');
  if ('message' in parameters) return parameters;
  return {
    ...host,
    user: decoded.user,
    ...(decoded.password === '' ? {} : { password: decoded.password }),
    ...(decoded.database === '' ? {} : { database: decoded.database }),
    ...parameters,
  };
}

const EXAMPLE = 'for example `postgres://pgtally@10.0.0.1:5432/app`';
const ENCODE_HINT = 'percent-encode special characters of a password, or better: give it as `password:`';

/** Up to the first `/`, `?` or `#`: a password with one of them must be percent-encoded. */
function endOfAuthority(url: string, from: number): number {
  const end = url.slice(from).search(/[/?#]/);
  return end < 0 ? url.length : from + end;
}

function parseHost(text: string, atFollows: boolean): { host: string; port: number } | Complaint {
  if (text.includes(',')) {
    return {
      message: '`url` names several hosts',
      hint: 'one server is one host: declare each as a server of its own',
    };
  }
  const match = /^(\[[0-9A-Fa-f:.%]+\]|[^:[\]]*)(?::(.*))?$/s.exec(text);
  const host = (match?.[1] ?? '').replace(/^\[|\]$/g, '');
  const port = match?.[2] === undefined || match[2] === '' ? 5432 : Number(/^\d{1,5}$/.exec(match[2])?.[0]);
  if (!match || !(port >= 1 && port <= 65_535)) {
    const hint = atFollows ? ENCODE_HINT : 'a port is a number from 1 to 65535';
    return { message: 'the host and port in `url` cannot be read', hint };
  }
  if (host === '') return { message: '`url` names no host', hint: EXAMPLE };
  if (/^%2f/i.test(host)) {
    return { message: '`url` names a Unix socket', hint: 'servers are reached by TCP: name `localhost` or an address' };
  }
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host)?.slice(1);
  const valid = octets ? octets.every((octet) => Number(octet) <= 255) : /^[A-Za-z0-9._:%-]+$/.test(host);
  if (valid) return { host, port };
  // Without user and password it could be a password that lost its `@`.
  return octets
    ? { message: `\`url\` names the address \`${host}\`, which does not exist` }
    : { message: '`url` names a host with characters no host name has', hint: ENCODE_HINT };
}

function decodeAll<T extends Record<string, string>>(parts: T): T | undefined {
  try {
    return Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, decodeURIComponent(text)])) as T;
  } catch {
    // The URIError is the answer, and it would carry the text.
    return undefined;
  }
}

const TLS_PARAMETERS: Readonly<Record<string, 'ca' | 'cert' | 'key'>> = {
  sslrootcert: 'ca',
  sslcert: 'cert',
  sslkey: 'key',
};
const START_PARAMETERS = ['application_name', 'options'];

function parseParameters(query: string): Pick<ServerUrl, 'parameters' | 'tls'> | Complaint {
  const parameters: Record<string, string> = {};
  const tls: { mode?: TlsMode; ca?: string; cert?: string; key?: string } = {};
  const seen = new Set<string>();
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const [rawName, rawValue] = splitAtFirst(pair, '=');
    const decoded = decodeAll({ name: rawName, value: rawValue ?? '' });
    if (!decoded) return { message: '`url` holds a `%` that begins no percent-encoded byte', hint: ENCODE_HINT };
    const { name, value } = decoded;
    if (seen.has(name)) return { message: `\`url\` gives a parameter twice` };
    seen.add(name);
    const tlsName = TLS_PARAMETERS[name];
    if (name === 'sslmode') {
      const modes: readonly string[] = server.fields.tls.fields.mode.of;
      if (!modes.includes(value)) {
        return {
          message: "`sslmode` in `url` must be one of libpq's modes",
          hint: `the modes are: ${modes.map((mode) => `\`${mode}\``).join(', ')}`,
        };
      }
      tls.mode = value as TlsMode;
    } else if (tlsName) tls[tlsName] = value;
    else if (START_PARAMETERS.includes(name)) parameters[name] = value;
    else return unknownParameter(name);
  }
  return { parameters, tls };
}

function unknownParameter(name: string): Complaint {
  if (/pass/i.test(name)) return { message: '`url` holds a password as a parameter', hint: 'give it as `password:`' };
  const known = ['sslmode', ...Object.keys(TLS_PARAMETERS), ...START_PARAMETERS];
  const hint =
    name === 'connect_timeout' ? 'a connection is always given 10 seconds' : suggest(name, known, 'the parameters are');
  const shown = /^[a-z_]{1,40}$/i.test(name) ? `the parameter \`${name}\`` : 'a parameter';
  return { message: `\`url\` has ${shown}, which pgtally does not know`, ...(hint === undefined ? {} : { hint }) };
}

function splitAtFirst(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}
