// What the ledger costs and how soon it acts: a start with 500,000 records in it, a failover, a fleet with transactions next to
// the same without, and a daemon with nothing to do. `LEDGER=start,idle` picks.
import { setTimeout as sleep } from 'node:timers/promises';
import { createKafkaClient } from '../src/kafka/client.ts';
import { murmur2Partition } from '../src/kafka/murmur2.ts';
import { openRecordSink } from '../src/kafka/record-sink.ts';
import { ensureLedgerTopics } from '../src/ledger/ledger-topics.ts';
import { formatRecord, runKey, scheduledRunId } from '../src/ledger/record.ts';
import { type RunningCommand, runPgtally, startPgtally } from '../test/stack/run-pgtally.ts';
import { busySeconds, peakRss, processSeconds } from './measure.ts';
import { formatNumber, markdownTable, median, percentile, report } from './report.ts';
import { type Stage, setStage } from './stage.ts';

const RECORDS = 500_000;
const LEDGER = 'pgtally.ledger';
const SHARDS = 8;
const DAILY = `name: daily\nschedule: "@daily"\nquery: select 1 as one\ntopic: {name: DAILY, partitions: 1}\n`;

/** A part gives rows `[what, figure, unit]`. */
type Row = readonly [what: string, figure: string | number, unit: string];
const PARTS: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  start: startWithRecords,
  failover,
  cost: costOfTransactions,
  idle,
};

export async function run(): Promise<void> {
  const wanted = process.env.LEDGER?.split(',') ?? Object.keys(PARTS);
  const rows: Row[] = [];
  for (const name of wanted) {
    rows.push(...((await PARTS[name]?.()) ?? []));
    console.error(JSON.stringify(rows.at(-1)));
  }
  report('ledger', markdownTable(['what', 'figure', 'unit'], rows), rows);
}

/** From the process's start to the log's `started`, and of `pgtally status`: both read all records. */
async function startWithRecords(): Promise<Row[]> {
  const stage = await setStage({ 'daily.yaml': DAILY });
  try {
    await fillLedger(stage);
    const starts: number[] = [];
    const statuses: number[] = [];
    let rss = 0;
    for (let round = 0; round < 5; round++) {
      const began = performance.now();
      const daemon = startPgtally(['start'], { cwd: stage.project });
      await daemon.waitFor(/"msg":"started"/, 60_000);
      starts.push(performance.now() - began);
      rss = Math.max(rss, peakRss(daemon.process.pid ?? 0));
      await daemon.stop();
      const asked = performance.now();
      const { code, stderr } = await runPgtally(['status', '--json'], { cwd: stage.project });
      if (code !== 0) throw new Error(stderr);
      statuses.push(performance.now() - asked);
    }
    return [
      [`start with ${RECORDS} ledger records, median of 5`, median(starts) / 1000, 's'],
      ['of these the slowest', Math.max(...starts) / 1000, 's'],
      ['RSS at its peak', rss, 'MB'],
      ['`status` with the same, median of 5', median(statuses) / 1000, 's'],
    ];
  } finally {
    await stage.end();
  }
}

async function fillLedger(stage: Stage): Promise<void> {
  const client = createKafkaClient({ brokers: [stage.kafka.bootstrap], clientId: 'bench', compression: 'none' });
  await ensureLedgerTopics(client, { topic: LEDGER, shards: SHARDS });
  const sink = await openRecordSink(client, LEDGER);
  const slot = '2027-01-01T00:00:00Z';
  for (let n = 0; n < RECORDS; n++) {
    const job = `job-${n % 500}`;
    const server = `server-${Math.floor(n / 500)}`;
    const key = Buffer.from(runKey(job, server));
    const run = scheduledRunId({ job, server, slot: Date.parse(slot) });
    const common = { slot, run, started: slot, finished: slot, schedule: '0123abcd' };
    const text = formatRecord({ ...common, outcome: 'published', rows: 3, bytes: 100, trigger: 'schedule' });
    await sink.add({ key, value: Buffer.from(text) }, murmur2Partition(key, SHARDS));
  }
  await sink.close();
  client.close();
}

interface Published {
  readonly server: string;
  readonly at: number;
}

/** What a daemon's log says it published since `since` (epoch ms). */
function publishedBy(daemon: RunningCommand, since: number): Published[] {
  const lines = daemon
    .stderr()
    .split('\n')
    .filter((line) => line.includes('"outcome":"published"'));
  return lines
    .map((line) => JSON.parse(line) as { readonly server: string; readonly time: string })
    .map(({ server, time }) => ({ server, at: Date.parse(time) }))
    .filter(({ at }) => at >= since);
}

const fleetJob = (delivery: string): string =>
  `name: fleet\nschedule: "* * * * * *"\nquery: select i as id, 'row ' || i as word from generate_series(1, 3) i\ntopic: {name: FLEET, partitions: 8}\nkey: id\nconcurrency: 256\ndelivery: ${delivery}\n`;

const serversOf = (count: number) => ({
  maxConnections: 3 * count + 100,
  servers: (user: string, port: number) => [
    `  - {name: "s-{n}", for: {n: "1..${count}"}, url: "postgres://${user}@127.0.1.{n}:${port}/postgres"}`,
  ],
});

/** kill -9 of one of two daemons: until the other has published a slot of each server that the first one had. */
async function failover(): Promise<Row[]> {
  const stage = await setStage({ 'fleet.yaml': fleetJob('exactly_once') }, '', serversOf(40));
  const daemons = [0, 1].map(() => startPgtally(['start'], { cwd: stage.project }));
  try {
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      await sleep(10_000);
      const [doomed, survivor] = daemons;
      if (!doomed || !survivor) break;
      const had = new Set(publishedBy(doomed, Date.now() - 2500).map(({ server }) => server));
      const killed = Date.now();
      await doomed.stop('SIGKILL');
      await sleep(8000);
      const after = publishedBy(survivor, killed);
      for (const name of had) {
        const first = after.find(({ server }) => server === name);
        times.push(first ? first.at - killed : Number.POSITIVE_INFINITY);
      }
      daemons.splice(0, 2, survivor, startPgtally(['start'], { cwd: stage.project }));
    }
    return [
      [`failover after kill -9, ${times.length} (job, server)s in 5 kills, p50`, percentile(times, 0.5) / 1000, 's'],
      ['of these the slowest', Math.max(...times) / 1000, 's'],
    ];
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop('SIGKILL')));
    await stage.end();
  }
}

const FLEET = 200;
const FLEET_SECONDS = 15;

/** The same fleet exactly once and at least once, in turn: runs for a second of CPU, of pgtally and of the whole machine. */
async function costOfTransactions(): Promise<Row[]> {
  const deliveries = ['exactly_once', 'at_least_once'] as const;
  const samples = new Map<string, { own: number; machine: number; late: number }[]>();
  for (let round = 0; round < 3; round++) {
    for (const delivery of deliveries) {
      const stage = await setStage({ 'fleet.yaml': fleetJob(delivery) }, '', serversOf(FLEET));
      try {
        const daemon = startPgtally(['start'], { cwd: stage.project });
        await daemon.waitFor(/"outcome":"published"/, 30_000);
        await sleep(4000);
        const pid = daemon.process.pid ?? 0;
        const before = { own: processSeconds(pid), machine: busySeconds(), at: Date.now() };
        await sleep(FLEET_SECONDS * 1000);
        const own = processSeconds(pid) - before.own;
        const machine = busySeconds() - before.machine;
        const runs = publishedBy(daemon, before.at).filter(({ at }) => at < before.at + FLEET_SECONDS * 1000);
        await daemon.stop();
        const late = percentile(
          runs.map(({ at }) => at % 1000),
          0.5,
        );
        if (runs.length < FLEET * (FLEET_SECONDS - 1)) throw new Error(`${delivery}: only ${runs.length} runs`);
        const found = samples.get(delivery) ?? [];
        samples.set(delivery, [...found, { own: runs.length / own, machine: runs.length / machine, late }]);
      } finally {
        await stage.end();
      }
    }
  }
  const of = (delivery: string, what: 'own' | 'machine' | 'late') =>
    median((samples.get(delivery) ?? []).map((sample) => sample[what]));
  const lost = (what: 'own' | 'machine') => 100 * (1 - of('exactly_once', what) / of('at_least_once', what));
  return [
    ...deliveries.map(
      (delivery): Row => [
        `${FLEET} servers each second, ${delivery}: runs for a second of CPU of pgtally (of the machine), median of 3`,
        `${formatNumber(of(delivery, 'own'))} (${formatNumber(of(delivery, 'machine'))})`,
        '1/s',
      ],
    ),
    ...deliveries.map((delivery): Row => [`… ${delivery}: recorded after the slot, p50`, of(delivery, 'late'), 'ms']),
    ['throughput that transactions cost pgtally', lost('own'), '%'],
    ['… and the machine, broker and Postgres included', lost('machine'), '%'],
  ];
}

/** A whole daemon, its status page included, with one job a day. */
async function idle(): Promise<Row[]> {
  const stage = await setStage({ 'daily.yaml': DAILY });
  const daemon = startPgtally(['start'], { cwd: stage.project });
  try {
    await daemon.waitFor(/"msg":"started"/, 30_000);
    await sleep(5000);
    const pid = daemon.process.pid ?? 0;
    const before = processSeconds(pid);
    await sleep(30_000);
    return [['a daemon with nothing to do, over 30 s', ((processSeconds(pid) - before) / 30) * 100, '% of a core']];
  } finally {
    await daemon.stop();
    await stage.end();
  }
}
