// Three real daemons with real SQL on several servers, what is done to them, and the count: each (job, server, slot) and each row
// of it as Kafka's Java client reads it, read_committed, next to what the ledger's history says of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { type TestProject, testProject } from '../../cli/project.ts';
import { freshTopic, readTopic } from '../../stack/for-tests.ts';
import type { PostgresServer } from '../../stack/postgres-server.ts';
import type { CommandResult, RunningCommand } from '../../stack/run-pgtally.ts';

const DAEMONS = 3;
const STOP_LIMIT = 15_000;
const SERVERS = 4;
/** Rows of a run of each job, and seconds between its slots. `large` does not fit into `limits.buffer`, so that it streams. */
const JOBS = { small: { rows: 3, every: 1 }, large: { rows: 400, every: 3 } } as const;
type JobName = keyof typeof JOBS;
const PAIRS = Object.keys(JOBS).flatMap((job) => Array.from({ length: SERVERS }, (_, n) => `${job}/own-${n}`));

export interface SlotCount {
  /** Runs that are to be there: each slot of each (job, server) from its registration until the end. */
  readonly runs: number;
  readonly missing: readonly string[];
  readonly doubled: readonly string[];
  readonly partial: readonly string[];
  /** What the history says other than one record `published` a slot. */
  readonly wrongInHistory: readonly string[];
  /** How often a daemon that lived to the end said that it tries again: that the faults were felt. */
  readonly retries: number;
}

export const EACH_ONCE = { missing: [], doubled: [], partial: [], wrongInHistory: [] };

export interface Daemons {
  readonly running: readonly RunningCommand[];
  /** `kill -9` of one at random, and another in its place. */
  replaceOne(): Promise<void>;
  /** Waits until all that was due by now is published, or 60 s; stops the daemons in good order and counts. */
  count(): Promise<SlotCount>;
}

/** Resolves when each (job, server) has published. The SQL runs on a new `server` at 127.0.0.1, .2 …; `atEnd` is given what ends it. */
export async function startDaemons(
  server: PostgresServer,
  atEnd: (end: () => Promise<void>) => void,
): Promise<Daemons> {
  const { host, port, user, password } = server;
  const sql = postgres({ host, port, user, password, database: 'postgres', max: 1, fetch_types: false });
  await sql.unsafe('create table main as select n, repeat(md5(n::text), 16) as word from generate_series(0, 399) n');
  await sql.end();
  const topic = await freshTopic({ partitions: 4 });
  const job = (name: JobName) => {
    const { rows, every } = JOBS[name];
    // With a window, so that it is an interval job: a slot that fails is tried again, none is skipped.
    return `name: ${name}
schedule: "*/${every} * * * * *"
catchup_window: 10m
servers: {role: own}
query: select n, word, :window_start as since, inet_server_addr() as address from main where n < ${rows} order by n
topic: ${topic}
key: n
`;
  };
  const project = await testProject({
    servers: 0,
    atEnd,
    settings: 'limits: {buffer: 64 KiB}\n',
    moreServers: Array.from(
      { length: SERVERS },
      (_, n) =>
        `  - {name: own-${n}, url: "postgres://${user}@127.0.0.${n + 1}:${port}/postgres", labels: {role: own}}\n`,
    ).join(''),
    jobs: { 'small.yaml': job('small'), 'large.yaml': job('large') },
  });
  const running = Array.from({ length: DAEMONS }, () => project.start('start'));
  // Which of them has something to run is not known; that none has is told with what they wrote.
  await Promise.any(running.map((daemon) => daemon.waitFor(/"outcome":"published"/, 40_000)));
  await until(async () => (await published(topic)).size === PAIRS.length, 40_000);
  return {
    running,
    async replaceOne() {
      const index = Math.floor(Math.random() * running.length);
      await running[index]?.stop('SIGKILL');
      running[index] = project.start('start');
    },
    async count() {
      const due = Math.floor(Date.now() / 3000) * 3000;
      let behind: readonly string[] = PAIRS;
      await until(async () => {
        const last = await published(topic);
        behind = PAIRS.filter((pair) => (last.get(pair) ?? 0) < due);
        return behind.length === 0;
      }, 60_000);
      if (behind.length > 0)
        for (const daemon of running) tellOf(daemon, `${behind.join(', ')} did not come to an end`);
      const ended = await Promise.all(running.map(stopOrKill));
      const retries = ended.flatMap(({ stderr }) => stderr.match(/"msg":"will retry"/g) ?? []).length;
      return { ...(await countSlots(topic, ledgerOf(project), due)), retries };
    },
  };
}

/** What is counted here does not hang on a stop in good order, which start.test.ts has; one that takes too long is shown. */
async function stopOrKill(daemon: RunningCommand): Promise<CommandResult> {
  const stopping = daemon.stop();
  const killing = new AbortController();
  void sleep(STOP_LIMIT, undefined, { signal: killing.signal }).then(
    () => {
      tellOf(daemon, `a daemon did not stop within ${STOP_LIMIT} ms`);
      void daemon.stop('SIGKILL');
    },
    () => undefined,
  );
  const result = await stopping;
  killing.abort();
  return result;
}

/** What a count cannot say: why. */
function tellOf(daemon: RunningCommand, what: string): void {
  process.stderr.write(`${what}; daemon ${daemon.process.pid} wrote:\n${daemon.stderr().slice(-4000)}\n`);
}

function ledgerOf(project: TestProject): string {
  const text = readFileSync(join(project.folder, 'pgtally.yaml'), 'utf8');
  return /ledger: \{topic: ([^}]+)\}/.exec(text)?.[1] ?? '';
}

async function until(what: () => Promise<boolean>, limit: number): Promise<void> {
  const end = performance.now() + limit;
  // Not an error when it is not reached: the count says what is missing.
  while (!(await what()) && performance.now() < end) await sleep(500);
}

interface Row {
  readonly pair: string;
  readonly slot: number;
  readonly row: string;
}

async function rowsOf(topic: string): Promise<Row[]> {
  return (await readTopic(topic)).map(({ headers, key }) => {
    const { 'pgtally-job': job, 'pgtally-server': server, 'pgtally-slot': slot } = Object.fromEntries(headers);
    return { pair: `${job}/${server}`, slot: Date.parse(slot ?? ''), row: String(key) };
  });
}

/** The last slot of each (job, server) of which a row is visible. */
async function published(topic: string): Promise<Map<string, number>> {
  const last = new Map<string, number>();
  for (const { pair, slot } of await rowsOf(topic)) last.set(pair, Math.max(slot, last.get(pair) ?? 0));
  return last;
}

/** `due`: the slot that each (job, server) is to have come to at least. */
async function countSlots(topic: string, ledger: string, due: number): Promise<Omit<SlotCount, 'retries'>> {
  const times = new Map<string, Map<string, number>>();
  for (const { pair, slot, row } of await rowsOf(topic)) {
    const run = runName(pair, slot);
    const rows = times.get(run) ?? new Map<string, number>();
    times.set(run, rows.set(row, (rows.get(row) ?? 0) + 1));
  }
  const expected = new Map<string, number>();
  const wrongInHistory: string[] = [];
  const history = await historyOf(ledger);
  for (const pair of PAIRS) {
    const { rows, every } = JOBS[pair.split('/')[0] as JobName];
    const [first, ...others] = history.get(pair) ?? [];
    if (first?.outcome !== 'registered') {
      wrongInHistory.push(`${pair} begins with ${first?.outcome}`);
      continue;
    }
    let next = first.slot + every * 1000;
    for (const { slot, outcome } of others) {
      if (outcome !== 'published' || slot !== next)
        wrongInHistory.push(`${runName(pair, slot)} ${outcome}, when ${runName(pair, next)} was next`);
      expected.set(runName(pair, next), rows);
      next += every * 1000;
    }
    for (; next <= due; next += every * 1000) expected.set(runName(pair, next), rows);
  }
  const all = [...times];
  return {
    runs: expected.size,
    missing: [...expected.keys()].filter((run) => !times.has(run)),
    doubled: all.filter(([, rows]) => [...rows.values()].some((count) => count > 1)).map(([run]) => run),
    // A run that the history does not know of is to have no row.
    partial: all.filter(([run, rows]) => rows.size !== (expected.get(run) ?? 0)).map(([run]) => run),
    wrongInHistory,
  };
}

const runName = (pair: string, slot: number): string => `${pair} ${new Date(slot).toISOString()}`;

async function historyOf(ledger: string): Promise<Map<string, { slot: number; outcome: string }[]>> {
  const history = new Map<string, { slot: number; outcome: string }[]>();
  for (const { key, value } of await readTopic(`${ledger}.history`)) {
    const { slot, outcome } = JSON.parse(String(value)) as { slot: string; outcome: string };
    const pair = String(key);
    history.set(pair, [...(history.get(pair) ?? []), { slot: Date.parse(slot), outcome }]);
  }
  return history;
}
