// Errors of Postgres, of the network and of postgres.js as Failures. The tables are in sqlstates.ts; no message says
// which server it was, the caller does.
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import { formatDuration, type Milliseconds } from '../model/units.ts';
import { CANCELLED_THERE, NETWORK_ERRORS, type Rule, SQLSTATES } from './sqlstates.ts';
import { tlsAlertHint } from './tls.ts';

/** The fields of an ErrorResponse that postgres.js puts on its error, and the code that every error here has. */
interface ErrorFields {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
}

/**
 * Any error of this folder as a Failure: Postgres's text with its detail, SQLSTATE and position, or what the network
 * did, and a hint where one can be given. `cancelledThere`: a 57014 that came long before the statement's own limit.
 */
export function toFailure(error: unknown, server: Server, cancelledThere = false): Failure {
  if (error instanceof Failure) return error;
  const { code, message, severity, detail, hint, position }: ErrorFields = Object(error) as ErrorFields;
  const name = typeof code === 'string' ? code : '';
  if (severity !== undefined) {
    const rule = cancelledThere && name === '57014' ? CANCELLED_THERE : ruleForState(name);
    const text = detail === undefined ? String(message) : `${String(message)} (${detail.replace(/\.$/, '')})`;
    const ownHint = rule.hint === undefined ? undefined : hintFor(rule, server);
    return failureOf(text, rule, error, name, hint ?? ownHint, position);
  }
  const rule = NETWORK_ERRORS[name];
  if (rule) return failureOf(rule.text?.(server) ?? String(message), rule, error, name, hintFor(rule, server));
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(name)) {
    return new Failure(`the server ended the TLS session (${name})`, {
      kind: 'tls',
      code: name,
      cause: error,
      hint: tlsAlertHint(name),
    });
  }
  return new Failure(`unexpected error: ${String(message ?? error)}`, {
    kind: 'internal',
    ...(name && { code: name }),
    cause: error,
  });
}

/** No answer to a statement in time, where not even Postgres's own timeout came back. */
export function lateAnswer(limit: Milliseconds): Failure {
  return new Failure(`no answer within ${formatDuration(limit)}`, {
    kind: 'timeout',
    retryable: true,
    hint: 'the server or the network between hangs',
  });
}

/** No connection in time: something accepts and never answers, or packets are dropped. */
export function lateConnection(server: Server, limit: Milliseconds): Failure {
  return new Failure(`no connection within ${formatDuration(limit)}`, {
    kind: 'timeout',
    retryable: true,
    hint: `check that ${server.host}:${server.port} is a Postgres server that answers, and the firewall`,
  });
}

/** A statement on a connection that has ended before. */
export function lostConnection(cause?: unknown): Failure {
  return new Failure('the connection was lost', {
    kind: 'connection',
    retryable: true,
    code: 'CONNECTION_CLOSED',
    cause,
  });
}

function ruleForState(code: string): Rule {
  return SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)] ?? { kind: 'sql', retryable: false };
}

function hintFor(rule: Rule, server: Server): string | undefined {
  return typeof rule.hint === 'function' ? rule.hint(server) : rule.hint;
}

function failureOf(text: string, rule: Rule, cause: unknown, code: string, hint?: string, position?: string): Failure {
  return new Failure(text, {
    kind: rule.kind,
    retryable: rule.retryable,
    code,
    cause,
    ...(hint === undefined ? {} : { hint }),
    ...(position === undefined ? {} : { position: Number(position) }),
  });
}
