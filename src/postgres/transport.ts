// A connected byte stream to a Postgres server, TLS included, before any message of the protocol proper. Login and
// statements are not here.
import { createConnection, type Socket } from 'node:net';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import { nextEvent } from './deadline.ts';
import { checkTlsSettings, noTlsFailure, startTls } from './tls.ts';

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const YES = 'S'.charCodeAt(0);
const NO = 'N'.charCodeAt(0);
const ERROR = 'E'.charCodeAt(0);
/** The kernel asks a silent peer after this time whether it is alive, so that a dead kept connection is noticed. */
const KEEP_ALIVE_AFTER = 30_000;

/**
 * Connects and negotiates TLS as `server.tls.mode` says: `prefer` goes on in plain only when the server answers that it
 * has no TLS. `address` replaces the host for the connection, not for the certificate's name (a cancel request has to
 * reach the same machine). Rejects with a Failure (tls), a network error as Node made it, or the signal's reason.
 */
export async function openTransport(server: Server, signal: AbortSignal, address?: string): Promise<Socket> {
  checkTlsSettings(server);
  const local = server.host.startsWith('/');
  const socket = local
    ? createConnection({ path: `${server.host}/.s.PGSQL.${server.port}` })
    : createConnection({ host: address ?? server.host, port: server.port, noDelay: true });
  try {
    await nextEvent(socket, 'connect', signal);
    if (!local) socket.setKeepAlive(true, KEEP_ALIVE_AFTER);
    // libpq never uses TLS on a Unix-domain socket.
    if (local || server.tls.mode === 'disable') return socket;
    if (await askForTls(socket, server, signal)) return await startTls(socket, server, signal);
    if (server.tls.mode === 'prefer') return socket;
    throw noTlsFailure(server);
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  }
}

/** What answers is no Postgres: an HTTP server, say. */
export function notPostgres(server: Server): Failure {
  return new Failure(`what answers at ${server.host}:${server.port} does not speak the Postgres protocol`, {
    kind: 'configuration',
    hint: "check the port in the server's `url`",
  });
}

async function askForTls(socket: Socket, server: Server, signal: AbortSignal): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const answer = (await nextEvent(socket, 'data', signal)) as Buffer;
  socket.pause();
  // More than the one byte would be data that somebody injected before the encryption (CVE-2021-23222).
  if (answer.length === 1 && answer[0] === YES) return true;
  if (answer.length === 1 && answer[0] === NO) return false;
  if (answer[0] === ERROR) throw Object.assign(new Error('connection closed'), { code: 'CONNECTION_CLOSED' });
  throw answer[0] === YES || answer[0] === NO
    ? new Failure('unencrypted data followed the answer to the TLS request', {
        kind: 'tls',
        hint: 'someone may be in between',
      })
    : notPostgres(server);
}
