// Who may ask for what: the Host and Origin of a request, and its token. Pure; the answers are the server's to send.
// Host is checked against DNS rebinding, Origin against requests that another site makes a browser send (OWASP: CSRF).
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

/**
 * - `open`: anybody, by any name: probes and scrapers.
 * - `page`: no foreign Host or Origin: what holds nothing of the fleet.
 * - `read`: as `page`, and with the token where the page is reached from other machines.
 * - `action`: as `page`, and always with the token.
 */
export type Access = 'open' | 'page' | 'read' | 'action';

export interface GuardSettings {
  /** `host:port`, as configured. */
  readonly listen: string;
  readonly token?: string;
  readonly hosts: readonly string[];
}

export interface AskedWith {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
}

export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
  readonly hint: string;
}

/** Undefined when the request may go on. */
export type Guard = (access: Access, asked: AskedWith) => Refusal | undefined;

export function createGuard({ listen, token, hosts }: GuardSettings): Guard {
  const own = hostName(listen) ?? '';
  const named = new Set(['localhost', own, ...hosts.map((host) => host.toLowerCase())]);
  const readNeedsToken = !isLoopback(own);
  const wanted = token === undefined ? undefined : digest(token);

  const isOurHost = (host: string | undefined): boolean => {
    const name = hostName(host ?? '');
    return name !== undefined && (named.has(name) || isIP(name) !== 0);
  };
  const isOurOrigin = (origin: string, host: string | undefined): boolean => {
    if (!URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
    return url.host === host?.toLowerCase() || hosts.some((name) => name.toLowerCase() === url.hostname);
  };
  const hasToken = (authorization: string | undefined): boolean => {
    const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1];
    // Of digests, which are of one length: the time says nothing of how much of the token was right.
    return wanted !== undefined && given !== undefined && timingSafeEqual(digest(given.trim()), wanted);
  };

  return (access, { host, origin, authorization }) => {
    if (access === 'open') return undefined;
    if (!isOurHost(host)) {
      return {
        status: 403,
        message: `the page is not served under the name \`${host ?? ''}\``,
        hint: 'add the name to `status.hosts` in pgtally.yaml',
      };
    }
    if (origin !== undefined && !isOurOrigin(origin, host)) {
      return {
        status: 403,
        message: `a page of \`${origin}\` may not ask this`,
        hint: 'if that is a name of this page, add it to `status.hosts` in pgtally.yaml',
      };
    }
    if (access === 'page' || (access === 'read' && !readNeedsToken)) return undefined;
    if (wanted === undefined) {
      return {
        status: 403,
        message: 'actions are off, because no token is configured',
        hint: 'set `status.token` in pgtally.yaml and restart, or use `pgtally run`, `pause` and `resume`',
      };
    }
    if (hasToken(authorization)) return undefined;
    return {
      status: 401,
      message: authorization === undefined ? 'a token is needed' : 'the token is wrong',
      hint: 'send `Authorization: Bearer <token>` with the `status.token` of pgtally.yaml',
    };
  };
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The name in `name:port`, `[::1]:port` or `name`, in lower case. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
