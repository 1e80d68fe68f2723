// A page of docs/ followed from top to bottom: its files are written, its SQL and its commands are run, on a Postgres of the
// page's own and the run's Kafka. Only addresses and names of topics are replaced, so that pages can be walked side by side.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import { expect, inject } from 'vitest';
import { jsonLines } from '../cli/project.ts';
import { kafkaBootstrap } from '../stack/for-tests.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { type RunningCommand, runPgtally, startPgtally } from '../stack/run-pgtally.ts';
import { uniqueTopic } from '../stack/unique-names.ts';
import { commandsOf, type Fence, fencesOf, reasonNotToRun, wordsOf } from './fences.ts';

/** The superuser needs no password; every other role needs the one that the page's SQL gave it. */
const ACCESS = 'host all postgres all trust\nhost all all all scram-sha-256\n';

export interface Walked {
  /** How many blocks were run or written. */
  readonly steps: number;
}

/** Rejects, or fails an expectation that names file and line, where the page is wrong. `onTestFinished`: of the test's context. */
export async function walk(file: string, onTestFinished: (work: () => Promise<void>) => void): Promise<Walked> {
  const fences = fencesOf(file);
  const server = await startPostgres({ access: ACCESS });
  const folder = mkdtempSync(path.join(tmpdir(), 'pgtally-page-'));
  let daemon: RunningCommand | undefined;
  onTestFinished(async () => {
    await daemon?.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    await server.discard();
  });
  const names = replacements(fences, { port: server.port, bootstrap: await kafkaBootstrap() });
  const sql = async <T>(database: string, work: (sql: postgres.Sql) => Promise<T>, role?: string): Promise<T> => {
    const { host, port, user } = server;
    const login = role === undefined ? { user } : { user: role, password: names.passwordOf(role) };
    const client = postgres({ host, port, database, ...login, max: 1, fetch_types: false, onnotice: () => {} });
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  for (const database of names.databases)
    await sql('postgres', (client) => client.unsafe(`create database ${database}`));

  let printed = '';
  let steps = 0;
  for (const fence of fences) {
    const place = `${file}:${fence.line}`;
    if (reasonNotToRun(fence) !== undefined) continue;
    if (fence.language === 'yaml' && fence.info !== '') {
      mkdirSync(path.dirname(path.join(folder, fence.info)), { recursive: true });
      writeFileSync(path.join(folder, fence.info), names.replaceIn(fence));
      await daemon?.waitFor(/"msg":"reloaded"/, 20_000);
    } else if (fence.language === 'sql') {
      await runSql(fence, place);
    } else if (fence.language === 'sh') {
      for (const command of commandsOf(fence)) await runCommand(command, fence, place);
    } else if (fence.language === 'jsonl') {
      const lines = jsonLines(printed);
      const shown = jsonLines(names.replaceIn(fence));
      for (const line of shown) expect([place, lines]).toEqual([place, expect.arrayContaining([withWildcards(line)])]);
      if (fence.info === 'all') expect([place, lines]).toHaveProperty('1.length', shown.length);
    } else continue;
    steps++;
  }
  if (daemon) expect([file, (await daemon.stop()).code]).toEqual([file, 0]);
  return { steps };

  async function runSql({ text, info }: Fence, place: string): Promise<void> {
    const [, refused] = /\brefused: (.+)$/.exec(info) ?? [];
    const [, database = names.databases[0] ?? 'postgres'] = /\bon (\w+)/.exec(info) ?? [];
    const [, role] = /\bas (\w+)/.exec(info) ?? [];
    const outcome = await sql(database, (client) => client.unsafe(text).then(() => 'done', String), role);
    expect([place, outcome]).toEqual([place, refused === undefined ? 'done' : expect.stringContaining(refused)]);
  }

  async function runCommand(command: string, { info }: Fence, place: string): Promise<void> {
    const [program, ...args] = wordsOf(names.replaceNames(command));
    expect([place, command, program]).toEqual([place, command, 'pgtally']);
    const options = { cwd: folder, env: names.environment };
    if (args[0] === 'start') {
      daemon = startPgtally([...args, '--log', 'json'], options);
      await daemon.waitFor(/"msg":"registered"/, 30_000);
      return;
    }
    const result = await runPgtally(args, options);
    const code = Number(/^exits (\d)/.exec(info)?.[1] ?? 0);
    expect([place, command, result.code, result.stderr]).toEqual([place, command, code, result.stderr]);
    // A page shows what is right: there is nothing to warn of.
    if (args[0] === 'check')
      expect([place, command, `${result.stdout}${result.stderr}`]).not.toEqual([
        place,
        command,
        expect.stringContaining('warning'),
      ]);
    printed = result.stdout;
  }
}

interface Replacements {
  /** Every database that a URL of the page names. */
  readonly databases: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  passwordOf(role: string): string;
  replaceIn(fence: Fence): string;
  replaceNames(text: string): string;
}

/** Hosts become loopback addresses of the page's server, each its own; topics get names of their own. */
function replacements(
  fences: readonly Fence[],
  { port, bootstrap }: { readonly port: number; readonly bootstrap: string },
): Replacements {
  const files = fences.filter(({ language, info }) => language === 'yaml' && info !== '');
  const all = files.map(({ text }) => text).join('\n');
  const topics = new Map<string, string>();
  for (const [, name = ''] of all.matchAll(/\btopic: (?:\{ name: )?([A-Z][A-Z0-9_]+)/g)) {
    topics.set(name, uniqueTopic(inject('runMark'), name));
  }
  const ledger = uniqueTopic(inject('runMark'), 'ledger');
  const hosts = new Map<string, string>();
  const hostOf = (host: string): string => {
    // A range: its numbers are the last part of the address.
    if (host.includes('{')) return host.replace(/^[^{]*(\{\w+\}).*$/, '127.0.9.$1');
    if (!hosts.has(host)) hosts.set(host, `127.0.0.${hosts.size + 1}`);
    return hosts.get(host) ?? '';
  };
  const URL = /(postgres:\/\/\w+@)([^:/\s]+)(?::\d+)?\/(\w+)/g;
  const databases = [...new Set([...all.matchAll(URL)].map(([, , , database = '']) => database))];
  const listed = [...all.matchAll(/databases: \[([^\]]*)\]/g)].flatMap(([, names = '']) => names.split(/,\s*/));
  const passwords = new Map<string, string>();
  for (const { text } of fences.filter(({ language }) => language === 'sql')) {
    for (const [, role = '', password = ''] of text.matchAll(/create role (\w+) [^;]*?password '([^']*)'/g))
      passwords.set(role, password);
  }
  const [first = 'unknown'] = passwords.values();
  const passwordOf = (role: string): string => passwords.get(role) ?? first;
  // The variable that stands in the lines after a role's URL is its password.
  const variables = [...all.matchAll(/postgres:\/\/(\w+)@[^$]*?\$\{(\w+)\}/g)].map(([, role = '', name = '']) => [
    name,
    passwordOf(role),
  ]);
  const replaceNames = (text: string): string =>
    text.replace(/\b[A-Z][A-Z0-9_]+\b/g, (word) => topics.get(word) ?? word);
  return {
    databases: [...new Set([...databases, ...listed])],
    environment: Object.fromEntries(variables),
    passwordOf,
    replaceNames,
    replaceIn({ info, text }) {
      const replaced = replaceNames(text)
        .replace(URL, (_, user: string, host: string, database: string) => `${user}${hostOf(host)}:${port}/${database}`)
        .replace(/brokers: \[.*\]/, `brokers: ["${bootstrap}"]`);
      // What a page does not say, so that pages and daemons do not meet.
      return info === 'pgtally.yaml'
        ? `${replaced}ledger: {topic: ${ledger}}\nstatus: {listen: "127.0.0.1:0"}\n`
        : replaced;
    },
  };
}

/** A line as the page shows it: `…` stands for anything. */
function withWildcards(value: unknown): unknown {
  if (typeof value === 'string' && value.includes('…')) {
    const parts = value.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return value === '…' ? expect.anything() : expect.stringMatching(new RegExp(`^${parts.join('.*')}$`, 's'));
  }
  if (Array.isArray(value)) return value.map(withWildcards);
  if (typeof value !== 'object' || value === null) return value;
  return expect.objectContaining(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withWildcards(inner)])),
  );
}
