// Replicas as processes of their own over one ledger, the faults they are given, and the count of what they published: each
// (job, slot, row) as Kafka's Java client reads it, read_committed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKafkaClient } from '../../../src/kafka/client.ts';
import { newCluster } from '../../../src/kafka/cluster.ts';
import { createTopic } from '../../../src/kafka/topics.ts';
import { ensureLedgerTopics } from '../../../src/ledger/ledger-topics.ts';
import { readTopic } from '../../stack/for-tests.ts';
import { guardedCommand } from '../../stack/guard.ts';
import { REPOSITORY } from '../../stack/repository.ts';
import { type ReplicaEvent, type ReplicaOptions, ROWS_OF_A_RUN, ROWS_OF_A_STREAM, STREAM_PERIOD } from './replica.ts';

export interface FleetOptions {
  readonly bootstrap: string;
  /** Of a broker that no fault reaches, for counting. Default: `bootstrap`. */
  readonly directBootstrap?: string;
  readonly shards: number;
  readonly jobs: number;
  readonly streams: number;
  /** How many seconds of slots. */
  readonly seconds: number;
}

export interface Replica {
  readonly name: string;
  readonly process: ChildProcess;
  readonly alive: boolean;
  readonly events: readonly ReplicaEvent[];
  /** Resolves when it told of its fault. */
  readonly faulted: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

export interface Count {
  readonly expected: number;
  readonly missing: readonly string[];
  readonly doubled: readonly string[];
  /** Runs of which some rows are visible and some are not. */
  readonly partial: readonly string[];
  readonly unexpected: readonly string[];
}

export interface Fleet {
  start(fields?: Partial<ReplicaOptions>): Replica;
  readonly replicas: readonly Replica[];
  /** Names of topics: the ledger, and where rows go. */
  readonly ledger: string;
  readonly rows: string;
  /** Seconds of the epoch. */
  readonly from: number;
  readonly until: number;
  /** Waits until the last slot is past and every run was published, or none for `quiet` ms; then stops all replicas. */
  finish(quiet?: number): Promise<void>;
  count(): Promise<Count>;
  /** When each run was published first, by `job slot`. */
  published(): ReadonlyMap<string, { readonly at: number; readonly shard: number; readonly by: string }>;
}

const OUTPUT = join(REPOSITORY, '.cache', 'replica-js');
const COMPILE =
  '--noCheck --target es2022 --module nodenext --rewriteRelativeImportExtensions --skipLibCheck --types node';
let compiled = false;

/** The replica's program with what it imports, compiled once a run of the tests. */
function compile(): string {
  const program = ['test', 'faults', 'ledger', 'replica'];
  if (!compiled) {
    const tsc = join(REPOSITORY, 'node_modules', '.bin', 'tsc');
    const source = `${join(REPOSITORY, ...program)}.ts`;
    execFileSync(tsc, [...COMPILE.split(' '), '--ignoreConfig', '--rootDir', REPOSITORY, '--outDir', OUTPUT, source], {
      cwd: REPOSITORY,
      stdio: 'inherit',
    });
    compiled = true;
  }
  return `${join(OUTPUT, ...program)}.js`;
}

let fleets = 0;

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const program = compile();
  const direct = options.directBootstrap ?? options.bootstrap;
  const client = createKafkaClient({ brokers: direct.split(','), clientId: 'fleet', compression: 'none' });
  const ledger = `fleet-${process.pid}-${Date.now()}-${fleets++}.ledger`;
  const rows = `${ledger}.rows`;
  await ensureLedgerTopics(client, { topic: ledger, shards: options.shards });
  const cluster = newCluster(client);
  const { brokers } = await cluster.metadata([]);
  const replication = Math.min(3, brokers.length);
  await createTopic(cluster, {
    name: rows,
    partitions: 4,
    replication,
    config: replication === 3 ? { 'min.insync.replicas': '2' } : {},
  });
  cluster.close();
  client.close();
  const from = Math.ceil(Date.now() / 1000 / STREAM_PERIOD + 0.5) * STREAM_PERIOD;
  const until = from + options.seconds - 1;
  const replicas: Replica[] = [];

  const start = (fields: Partial<ReplicaOptions> = {}): Replica => {
    const { bootstrap, shards, jobs, streams } = options;
    const name = fields.name ?? `replica-${replicas.length}`;
    const replica = startReplica(program, {
      name,
      bootstrap,
      ledger,
      shards,
      rows,
      jobs,
      streams,
      from,
      until,
      ...fields,
    });
    replicas.push(replica);
    return replica;
  };

  const expected = (): Map<string, number> => {
    const runs = new Map<string, number>();
    for (let job = 0; job < options.jobs; job++) {
      for (let slot = from; slot <= until; slot++) runs.set(`small-${job} ${slot}`, ROWS_OF_A_RUN);
    }
    for (let job = 0; job < options.streams; job++) {
      for (let slot = from; slot <= until; slot += STREAM_PERIOD) runs.set(`large-${job} ${slot}`, ROWS_OF_A_STREAM);
    }
    return runs;
  };

  const published: Fleet['published'] = () => {
    const first = new Map<string, { at: number; shard: number; by: string }>();
    const events = replicas.flatMap(({ name, events: told }) => told.map((event) => ({ ...event, by: name })));
    for (const event of events.sort((a, b) => a.at - b.at)) {
      if (event.event !== 'published') continue;
      const run = `${event.job} ${event.slot}`;
      if (!first.has(run)) first.set(run, { at: event.at, shard: event.shard, by: event.by });
    }
    return first;
  };

  return {
    start,
    replicas,
    ledger,
    rows,
    from,
    until,
    async finish(quiet = 8000) {
      await sleep(Math.max(0, until * 1000 + 200 - Date.now()));
      const runs = expected().size;
      const began = Date.now();
      for (;;) {
        const told = [...published().values()];
        const last = Math.max(began, ...told.map(({ at }) => at));
        // A run whose publisher died before it told is in the topic all the same: the count decides.
        if (told.length === runs || Date.now() - last > quiet) break;
        await sleep(100);
      }
      for (const replica of replicas) replica.kill('SIGTERM');
      await Promise.all(replicas.map(({ ended }) => Promise.race([ended, sleep(15_000)])));
      for (const replica of replicas) if (replica.alive) replica.kill('SIGKILL');
      await Promise.all(replicas.map(({ ended }) => ended));
      // For looking into what happened.
      const file = process.env.PGTALLY_FAULT_LOG;
      const all = replicas.flatMap(({ name, events }) => events.map((event) => ({ replica: name, ...event })));
      if (file)
        writeFileSync(
          file,
          all
            .sort((a, b) => a.at - b.at)
            .map((event) => `${JSON.stringify(event)}\n`)
            .join(''),
        );
    },
    async count() {
      const values = (await readTopic(rows, { bootstrap: direct })).map(({ value }) => value?.toString() ?? '');
      return countRows(values, expected());
    },
    published,
  };
}

/** Compares rows `job slot row writer` with how many rows each run is to have. */
export function countRows(values: readonly string[], expected: ReadonlyMap<string, number>): Count {
  const times = new Map<string, number>();
  const rowsOfRun = new Map<string, number>();
  for (const value of values) {
    const [job, slot, row] = value.split(' ');
    const run = `${job} ${slot}`;
    const name = `${run} ${row}`;
    if (!times.has(name)) rowsOfRun.set(run, (rowsOfRun.get(run) ?? 0) + 1);
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  return {
    expected: expected.size,
    missing: [...expected.keys()].filter((run) => !rowsOfRun.has(run)),
    doubled: [...times].filter(([, count]) => count > 1).map(([name]) => name),
    partial: [...rowsOfRun]
      .filter(([run, count]) => expected.has(run) && expected.get(run) !== count)
      .map(([run]) => run),
    unexpected: [...rowsOfRun.keys()].filter((run) => !expected.has(run)),
  };
}

/** What a count must be, whatever was killed. */
export const NOTHING_LOST = { missing: [], doubled: [], partial: [], unexpected: [] };

function startReplica(program: string, options: ReplicaOptions): Replica {
  const guarded = guardedCommand(process.execPath, [program], 'KILL');
  const child = spawn(guarded.command, guarded.args, {
    env: { ...process.env, REPLICA: JSON.stringify(options) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const events: ReplicaEvent[] = [];
  let faulted!: () => void;
  const hasFaulted = new Promise<void>((resolve) => {
    faulted = resolve;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as ReplicaEvent;
    events.push(event);
    if (event.event === 'fault') faulted();
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      guarded.forget(child);
      resolve();
    });
  });
  return {
    name: options.name,
    process: child,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    events,
    faulted: hasFaulted,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}
