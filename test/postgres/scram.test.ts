import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startScram } from '../../src/postgres/scram.ts';

const nonce = 'rOprNGfwEbeRWgbNEkqO';
const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';

/** The server's side of RFC 5802, written from its formulas. */
function serverSide(password: string, clientFinal: string) {
  const salted = pbkdf2Sync(password, Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096, 32, 'sha256');
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const [withoutProof = '', proof = ''] = clientFinal.split(',p=');
  const message = `n=,r=${nonce},${serverFirst},${withoutProof}`;
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  const signature = hmac(storedKey, message);
  const clientKey = Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0));
  return {
    accepts: createHash('sha256').update(clientKey).digest().equals(storedKey),
    final: `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`,
  };
}

describe('SCRAM-SHA-256', () => {
  test('proves the password and checks the proof of the server', async () => {
    for (const password of ['pencil', 'pencil', 'pass:word,=é', 'x'.repeat(500)]) {
      const exchange = startScram(password, nonce);
      expect(exchange.first).toBe(`n,,n=,r=${nonce}`);
      const server = serverSide(password, await exchange.respond(serverFirst));
      expect(server.accepts).toBe(true);
      expect(() => exchange.verify(server.final)).not.toThrow();
    }
  });

  test('proves nothing with another password', async () => {
    expect(serverSide('pencil', await startScram('pencils', nonce).respond(serverFirst)).accepts).toBe(false);
  });

  test('refuses a server that does not know the password', async () => {
    const exchange = startScram('pencil', nonce);
    await exchange.respond(serverFirst);
    expect(() => exchange.verify(serverSide('guess', 'c=biws,p=').final)).toThrow(/does not know the password/);
    expect(() => exchange.verify('e=other-error')).toThrow(/does not know the password/);
  });

  test('refuses a foreign nonce, a missing salt, and iterations that would block for minutes', async () => {
    const respond = (message: string) => startScram('pencil', nonce).respond(message);
    await expect(respond('r=other,s=AAAA,i=4096')).rejects.toMatchObject({ kind: 'authentication' });
    await expect(respond(`r=${nonce},s=AAAA,i=4096`)).rejects.toMatchObject({ kind: 'authentication' });
    await expect(respond(`r=${nonce}x,s=,i=4096`)).rejects.toMatchObject({ kind: 'authentication' });
    await expect(respond(`r=${nonce}x,s=AAAA,i=2147483647`)).rejects.toThrow('2147483647 iterations');
    await expect(respond(`r=${nonce}x,s=AAAA,i=none`)).rejects.toMatchObject({ kind: 'authentication' });
  });
});
