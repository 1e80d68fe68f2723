// Servers as the project's files would name them, for connecting to the test servers.
import type { Server } from '../../src/model/project.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
}

/** A target with no TLS unless it is overridden. */
export function targetAt(address: Address, database: string, overrides: Partial<Server> = {}): Server {
  const { host, port, user, password } = address;
  return {
    name: 'test-server',
    host,
    port,
    user,
    database,
    ...(password ? { password: { value: password } } : {}),
    parameters: {},
    tls: { mode: 'disable' },
    labels: {},
    declared: { value: 'test-server', file: { path: 'pgtally.yaml', text: '' }, span: { start: 0, end: 0 } },
    ...overrides,
  };
}
