// Probes. `/healthz`: the process is alive and its scheduler is woken; what restarts a process asks it. `/readyz`: Kafka is
// reached and the shards are taken. `/health`: whether the jobs do their work; what warns people asks it.
import type { Milliseconds } from '../model/units.ts';
import { reportHealth } from './health-report.ts';
import type { OperationsSource } from './operations.ts';
import { type Answer, json } from './reply.ts';
import type { Route } from './server.ts';

/** The scheduler is woken each second; not for so long means that it will not be any more. */
const STALLED_AFTER: Milliseconds = 10_000;

export function healthRoutes(source: OperationsSource): Route[] {
  return [
    { method: 'GET', path: '/healthz', access: 'open', handle: () => told(stalled(source)) },
    { method: 'GET', path: '/readyz', access: 'open', handle: () => told(notReady(source)) },
    {
      method: 'GET',
      path: '/health',
      // It holds what Postgres says of queries.
      access: 'read',
      handle: async () => {
        const report = await reportHealth(source, stalled(source));
        return json(report, report.status === 'failing' ? 503 : 200);
      },
    },
  ];
}

/** Why the scheduler has stopped; undefined while it is woken, and before it is started. */
function stalled({ lastWake }: OperationsSource): string | undefined {
  const last = lastWake();
  if (last === undefined) return undefined;
  const silence = performance.now() - last;
  return silence <= STALLED_AFTER ? undefined : `the scheduler was not woken for ${Math.round(silence / 1000)} s`;
}

function notReady(source: OperationsSource): string | undefined {
  const ledger = source.ledger();
  if (!ledger) return 'Kafka is waited for, or the ledger is being read';
  if (!ledger.available) return 'Kafka is not reached';
  const shards = ledger.shards();
  const taking = shards.filter(({ status }) => status === 'taking').length;
  if (taking > 0) return `${taking} shards are being taken`;
  if (shards.every(({ owner }) => owner === undefined)) return 'no shard is taken yet';
  return stalled(source);
}

function told(why: string | undefined): Answer {
  const type = 'text/plain; charset=utf-8';
  return why === undefined ? { type, body: 'ok\n' } : { status: 503, type, body: `${why}\n` };
}
