// TLS to a Postgres server with libpq's meaning of `sslmode`: what is read from files, what is verified, what is said
// when it fails. postgres.js ignores sslrootcert, verifies nothing in `require`, and checks an IP host as `localhost`.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import { nextEvent } from './deadline.ts';

/** Contexts by the content of their files: building one takes a millisecond, and a fleet shares a few. */
const KEPT_CONTEXTS = 32;

/**
 * TLS over `socket`, whose server has agreed to it. Files are read at each call, so renewed certificates need no
 * restart. Verified are: nothing (prefer, require without `ca`), the chain (verify-ca, or any mode with `ca`, as libpq
 * does), or chain and name (verify-full). Rejects with a Failure (tls) that says what to do.
 */
export async function startTls(socket: Socket, server: Server, signal: AbortSignal): Promise<TLSSocket> {
  const { mode, ca } = server.tls;
  const verified = mode === 'verify-ca' || mode === 'verify-full' || ca !== undefined;
  const secured = connectTls({
    socket,
    secureContext: contextOf(server),
    // The verdict is read below, with the certificate at hand for the message; nothing is sent before.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(isIP(server.host) ? {} : { servername: server.host }),
  });
  try {
    await nextEvent(secured, 'secureConnect', signal);
    if (verified && !secured.authorized) throw untrusted(secured, server);
    if (mode === 'verify-full') checkName(secured, server);
    return secured;
  } catch (error) {
    secured.destroy();
    throw handshakeFailure(error, server);
  }
}

/** A mode whose files cannot do what it promises is refused before a connection is made. */
export function checkTlsSettings(server: Server): void {
  const { mode, ca, cert, key } = server.tls;
  if (mode === 'verify-ca' && ca === undefined) {
    throw refused(
      '`tls.mode: verify-ca` needs a CA file',
      'set `tls.ca`, or use `verify-full` for a publicly signed certificate',
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw refused('a client certificate needs both `tls.cert` and `tls.key`', 'set the one that is missing');
  }
}

/** The server answered that it does not offer TLS. */
export function noTlsFailure(server: Server): Failure {
  return refused(
    `the server does not offer TLS, which \`tls.mode: ${server.tls.mode}\` needs`,
    'switch it on there (`ssl = on` in postgresql.conf), or use `tls: {mode: disable}` where the network is trusted',
  );
}

const keptContexts = new Map<string, SecureContext>();

function contextOf(server: Server): SecureContext {
  const ca = readPem(server.tls.ca, 'ca');
  const cert = readPem(server.tls.cert, 'cert');
  const key = readPem(server.tls.key, 'key');
  const name = createHash('sha256')
    .update(JSON.stringify([ca, cert, key]))
    .digest('base64');
  const kept = keptContexts.get(name);
  if (kept) return kept;
  const context = buildContext(server, { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  const oldest = keptContexts.keys().next();
  if (keptContexts.size >= KEPT_CONTEXTS && !oldest.done) keptContexts.delete(oldest.value);
  keptContexts.set(name, context);
  return context;
}

function buildContext(server: Server, material: { ca?: string; cert?: string; key?: string }): SecureContext {
  try {
    return createSecureContext(material);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const pair = `\`${server.tls.cert}\` and \`${server.tls.key}\``;
    if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') {
      throw refused(
        `the key does not belong to the client certificate: ${pair}`,
        'name the key the certificate was made for',
      );
    }
    const files = material.cert === undefined ? `\`${server.tls.ca}\`` : pair;
    throw refused(
      `cannot use the TLS files ${files} (${code})`,
      'they must be PEM files, and the key must have no passphrase',
    );
  }
}

function readPem(path: string | undefined, field: 'ca' | 'cert' | 'key'): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw refused(
      `cannot read \`tls.${field}\` \`${path}\` (${code})`,
      'check that the file exists and that this user may read it',
    );
  }
  if (text.includes('-----BEGIN ')) return text;
  throw refused(
    `\`tls.${field}\` \`${path}\` is not a PEM file`,
    'convert it: `openssl x509 -inform der -in FILE` or `openssl pkey`',
  );
}

function checkName(secured: TLSSocket, server: Server): void {
  const certificate = secured.getPeerCertificate();
  const mismatch = checkServerIdentity(server.host, certificate);
  if (!mismatch) return;
  const names = certificate.subjectaltname ?? `CN=${String(certificate.subject?.CN ?? '')}`;
  throw refused(
    `the server's certificate is not for \`${server.host}\` but for ${names}`,
    'connect by a name the certificate has, have it issued for this one, or use `tls: {mode: verify-ca}` if any name will do',
  );
}

function untrusted(secured: TLSSocket, server: Server): Failure {
  const reason = secured.authorizationError as unknown;
  const code = reason instanceof Error ? ((reason as NodeJS.ErrnoException).code ?? reason.message) : String(reason);
  const certificate = secured.getPeerCertificate();
  if (code === 'CERT_HAS_EXPIRED') {
    return refused(
      `the server's certificate expired on ${certificate.valid_to}`,
      'renew the certificate on the server',
      code,
    );
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const hint = 'check the clocks of both machines';
    return refused(`the server's certificate is not valid before ${certificate.valid_from}`, hint, code);
  }
  const issuer = String(certificate.issuer?.CN ?? certificate.issuer?.O ?? 'unknown');
  const trusted = server.tls.ca === undefined ? 'the public authorities' : `\`${server.tls.ca}\``;
  return refused(
    `the server's certificate, issued by \`${issuer}\`, is not signed by ${trusted} (${code})`,
    'set `tls.ca` to the file of the authority that signed it',
    code,
  );
}

function handshakeFailure(error: unknown, server: Server): Failure | Error {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (error instanceof Failure || !/^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code)) return error as Error;
  return refused(`the TLS handshake with ${server.host}:${server.port} failed (${code})`, tlsAlertHint(code), code);
}

/** What to do about an alert of OpenSSL; a client certificate is refused by one, after the handshake in TLS 1.3. */
export function tlsAlertHint(code: string): string {
  if (/UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN|REQUIRED)|UNSUPPORTED_CERTIFICATE/.test(code)) {
    return 'the server refuses the client certificate: check that `tls.cert` is valid and signed by its `ssl_ca_file`';
  }
  return 'check that the server speaks TLS 1.2 or later on this port';
}

function refused(message: string, hint: string, code?: string): Failure {
  return new Failure(message, { kind: 'tls', hint, ...(code === undefined ? {} : { code }) });
}
