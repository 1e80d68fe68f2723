// What the publishing benchmarks share: servers, a table, topics, and a project that publishes it.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { buildCommand } from '../test/stack/command.ts';
import { type KafkaNode, startKafka } from '../test/stack/kafka-broker.ts';
import { type PostgresServer, startPostgres } from '../test/stack/postgres-server.ts';
import { REPOSITORY } from '../test/stack/repository.ts';
import { runPgtally } from '../test/stack/run-pgtally.ts';

export interface Stage {
  readonly kafka: KafkaNode;
  readonly postgres: PostgresServer;
  /** The folder of the project that `pgtally` is run in. */
  readonly project: string;
  /** For psql: PGHOST and its like. */
  readonly env: Readonly<Record<string, string>>;
  /** The command line of pgtally as installed. */
  readonly pgtally: string;
  sql(text: string): Promise<void>;
  end(): Promise<void>;
}

/**
 * What Kafka's start scripts give its JVM: KAFKA_JVM_PERFORMANCE_OPTS of bin/kafka-run-class.sh, and of KAFKA_HEAP_OPTS of
 * bin/kafka-server-start.sh what is not said by `memory`.
 */
const AS_INSTALLED = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Xms1g',
];

/**
 * `config` of a topic whose records nobody reads: they go soon, so that the broker writes into memory it had before. While the
 * page cache only grows, the same run takes a fifth longer after some 4 GB, probably because a virtual machine gets its memory
 * from its host page by page.
 */
export const SHORT_LIVED = '{segment.bytes: "33554432", retention.bytes: "1", file.delete.delay.ms: "1000"}';

export interface StageOptions {
  /** Of Postgres. */
  readonly maxConnections?: number;
  /** Items of `servers` in pgtally.yaml: more than the one server of most benchmarks. */
  readonly servers?: (user: string, port: number) => readonly string[];
  /**
   * `as installed`: its JVM compiles as that of a broker people have, which takes some millions of records. Default: as in tests,
   * with the first compiler alone. It is as good as it gets within seconds, so a few records a second find no broker that is
   * still compiling, as they would not find one that has run for days.
   */
  readonly broker?: 'as installed';
}

/** Starts both servers with room for large loads and writes a project with these jobs (file name → text). */
export async function setStage(
  jobs: Readonly<Record<string, string>>,
  settings = '',
  options: StageOptions = {},
): Promise<Stage> {
  await buildCommand();
  const [kafka, server] = await Promise.all([
    startKafka({
      memory: 1024,
      ...(options.broker === 'as installed' ? { jvmFlags: AS_INSTALLED } : {}),
      properties: {
        'log.segment.bytes': 1_073_741_824,
        // For `SHORT_LIVED`: the broker looks every five minutes otherwise.
        'log.initial.task.delay.ms': 1000,
        'log.retention.check.interval.ms': 2000,
        // The broker's default, which tests set to 0: nothing of ours waits for it.
        'group.initial.rebalance.delay.ms': 3000,
      },
    }),
    startPostgres({ configuration: "shared_buffers = '512MB'\n", maxConnections: options.maxConnections ?? 100 }),
  ]);
  const project = mkdtempSync(join(tmpdir(), 'pgtally-bench-'));
  mkdirSync(join(project, 'jobs'));
  const url = `postgres://${server.user}@127.0.0.1:${server.port}/postgres`;
  const servers = options.servers?.(server.user, server.port) ?? [`  - {name: bench, url: "${url}"}`];
  const text = `kafka:\n  brokers: ["${kafka.bootstrap}"]\n  compression: \${COMPRESSION:-none}\nstatus: {listen: "127.0.0.1:0"}\n${settings}servers:\n${servers.join('\n')}\n`;
  writeFileSync(join(project, 'pgtally.yaml'), text);
  for (const [name, text] of Object.entries(jobs)) writeFileSync(join(project, 'jobs', name), text);
  const created = await runPgtally(['topics', 'create'], { cwd: project });
  if (created.code !== 0) throw new Error(created.stderr);
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  return {
    kafka,
    postgres: server,
    project,
    env: { PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: server.user, PGDATABASE: 'postgres' },
    pgtally: `node ${join(REPOSITORY, 'dist', 'bin.js')} -c ${join(project, 'pgtally.yaml')}`,
    async sql(text) {
      await sql.unsafe(text);
    },
    async end() {
      await sql.end();
      await Promise.allSettled([kafka.discard(), server.discard()]);
    },
  };
}
