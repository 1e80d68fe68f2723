// Free TCP ports for servers that must know their port before they start.

import { createServer } from 'node:net';

/**
 * `count` ports that could be bound on every address a moment ago. They lie below the range from which systems take the
 * ports of outgoing connections (32768 upwards), so that only another server can take one before it is bound; who starts
 * a server tries again with other ports when it cannot bind.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await canBind(port)) ports.add(port);
  }
  return [...ports];
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
