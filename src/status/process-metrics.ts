// Metrics of servers and of the process itself.
import process from 'node:process';
import type { MetricDefinition } from './metric-definition.ts';
import type { Scrape } from './scrape.ts';
import { type ShardOwners, shardOwners } from './shard-owners.ts';

export const PROCESS_METRICS: readonly MetricDefinition[] = [
  {
    name: 'pgtally_server_up',
    type: 'gauge',
    help: '1 when the last attempt reached the server, 0 when it did not; not while series carry no servers.',
    *samples({ servers, perServer }) {
      if (!perServer) return;
      for (const [server, reached] of servers) yield { labels: { server }, value: reached ? 1 : 0 };
    },
  },
  {
    name: 'pgtally_servers',
    type: 'gauge',
    help: 'Servers on which this process runs jobs, by whether the last attempt reached them.',
    *samples({ servers }) {
      const up = [...servers.values()].filter(Boolean).length;
      yield { labels: { state: 'up' }, value: up };
      yield { labels: { state: 'down' }, value: servers.size - up };
    },
  },
  {
    name: 'pgtally_kafka_up',
    type: 'gauge',
    help: '1 while Kafka is reached; nothing is dispatched while it is not.',
    samples: ({ source }) => [{ labels: {}, value: source.ledger()?.available === true ? 1 : 0 }],
  },
  {
    name: 'pgtally_shards_owned',
    type: 'gauge',
    help: 'Shards of the ledger that this process owns.',
    samples: (scrape) => [{ labels: {}, value: owners(scrape).owned }],
  },
  {
    name: 'pgtally_shards_unowned',
    type: 'gauge',
    help: 'Shards of the ledger that no replica owns: their jobs do not run.',
    samples: (scrape) => [{ labels: {}, value: owners(scrape).unowned }],
  },
  {
    name: 'pgtally_shards',
    type: 'gauge',
    help: 'Shards of the ledger.',
    samples: (scrape) => [{ labels: {}, value: owners(scrape).total }],
  },
  {
    name: 'pgtally_replicas',
    type: 'gauge',
    help: 'Replicas that this process hears, itself included.',
    samples: ({ source }) => [
      { labels: {}, value: (source.ledger()?.replicas() ?? []).filter(({ heard }) => heard).length },
    ],
  },
  {
    name: 'pgtally_build_info',
    type: 'gauge',
    help: '1; the labels say what runs.',
    samples: ({ source }) => [{ labels: { version: source.version, node: process.version }, value: 1 }],
  },
  {
    name: 'pgtally_event_loop_active_seconds_total',
    type: 'counter',
    help: 'Seconds in which the event loop was not idle: near 1 a second is the limit of one process.',
    samples: () => [{ labels: {}, value: performance.eventLoopUtilization().active / 1000 }],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the process started.',
    samples: () => [{ labels: {}, value: performance.timeOrigin / 1000 }],
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'Processor time, user and system.',
    samples() {
      const { user, system } = process.cpuUsage();
      return [{ labels: {}, value: (user + system) / 1e6 }];
    },
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory.',
    samples: () => [{ labels: {}, value: process.memoryUsage.rss() }],
  },
];

function owners({ source }: Scrape): ShardOwners {
  return shardOwners(source.ledger(), source.project().ledger.shards);
}
