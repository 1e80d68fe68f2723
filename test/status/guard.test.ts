import { describe, expect, test } from 'vitest';
import { type Access, type AskedWith, createGuard } from '../../src/status/guard.ts';

const LOCAL = { listen: '127.0.0.1:8087', token: 'secret', hosts: ['pgtally.internal'] };
const asked = (more: Partial<AskedWith> = {}): AskedWith => ({
  host: '127.0.0.1:8087',
  origin: undefined,
  authorization: undefined,
  ...more,
});
const status = (settings: Parameters<typeof createGuard>[0], access: Access, more: Partial<AskedWith> = {}) =>
  createGuard(settings)(access, asked(more))?.status ?? 200;

describe('who may ask for what', () => {
  test.each([
    ['127.0.0.1:8087', 200],
    ['localhost:8087', 200],
    ['LOCALHOST', 200],
    ['[::1]:8087', 200],
    ['10.1.2.3:8087', 200],
    ['pgtally.internal', 200],
    ['pgtally.internal:443', 200],
    ['evil.example', 403],
    ['localhost.evil.example:8087', 403],
    ['127.0.0.1.evil.example', 403],
    ['pgtally.internal.evil.example', 403],
    ['user@localhost', 403],
    ['', 403],
    [undefined, 403],
  ])('a request for the host %j is answered %i', (host, expected) => {
    for (const access of ['page', 'read'] as const) expect(status(LOCAL, access, { host })).toBe(expected);
    expect(status(LOCAL, 'open', { host })).toBe(200);
  });

  test.each([
    [undefined, 200],
    ['http://127.0.0.1:8087', 200],
    ['https://pgtally.internal', 200],
    ['http://127.0.0.1:8088', 403],
    ['http://localhost:8087', 403],
    ['https://evil.example', 403],
    ['null', 403],
    ['file://', 403],
    ['https://pgtally.internal.evil.example', 403],
  ])('a request from the origin %j is answered %i', (origin, expected) => {
    expect(status(LOCAL, 'page', { origin })).toBe(expected);
    expect(status(LOCAL, 'action', { origin, authorization: 'Bearer secret' })).toBe(expected);
  });

  test('behind a proxy that ends TLS the origin has the host of the request', () => {
    const through = { host: 'pgtally.internal', origin: 'https://pgtally.internal' };
    expect(status({ ...LOCAL, listen: '0.0.0.0:8087' }, 'page', through)).toBe(200);
  });

  test.each([
    ['Bearer secret', 200],
    ['bearer secret', 200],
    ['Bearer  secret ', 200],
    ['Bearer Secret', 401],
    ['Bearer secret2', 401],
    ['Bearer ', 401],
    ['Basic secret', 401],
    ['secret', 401],
    [undefined, 401],
  ])('an action with the authorization %j is answered %i', (authorization, expected) => {
    expect(status(LOCAL, 'action', { authorization })).toBe(expected);
  });

  test('without a configured token every action is off, whatever is sent, and says how to turn it on', () => {
    const guard = createGuard({ listen: '127.0.0.1:8087', hosts: [] });
    for (const authorization of [undefined, 'Bearer ', 'Bearer undefined']) {
      const refusal = guard('action', asked({ authorization }));
      expect(refusal).toMatchObject({ status: 403, hint: expect.stringContaining('status.token') });
    }
    expect(guard('read', asked())).toBeUndefined();
  });

  test('what is reached from other machines is read with the token only, except the page itself and probes', () => {
    const open = { ...LOCAL, listen: '0.0.0.0:8087' };
    expect(status(open, 'read')).toBe(401);
    expect(status(open, 'read', { authorization: 'Bearer secret' })).toBe(200);
    expect(status(open, 'page')).toBe(200);
    expect(status(open, 'open')).toBe(200);
    expect(status(LOCAL, 'read')).toBe(200);
  });
});
