// Probes: whether the process answers at all.
import type { Route } from './server.ts';

export function healthRoutes(): Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      access: 'open',
      handle: () => ({ type: 'text/plain; charset=utf-8', body: 'ok\n' }),
    },
  ];
}
