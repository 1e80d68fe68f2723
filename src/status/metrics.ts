// `/metrics` for Prometheus. Values are handed to prom-client's registry as it asks for them: its own counters would cost each
// run ten times as much and a scrape twice, and would keep series of servers that are gone. prom-client is loaded at the first
// scrape.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import type { Sample } from './metric-definition.ts';
import type { OperationsSource } from './operations.ts';
import { PROCESS_METRICS } from './process-metrics.ts';
import { RUN_METRICS } from './run-metrics.ts';
import { type Scrape, takeScrape } from './scrape.ts';
import type { Route } from './server.ts';

/** Anybody may ask: there are names of jobs and servers in it, and nothing of errors or rows. */
export function metricsRoutes(source: OperationsSource): Route[] {
  const exposition = createExposition(source);
  return [
    {
      method: 'GET',
      path: '/metrics',
      access: 'open',
      handle: async () => {
        const { type, text } = await exposition();
        return { type, body: text };
      },
    },
  ];
}

interface Exposition {
  /** The content type of the format. */
  readonly type: string;
  readonly text: string;
}

/** Those who ask at the same time get the same answer. */
function createExposition(source: OperationsSource): () => Promise<Exposition> {
  let loading: Promise<Registry> | undefined;
  let scrape: Scrape | undefined;
  let asking: Promise<Exposition> | undefined;
  const ask = async (): Promise<Exposition> => {
    loading ??= createRegistry(() => scrape);
    const registry = await loading;
    scrape = await takeScrape(source);
    const text = await registry.metrics();
    scrape = undefined;
    return { type: registry.contentType, text };
  };
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

/** A registry whose metrics take their values from the scrape under way. */
async function createRegistry(current: () => Scrape | undefined): Promise<Registry> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const kinds = { counter: Counter, gauge: Gauge, histogram: Histogram };
  const registry = new Registry();
  for (const { name, help, type, samples } of [...RUN_METRICS, ...PROCESS_METRICS]) {
    const metric = new kinds[type]({ name, help, registers: [registry] });
    const get = async (): Promise<object> => {
      // Each in a turn of its own: all together may take 100 ms.
      await nextTurn();
      const scrape = current();
      const values = scrape ? Array.from(samples(scrape), (sample) => metricValue(name, sample)) : [];
      return { name, help, type, values, aggregator: 'sum' };
    };
    // The second is asked of histograms, and has no declaration.
    Object.assign(metric, { get, getForPromString: get });
  }
  return registry;
}

function metricValue(name: string, { labels, value, part }: Sample): object {
  return { labels, value, ...(part === undefined ? {} : { metricName: `${name}${part}` }) };
}
