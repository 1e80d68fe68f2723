// SCRAM-SHA-256 as a client (RFC 5802, RFC 7677), without channel binding. Ours rather than postgres.js's, which blocks
// the event loop for as many iterations as a server likes to ask, on every connection, and does not check the nonce.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Failure } from '../model/failure.ts';

/** Postgres's default is 4096; a million take half a second of a core. More than that is an attack or a mistake. */
const MAX_ITERATIONS = 1_000_000;
/** Derived keys kept for reconnecting without the cost of PBKDF2; a fleet's servers each have a salt of their own. */
const MAX_KEPT_KEYS = 10_000;

export interface ScramExchange {
  /** The client-first-message. */
  readonly first: string;
  /** Server-first-message in, client-final-message out. */
  respond(serverFirst: string): Promise<string>;
  /** Checks the server-final-message: that the server knows the password too. */
  verify(serverFinal: string): void;
}

/** Begins an exchange. The functions throw a Failure (authentication) when the server does not keep to the protocol. */
export function startScram(password: string, nonce: string = randomBytes(18).toString('base64')): ScramExchange {
  const firstBare = `n=,r=${nonce}`;
  let expected: Buffer | undefined;
  return {
    first: `n,,${firstBare}`,
    async respond(serverFirst) {
      const { r = '', s = '', i = '' } = attributes(serverFirst);
      const iterations = Number(i);
      if (!r.startsWith(nonce) || r.length === nonce.length) throw broken('a foreign nonce');
      if (!Number.isInteger(iterations) || iterations < 1 || s === '') throw broken('no salt or iterations');
      if (iterations > MAX_ITERATIONS) throw broken(`${iterations} iterations`);
      const { clientKey, serverKey } = await deriveKeys(password, s, iterations);
      const withoutProof = `c=biws,r=${r}`;
      const message = `${firstBare},${serverFirst},${withoutProof}`;
      const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
      expected = hmac(serverKey, message);
      return `${withoutProof},p=${xor(clientKey, signature).toString('base64')}`;
    },
    verify(serverFinal) {
      const proof = Buffer.from(attributes(serverFinal).v ?? '', 'base64');
      if (!expected || proof.length !== expected.length || !timingSafeEqual(proof, expected)) {
        throw new Failure('the server does not know the password it asked for', {
          kind: 'authentication',
          hint: 'something else answers at this address: check the host, and use `tls: {mode: verify-full}`',
        });
      }
      expected = undefined;
    },
  };
}

interface Keys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
}

const keptKeys = new Map<string, Keys>();

async function deriveKeys(password: string, salt: string, iterations: number): Promise<Keys> {
  const name = `${createHash('sha256').update(password).digest('base64')}/${salt}/${iterations}`;
  const kept = keptKeys.get(name);
  if (kept) return kept;
  const salted = await promisify(pbkdf2)(saslPrep(password), Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
  const keys = { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') };
  const oldest = keptKeys.keys().next();
  if (keptKeys.size >= MAX_KEPT_KEYS && !oldest.done) keptKeys.delete(oldest.value);
  keptKeys.set(name, keys);
  return keys;
}

/** The mapping and normalising steps of SASLprep (RFC 4013, 2.1 and 2.2), as libpq applies them to a password. */
function saslPrep(password: string): string {
  return password.replace(MAPPED_TO_NOTHING, '').replace(MAPPED_TO_SPACE, ' ').normalize('NFKC');
}

/** RFC 3454, tables B.1 and C.1.2. */
const MAPPED_TO_NOTHING =
  /\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200b|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;
const MAPPED_TO_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;

function attributes(message: string): Record<string, string> {
  return Object.fromEntries(message.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
}

function hmac(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

function xor(left: Buffer, right: Buffer): Buffer {
  return left.map((byte, index) => byte ^ (right[index] ?? 0)) as Buffer;
}

function broken(what: string): Failure {
  return new Failure(`the server's SCRAM-SHA-256 exchange is not valid: ${what}`, { kind: 'authentication' });
}
