// One replica as a process of its own, for tests that kill, freeze and restart it: a real ledger, and runs that only make rows.
// Started by fleet.ts, which gives it what to do as JSON and reads what it did as lines of JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import { createKafkaClient } from '../../../src/kafka/client.ts';
import { encodeRecords } from '../../../src/kafka/record-batch.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import type { ProtocolStep } from '../../../src/ledger/steps.ts';
import type { LedgerRecord } from '../../../src/model/run.ts';

export interface ReplicaOptions {
  readonly name: string;
  readonly bootstrap: string;
  readonly ledger: string;
  readonly shards: number;
  /** Where rows go; 4 partitions. */
  readonly rows: string;
  /** Small jobs: two rows for each second from `from` to `until`. */
  readonly jobs: number;
  /** Jobs that stream 400 rows every 3 s. */
  readonly streams: number;
  /** A job more, that publishes one row a second to this topic. */
  readonly oddTopic?: string;
  /** Seconds of the epoch. */
  readonly from: number;
  readonly until: number;
  /** Sends itself this signal when it comes to a step for the nth time. */
  readonly fault?: {
    readonly step: ProtocolStep;
    readonly nth: number;
    readonly signal: 'SIGKILL' | 'SIGSTOP';
    readonly delay: number;
  };
  /** Without transactions, and so without fencing. */
  readonly unfenced?: boolean;
  /** The process's clock is wrong by so many ms: in all but when slots are due, which the test needs. */
  readonly heartbeatClock?: number;
}

/** What a replica tells: a line of JSON each. */
export type ReplicaEvent =
  | {
      readonly event: 'log';
      readonly at: number;
      readonly level: string;
      readonly message: string;
      readonly fields: Record<string, unknown>;
    }
  | {
      readonly event: 'published';
      readonly at: number;
      readonly job: string;
      readonly slot: number;
      readonly shard: number;
    }
  | { readonly event: 'fault'; readonly at: number; readonly step: string };

export const ROWS_OF_A_RUN = 2;
export const ROWS_OF_A_STREAM = 400;
export const STREAM_PERIOD = 3;
const PARTITIONS = 4;

async function main(options: ReplicaOptions): Promise<void> {
  const trueNow = Date.now;
  if (options.heartbeatClock) Date.now = () => trueNow() + (options.heartbeatClock ?? 0);
  const tell = (event: Record<string, unknown>) =>
    process.stdout.write(`${JSON.stringify({ at: trueNow(), ...event })}\n`);
  const client = createKafkaClient({
    brokers: options.bootstrap.split(','),
    clientId: options.name,
    compression: 'none',
  });
  let seen = 0;
  const ledger = createLedger({
    client,
    settings: { topic: options.ledger, shards: options.shards },
    self: options.name,
    longestTimeout: 5000,
    delivery: options.unfenced ? 'at_least_once' : 'exactly_once',
    log: (level, message, fields) => tell({ event: 'log', level, message, fields }),
    onStep: async (step) => {
      const { fault } = options;
      if (step !== fault?.step || ++seen !== fault.nth) return;
      if (fault.delay > 0) await sleep(fault.delay);
      tell({ event: 'fault', step });
      process.kill(process.pid, fault.signal);
    },
  });
  const running = new Set<string>();
  const small = Array.from({ length: options.jobs }, (_, n) => `small-${n}`);
  const large = Array.from({ length: options.streams }, (_, n) => `large-${n}`);

  const rowsOf = (job: string, slot: number, from: number, to: number) => {
    const byPartition = new Map<number, { key: Buffer; value: Buffer }[]>();
    for (let row = from; row < to; row++) {
      const partition = row % PARTITIONS;
      const record = { key: Buffer.from(job), value: Buffer.from(`${job} ${slot} ${row} ${options.name}`) };
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), record]);
    }
    return [...byPartition].map(([partition, records]) => encodeRecords(partition, records));
  };
  const recordOf = (slot: number): LedgerRecord => {
    const instant = new Date(slot * 1000).toISOString().replace('.000Z', 'Z');
    const now = new Date().toISOString();
    return {
      slot: instant,
      outcome: 'published',
      rows: 2,
      bytes: 0,
      run: options.name,
      trigger: 'schedule',
      started: now,
      finished: now,
      schedule: 'each second',
    };
  };
  const nextOf = (job: string, period: number): number => {
    const last = ledger.last(job, 's');
    const first = Math.ceil(options.from / period) * period;
    return last ? Date.parse(last.slot) / 1000 + period : first;
  };
  const run = async (job: string, slot: number): Promise<void> => {
    await sleep(Math.random() < 0.05 ? 300 : Math.random() * 20);
    const batches = rowsOf(job, slot, 0, ROWS_OF_A_RUN);
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    const result = await ledger
      .committer(job, 's')
      .commit({ job, server: 's', rows: { topic: options.rows, batches, bytes }, records: [recordOf(slot)] });
    if (result.status === 'committed') tell({ event: 'published', job, slot, shard: ledger.shardOf(job, 's') });
    else
      tell({
        event: 'log',
        level: 'info',
        message: result.status,
        fields: { job, slot, error: result.failure.message },
      });
  };
  const runOdd = async (job: string, slot: number): Promise<void> => {
    const batches = [
      encodeRecords(0, [{ key: Buffer.from(job), value: Buffer.from(`${job} ${slot} 0 ${options.name}`) }]),
    ];
    const rows = { topic: options.oddTopic ?? '', batches, bytes: 100 };
    const result = await ledger.committer(job, 's').commit({ job, server: 's', rows, records: [recordOf(slot)] });
    // As the daemon does: a slot that cannot be published now is looked at again a second later.
    if (result.status === 'committed') return;
    tell({ event: 'log', level: 'info', message: result.status, fields: { job, slot, error: result.failure.message } });
    await sleep(1000);
  };
  const stream = async (job: string, slot: number): Promise<void> => {
    const open = await ledger.committer(job, 's').openStream({ job, server: 's', topic: options.rows, timeout: 5000 });
    try {
      for (let part = 0; part < 4; part++) {
        await open.send(rowsOf(job, slot, (part * ROWS_OF_A_STREAM) / 4, ((part + 1) * ROWS_OF_A_STREAM) / 4));
        await sleep(Math.random() * 150);
      }
    } catch (error) {
      await open.abort();
      throw error;
    }
    const result = await open.commit([recordOf(slot)]);
    if (result.status === 'committed') tell({ event: 'published', job, slot, shard: ledger.shardOf(job, 's') });
    else
      tell({
        event: 'log',
        level: 'info',
        message: result.status,
        fields: { job, slot, error: result.failure.message },
      });
  };
  const startDue = (job: string, period: number, work: (job: string, slot: number) => Promise<void>): void => {
    if (running.has(job) || !ledger.owns(job, 's')) return;
    const slot = nextOf(job, period);
    if (slot > options.until || slot * 1000 > trueNow()) return;
    const ended = ledger.begin(job, 's');
    if (!ended) return;
    running.add(job);
    void work(job, slot)
      .catch((error: unknown) =>
        tell({ event: 'log', level: 'info', message: 'run failed', fields: { job, slot, error: String(error) } }),
      )
      .finally(() => {
        running.delete(job);
        ended();
      });
  };

  await ledger.start();
  const timer = setInterval(() => {
    if (!ledger.available) return;
    for (const job of small) startDue(job, 1, run);
    for (const job of large) startDue(job, STREAM_PERIOD, stream);
    if (options.oddTopic) startDue('odd', 1, runOdd);
  }, 20);
  process.once('SIGTERM', () => {
    void ledger.stop().then(() => {
      clearInterval(timer);
      client.close();
    });
  });
}

if (process.env.REPLICA) await main(JSON.parse(process.env.REPLICA) as ReplicaOptions);
