// Answers to the server's authentication requests (Postgres documentation, 55.2.1 Start-up). Done here so that the
// password never enters postgres.js, whose errors and options carry what they were given, and so that a request it does
// not know (GSSAPI, SSPI) is an error instead of a hang.
import { createHash } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import type { Server } from '../model/project.ts';
import { findPassword } from './password.ts';
import { type ScramExchange, startScram } from './scram.ts';

const OK = 0;
const CLEARTEXT = 3;
const MD5 = 5;
const SASL = 10;
const SASL_CONTINUE = 11;
const SASL_FINAL = 12;
const OTHER_METHODS: Readonly<Record<number, string>> = { 2: 'Kerberos', 7: 'GSSAPI', 8: 'GSSAPI', 9: 'SSPI' };

/** One login: an Authentication message's body in (it begins with the method), the message to send back out, if any. */
export type Login = (body: Buffer) => Promise<Buffer | undefined> | undefined;

/**
 * The login of one connection. The password is looked up when the server asks for one. Throws, or rejects with, a
 * Failure (authentication).
 */
export function createLogin(server: Server): Login {
  let scram: ScramExchange | undefined;
  let unverified = false;
  return (body) => {
    const method = body.readInt32BE(0);
    if (method === OK) {
      if (unverified) throw refused('the server accepted a login that it had not finished');
      return undefined;
    }
    if (method === CLEARTEXT) return Promise.resolve(passwordMessage(`${password(server)}\0`));
    if (method === MD5) return Promise.resolve(passwordMessage(`${md5Answer(server, body.subarray(4, 8))}\0`));
    if (method === SASL) {
      const mechanisms = body.toString('latin1', 4).split('\0').filter(Boolean);
      if (!mechanisms.includes('SCRAM-SHA-256')) throw unsupported(mechanisms.join(', '));
      scram = startScram(password(server));
      unverified = true;
      return Promise.resolve(saslInitialResponse('SCRAM-SHA-256', scram.first));
    }
    if (method === SASL_CONTINUE && scram) return scram.respond(body.toString('utf8', 4)).then(passwordMessage);
    if (method === SASL_FINAL && scram) {
      scram.verify(body.toString('utf8', 4));
      unverified = false;
      return undefined;
    }
    throw unsupported(OTHER_METHODS[method] ?? `method ${method}`);
  };
}

function password(server: Server): string {
  const found = findPassword(server);
  if (found.password) return found.password;
  throw refused(
    `the server asks for a password for \`${server.user}\`, and none is configured`,
    found.note ?? 'set `password`, `password_file` or `passfile` for this server',
  );
}

function md5Answer(server: Server, salt: Buffer): string {
  const inner = md5(Buffer.from(password(server) + server.user));
  return `md5${md5(Buffer.concat([Buffer.from(inner), salt]))}`;
}

function md5(data: Buffer): string {
  return createHash('md5').update(data).digest('hex');
}

/** PasswordMessage and SASLResponse are one message type, `p`. */
function passwordMessage(content: string | Buffer): Buffer {
  const body = Buffer.from(content);
  const message = Buffer.alloc(5 + body.length);
  message.write('p');
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}

function saslInitialResponse(mechanism: string, response: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(response));
  return passwordMessage(Buffer.concat([Buffer.from(`${mechanism}\0`), length, Buffer.from(response)]));
}

function unsupported(method: string): Failure {
  return refused(
    `the server asks for ${method} authentication, which pgtally does not support`,
    "allow `scram-sha-256` or `cert` for this role in the server's pg_hba.conf",
  );
}

function refused(message: string, hint?: string): Failure {
  return new Failure(message, { kind: 'authentication', ...(hint === undefined ? {} : { hint }) });
}
