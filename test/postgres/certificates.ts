// Certificates made by openssl for the tests of TLS, in a folder of their own.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority with its own key: `pair` is it, `sign` makes a certificate by it. */
export interface Authority {
  readonly pair: Pair;
  /** `days` may be negative: expired. `names` as in subjectAltName: `DNS:localhost,IP:127.0.0.1`. */
  sign(name: string, options: { readonly commonName: string; readonly names?: string; readonly days?: number }): Pair;
}

/** Makes an authority in a folder. */
export function makeAuthority(folder: string, name: string): Authority {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const pairOf = (of: string): Pair => ({ cert: join(folder, `${of}.crt`), key: join(folder, `${of}.key`) });
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '3',
  );
  return {
    pair: pairOf(name),
    sign(of, { commonName, names, days = 2 }) {
      openssl('req', ...newKey, '-keyout', `${of}.key`, '-out', `${of}.csr`, '-subj', `/CN=${commonName}`);
      writeFileSync(join(folder, `${of}.ext`), names === undefined ? '' : `subjectAltName=${names}\n`);
      const by = ['-CA', `${name}.crt`, '-CAkey', `${name}.key`, '-CAcreateserial'];
      openssl(
        'x509',
        '-req',
        '-in',
        `${of}.csr`,
        '-out',
        `${of}.crt`,
        ...by,
        '-days',
        String(days),
        '-extfile',
        `${of}.ext`,
      );
      return pairOf(of);
    },
  };
}

/** Puts a pair where a Postgres reads it as its own: its key may be read by nobody else. */
export function installPair(pair: Pair, to: Pair): void {
  copyFileSync(pair.cert, to.cert);
  copyFileSync(pair.key, to.key);
  chmodSync(to.cert, 0o644);
  chmodSync(to.key, 0o600);
  if (process.getuid?.() === 0) {
    chownSync(to.cert, 65_534, 65_534);
    chownSync(to.key, 65_534, 65_534);
  }
}
