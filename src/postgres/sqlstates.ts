// What each error of Postgres or of the network means for a run: who must act, and whether trying again can help
// (design 5, "Retryable" and "Final at once"). Data only.
import type { FailureKind } from '../model/failure.ts';
import type { Server } from '../model/project.ts';

export interface Rule {
  readonly kind: FailureKind;
  readonly retryable: boolean;
  readonly hint?: string | ((server: Server) => string);
  /** For errors of the network, whose own text is a function's name: `connect ECONNREFUSED …`. */
  readonly text?: (server: Server) => string;
}

const RETRY = { retryable: true } as const;
const FINAL = { retryable: false } as const;
const at = (server: Server): string => (server.host.startsWith('/') ? server.host : `${server.host}:${server.port}`);

/** By SQLSTATE (Postgres documentation, appendix A). A code that is absent is looked up by its class, the first two characters. */
export const SQLSTATES: Readonly<Record<string, Rule>> = {
  '08': { kind: 'connection', ...RETRY },
  '0A': { kind: 'sql', ...FINAL },
  '0L': { kind: 'sql', ...FINAL },
  '0P': { kind: 'authentication', ...FINAL },
  '20': { kind: 'data', ...FINAL },
  '21': { kind: 'data', ...FINAL },
  '22': { kind: 'data', ...FINAL },
  '23': { kind: 'data', ...FINAL },
  '25': { kind: 'sql', ...FINAL },
  '25006': { kind: 'sql', ...FINAL, hint: 'a job only reads: its query runs in a read-only transaction' },
  '25P03': { kind: 'connection', ...RETRY },
  '25P04': {
    kind: 'sql',
    ...FINAL,
    hint: 'the server sets `transaction_timeout`: make the query faster, or raise it for this role',
  },
  '26': {
    kind: 'connection',
    ...RETRY,
    hint: 'a pooler between us and the server may mix sessions: use its session mode',
  },
  '28': {
    kind: 'authentication',
    ...FINAL,
    hint: (server) =>
      server.tls.cert === undefined && server.tls.mode !== 'disable'
        ? `check the role \`${server.user}\` and pg_hba.conf there; if it wants a client certificate, set \`tls.cert\` and \`tls.key\``
        : `check the role \`${server.user}\` and pg_hba.conf there`,
  },
  '28P01': {
    kind: 'authentication',
    ...FINAL,
    hint: (server) => `check the password of \`${server.user}\` for this server`,
  },
  '3D000': {
    kind: 'configuration',
    ...FINAL,
    hint: (server) => `check the database \`${server.database}\` in the server's \`url\``,
  },
  '40': { kind: 'contention', ...RETRY },
  '40003': { kind: 'connection', ...RETRY },
  '42': { kind: 'sql', ...FINAL },
  '42501': {
    kind: 'sql',
    ...FINAL,
    hint: (server) => `grant it, for example \`grant select on TABLE to ${server.user}\``,
  },
  '42P01': { kind: 'sql', ...FINAL, hint: "name the schema (`schema.table`), or set the role's `search_path`" },
  '53': { kind: 'resources', ...RETRY },
  '53300': {
    kind: 'resources',
    ...RETRY,
    hint: 'raise `max_connections` there, or lower `concurrency` or `limits.connections`',
  },
  // temp_file_limit and the like: the next attempt would need as much.
  '53400': { kind: 'resources', ...FINAL },
  '54': { kind: 'sql', ...FINAL },
  '55': { kind: 'sql', ...FINAL },
  '55006': { kind: 'contention', ...RETRY },
  '55P03': { kind: 'contention', ...RETRY },
  '57014': { kind: 'sql', ...FINAL, hint: "make the query faster (`explain analyze`), or raise the job's `timeout`" },
  '57P01': { kind: 'connection', ...RETRY },
  '57P02': { kind: 'connection', ...RETRY },
  '57P03': { kind: 'connection', ...RETRY },
  '57P04': { kind: 'configuration', ...FINAL },
  '57P05': { kind: 'connection', ...RETRY },
  '58': { kind: 'resources', ...RETRY },
  '58P01': { kind: 'sql', ...FINAL },
  P0: { kind: 'sql', ...FINAL },
  XX: { kind: 'sql', ...FINAL, hint: 'an internal error of the server: look into its log' },
};

/** A statement that somebody else cancelled (pg_cancel_backend, a pooler) has the code of a statement timeout. */
export const CANCELLED_THERE: Rule = {
  kind: 'contention',
  ...RETRY,
  hint: 'somebody cancelled the statement on the server (`pg_cancel_backend`)',
};

const LOST: Rule = { kind: 'connection', ...RETRY, text: () => 'the connection was lost' };
const UNREACHABLE: Rule = {
  kind: 'connection',
  ...RETRY,
  text: (server) => `${at(server)} cannot be reached`,
  hint: 'check the address, the route and the firewall',
};
const UNKNOWN_HOST: Rule = {
  kind: 'connection',
  ...RETRY,
  text: (server) => `the host name \`${server.host}\` cannot be resolved`,
  hint: "check the name in the server's `url`, and DNS",
};
const NO_SOCKET: Rule = {
  kind: 'connection',
  ...RETRY,
  text: (server) => `no Postgres listens on the socket in \`${server.host}\``,
  hint: 'is Postgres running, and is its `unix_socket_directories` this folder?',
};
const EXHAUSTED_HERE: Rule = { kind: 'resources', ...RETRY, text: () => 'this machine cannot open another connection' };

/** By the code of a network error of Node, or of postgres.js. */
export const NETWORK_ERRORS: Readonly<Record<string, Rule>> = {
  ECONNREFUSED: {
    kind: 'connection',
    ...RETRY,
    text: () => 'connection refused',
    hint: (server) => `is Postgres running at ${at(server)}?`,
  },
  ECONNRESET: LOST,
  ECONNABORTED: LOST,
  EPIPE: LOST,
  CONNECTION_CLOSED: LOST,
  CONNECTION_ENDED: LOST,
  CONNECTION_DESTROYED: LOST,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  EHOSTDOWN: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ENETDOWN: UNREACHABLE,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  EAI_NODATA: UNKNOWN_HOST,
  ENOENT: NO_SOCKET,
  EACCES: { ...NO_SOCKET, hint: 'this user may not open it: check the permissions' },
  EMFILE: { ...EXHAUSTED_HERE, hint: 'raise the limit of open files (`ulimit -n`)' },
  ENFILE: { ...EXHAUSTED_HERE, hint: "raise the system's limit of open files" },
  EADDRNOTAVAIL: { ...EXHAUSTED_HERE, hint: 'no local port is free: keep connections longer (`limits.keep`)' },
};
