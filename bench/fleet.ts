// A fleet on one machine: every loopback address of one Postgres is a server of its own. All are due at the same instant, and
// how late the rows of each can be read is measured by kcat, which reads committed rows only.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { startPgtally } from '../test/stack/run-pgtally.ts';
import { measure, peakRss, processSeconds } from './measure.ts';
import { markdownTable, percentile, report } from './report.ts';
import { setStage } from './stage.ts';

interface Plan {
  readonly servers: number;
  /** Seconds between slots. */
  readonly every: number;
  readonly slots: number;
  /** Servers that accept and never answer, and servers that refuse, beside the others. */
  readonly hanging?: number;
  readonly refusing?: number;
}

const PLANS: readonly Plan[] = [
  { servers: 10, every: 10, slots: 6 },
  { servers: 100, every: 10, slots: 6 },
  { servers: 1000, every: 10, slots: 6 },
  { servers: 1000, every: 10, slots: 6, hanging: 200, refusing: 10 },
  { servers: 5000, every: 60, slots: 2 },
];
const PER_RANGE = 250;
const ROWS = 3;
/** Milliseconds after the first run: with a burst each ten seconds the broker's JVM takes that long to compile. */
const WARM_UP = 85_000;

/** By server: the rows seen of one slot, and how late the last of them was in milliseconds. */
type LagsOfSlot = Map<string, { readonly rows: number; readonly lag: number }>;

export async function run(): Promise<void> {
  const wanted = process.env.FLEET?.split(',').map(Number);
  const rows: (string | number)[][] = [];
  const data: unknown[] = [];
  for (const plan of PLANS.filter(({ servers }) => !wanted || wanted.includes(servers))) {
    const result = await runPlan(plan);
    data.push({ plan, ...result });
    rows.push([
      `${plan.servers}${plan.hanging ? ` + ${plan.hanging} hanging, ${plan.refusing} refusing` : ''}`,
      `${plan.every} s`,
      result.missing === 0 && result.doubled === 0
        ? 'once'
        : `${result.missing} missing, ${result.doubled} doubled, ${result.skipped} skip records`,
      result.lag.p50,
      result.lag.p99,
      result.lag.max,
      result.cpu,
      result.rss,
      result.connections,
      result.transactions,
    ]);
    console.error(JSON.stringify(rows.at(-1)));
  }
  const header = [
    'servers',
    'every',
    'each slot',
    'lag p50 ms',
    'p99',
    'max',
    'CPU s',
    'RSS MB',
    'connections',
    'transactions/s',
  ];
  if (!wanted || wanted.includes(0)) {
    const loop = await runShellLoop({ servers: 1000, every: 10, slots: 6 });
    data.push(loop);
    rows.push(loop.row);
    console.error(JSON.stringify(loop.row));
  }
  report('fleet', markdownTable(header, rows), data);
}

async function runPlan(plan: Plan) {
  const blackHole = await acceptAndSaySilent();
  const { port } = blackHole.address() as { port: number };
  const job = `name: fleet
schedule: ${plan.every === 60 ? '"0 * * * * *"' : `"*/${plan.every} * * * * *"`}
query: select i as id, 'row ' || i as word from generate_series(1, ${ROWS}) i
topic: {name: FLEET, partitions: 8}
key: id
concurrency: 256
`;
  const stage = await setStage({ 'fleet.yaml': job }, 'limits: {concurrency: 256, connections: 6000, keep: 65s}\n', {
    maxConnections: plan.servers + 100,
    broker: 'as installed',
    servers: (user, pgPort) => [
      `  - {name: "s-{a}-{b}", for: {a: "1..${Math.ceil(plan.servers / PER_RANGE)}", b: "1..${Math.min(plan.servers, PER_RANGE)}"}, url: "postgres://${user}@127.0.{a}.{b}:${pgPort}/postgres"}`,
      ...(plan.hanging
        ? [`  - {name: "hang-{n}", for: {n: "1..${plan.hanging}"}, url: "postgres://u@127.0.0.1:${port}/d"}`]
        : []),
      ...(plan.refusing
        ? [`  - {name: "dead-{n}", for: {n: "1..${plan.refusing}"}, url: "postgres://u@127.0.0.1:1/d"}`]
        : []),
    ],
  });
  const reader = readLags(stage.kafka.bootstrap, 'FLEET');
  try {
    const daemon = startPgtally(['start'], { cwd: stage.project, env: { UV_THREADPOOL_SIZE: '4' } });
    const pid = daemon.process.pid ?? 0;
    await daemon.waitFor(/"outcome":"published"/, 130_000);
    // The first slots open the connections and warm the broker up; the figures are of the slots after them.
    await sleep(Math.max(WARM_UP, plan.every * 1500));
    const firstSlot = Math.ceil(Date.now() / (plan.every * 1000)) * plan.every * 1000;
    const before = processSeconds(pid);
    const offsetsBefore = ledgerOffsets(stage.kafka.bootstrap);
    const began = Date.now();
    await sleep(firstSlot + plan.slots * plan.every * 1000 - plan.every * 400 - Date.now());
    const cpu = processSeconds(pid) - before;
    // Each transaction ends with a marker in the ledger's partition, and each run is a record of it.
    const markers = ledgerOffsets(stage.kafka.bootstrap) - offsetsBefore - plan.slots * plan.servers;
    const transactions = markers / ((Date.now() - began) / 1000);
    const rss = peakRss(pid);
    const connections = await countConnections(stage.env.PGPORT ?? '', stage.env.PGUSER ?? '');
    await sleep(2000);
    const { stderr } = await daemon.stop();
    const skipped = stderr.split('\n').filter((line) => line.includes('"outcome":"skipped"')).length;
    const bySlot = reader.bySlot();
    const lags: number[] = [];
    let missing = 0;
    let doubled = 0;
    for (let slot = firstSlot; slot < firstSlot + plan.slots * plan.every * 1000; slot += plan.every * 1000) {
      const seen: LagsOfSlot = bySlot.get(new Date(slot).toISOString().replace('.000Z', 'Z')) ?? new Map();
      missing += plan.servers - seen.size;
      for (const { rows: count, lag } of seen.values()) {
        lags.push(lag);
        if (count > ROWS) doubled++;
        if (count < ROWS) missing++;
      }
    }
    const lag = { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99), max: Math.max(...lags) };
    return { lag, missing, doubled, skipped, cpu, rss, connections, transactions };
  } finally {
    reader.stop();
    blackHole.close();
    await stage.end();
  }
}

/** What people have without pgtally: for each slot all servers by psql | kcat, sixteen at a time. */
async function runShellLoop({ servers, every, slots }: Plan) {
  const stage = await setStage(
    { 'loop.yaml': 'name: loop\nquery: select 1 as i\ntopic: {name: LOOP, partitions: 8}\n' },
    '',
    { broker: 'as installed' },
  );
  const script = join(stage.project, 'one.sh');
  writeFileSync(
    script,
    `psql -qX -h "$1" -c "copy (select i || ';' || row_to_json(q)::text from (select i, 'row ' || i as word from generate_series(1, ${ROWS}) i) q) to stdout" | kcat -P -b ${stage.kafka.bootstrap} -t LOOP -K ';'\n`,
  );
  const addresses = Array.from(
    { length: servers },
    (_, index) => `127.0.${1 + Math.floor(index / PER_RANGE)}.${1 + (index % PER_RANGE)}`,
  ).join('\n');
  try {
    const took: number[] = [];
    let cpu = 0;
    const end = Date.now() + every * slots * 1000;
    while (Date.now() < end) {
      const { wall, cpu: used } = await measure(
        `printf '${addresses.replaceAll('\n', '\\n')}\\n' | xargs -P 16 -n 1 sh ${script}`,
        stage.env,
        'kcat',
      );
      took.push(wall);
      cpu += used;
    }
    const round = took.reduce((sum, one) => sum + one, 0) / took.length;
    const each = `${took.length} rounds in the time of ${slots} slots`;
    return {
      took,
      row: [
        '1000 by psql \\| kcat, 16 at a time',
        `${every} s`,
        each,
        '-',
        round * 1000,
        Math.max(...took) * 1000,
        cpu,
        '-',
        16,
        '-',
      ],
    };
  } finally {
    await stage.end();
  }
}

function ledgerOffsets(bootstrap: string): number {
  const partitions = Array.from({ length: 8 }, (_, partition) => ['-t', `pgtally.ledger:${partition}:-1`]).flat();
  const answer = execFileSync('kcat', ['-Q', '-b', bootstrap, ...partitions], { encoding: 'utf8' });
  return [...answer.matchAll(/offset (\d+)/g)].reduce((sum, [, offset]) => sum + Number(offset), 0);
}

/** When all rows of a (server, slot) could be read. A burst leaves no core idle: what kcat prints is taken apart at the end. */
function readLags(bootstrap: string, topic: string) {
  const printed: { readonly at: number; readonly text: string }[] = [];
  const settings = ['isolation.level=read_committed', 'fetch.wait.max.ms=10'].flatMap((setting) => ['-X', setting]);
  const kcat = spawn('kcat', [
    '-C',
    '-b',
    bootstrap,
    '-t',
    topic,
    '-o',
    'beginning',
    '-u',
    '-q',
    ...settings,
    '-f',
    '%h\\n',
  ]);
  kcat.stdout.setEncoding('utf8').on('data', (text: string) => printed.push({ at: Date.now(), text }));
  return { bySlot: () => lagsBySlot(printed), stop: () => kcat.kill() };
}

function lagsBySlot(printed: readonly { readonly at: number; readonly text: string }[]) {
  const bySlot = new Map<string, LagsOfSlot>();
  let rest = '';
  for (const { at, text } of printed) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, server = '', slot = ''] = /pgtally-server=([^,]+),pgtally-slot=([^,]+)/.exec(line) ?? [];
      const ofSlot: LagsOfSlot = bySlot.get(slot) ?? new Map();
      bySlot.set(slot, ofSlot);
      ofSlot.set(server, { rows: (ofSlot.get(server)?.rows ?? 0) + 1, lag: at - Date.parse(slot) });
    }
  }
  return bySlot;
}

async function acceptAndSaySilent(): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  return server;
}

async function countConnections(port: string, user: string): Promise<number> {
  const sql = postgres({
    host: '127.0.0.1',
    port: Number(port),
    user,
    database: 'postgres',
    max: 1,
    fetch_types: false,
  });
  const [row] = await sql.unsafe(
    "select count(*)::int as n from pg_stat_activity where application_name like 'pgtally/%'",
  );
  await sql.end();
  return Number(row?.n);
}
