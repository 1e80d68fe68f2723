// One real Postgres server on every loopback address of a free port, or the one that PGTALLY_TEST_POSTGRES names.

import type { ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { spawnGuarded, temporaryFolder } from './guard.ts';
import { freePorts } from './ports.ts';
import { embeddedPostgres, installedPostgres } from './postgres-binaries.ts';
import { endProcess, StartFailure, waitForExit, waitForLog } from './wait-for-process.ts';

/** Postgres refuses to run as root. `nobody` exists by number everywhere: no account has to be made. */
const SERVER_USER = process.getuid?.() === 0 ? 65_534 : undefined;
const USER_OPTION = SERVER_USER === undefined ? {} : { user: SERVER_USER };

/** How to reach a server as its superuser. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface PostgresServer extends PostgresAddress {
  readonly logFile: string;
  readonly dataFolder: string;
  /** The postmaster while it runs. */
  readonly pid: () => number | undefined;
  /** Fast shutdown: open transactions are rolled back. */
  stop(): Promise<void>;
  /** `kill -9` of all its processes: the next start recovers. Without /proc an immediate shutdown, which leaves the same. */
  kill(): Promise<void>;
  /** For one that is not needed any more: at once. */
  discard(): Promise<void>;
  /** Starts it again with the same data and port, after `stop` or `kill`. */
  restart(): Promise<void>;
}

export interface PostgresOptions {
  /** Folder of `initdb` and `postgres`. Default: this machine's, else the npm package's. */
  readonly binaries?: string;
  /** Default 300. A fleet benchmark asks for 1,200 and more. */
  readonly maxConnections?: number;
  /** Lines for postgresql.conf; they win over ours. Files they name may be written to `folder`. */
  readonly configuration?: string | ((folder: string) => string);
  /** The whole of pg_hba.conf. Default: every user from loopback addresses without a password. */
  readonly access?: string;
  /** Default 0.0.0.0: each loopback address (127.0.0.1, .2, .3 …) has its own `inet_server_addr()`. */
  readonly listenAddresses?: string;
}

/** A new, empty server of this machine's binaries, or of the npm package's; ready in about a second. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = reachableForServer(options.binaries ?? (await findBinaries()));
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(bin, options);
    } catch (error) {
      const taken = error instanceof StartFailure && /could not (bind|create any TCP)/.test(error.log);
      if (!taken || attempt === 5) throw error;
    }
  }
}

async function findBinaries(): Promise<string> {
  const installed = await installedPostgres();
  return 'folder' in installed ? installed.folder : embeddedPostgres();
}

/** The binaries, or a copy of them where they lie in a folder that the server's user may not enter (root's home). */
function reachableForServer(bin: string): string {
  if (SERVER_USER === undefined) return bin;
  for (let folder = bin; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o005) === 0o005) continue;
    const copy = join(temporaryFolder('postgres-binaries'), 'native');
    // `bin` has its libraries beside it, found by symbolic links that are relative.
    cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, basename(bin));
  }
  return bin;
}

async function startOnce(bin: string, options: PostgresOptions): Promise<PostgresServer> {
  const folder = temporaryFolder('postgres');
  const dataFolder = join(folder, 'data');
  const logFile = join(folder, 'postgres.log');
  if (SERVER_USER !== undefined) chownSync(folder, SERVER_USER, SERVER_USER);
  chmodSync(folder, 0o755);
  await createDataFolder(bin, dataFolder, logFile);
  const [port] = await freePorts(1);
  const extra = typeof options.configuration === 'function' ? options.configuration(folder) : options.configuration;
  const address = options.listenAddresses ?? '0.0.0.0';
  appendFileSync(
    join(dataFolder, 'postgresql.conf'),
    `${configuration(address, port ?? 0, options)}\n${extra ?? ''}\n`,
  );
  writeFileSync(
    join(dataFolder, 'pg_hba.conf'),
    options.access ?? 'host all all 127.0.0.0/8 trust\nhost all all ::1/128 trust\n',
  );

  let child: ChildProcess;
  const start = async () => {
    writeFileSync(logFile, '');
    child = spawnGuarded(join(bin, 'postgres'), ['-D', dataFolder], { logFile, endWith: 'QUIT', ...USER_OPTION });
    await waitForLog(child, logFile, /ready to accept connections/, 'Postgres');
  };
  await start();
  return {
    host: '127.0.0.1',
    port: port ?? 0,
    user: 'postgres',
    password: '',
    logFile,
    dataFolder,
    pid: () => (child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    stop: () => endProcess(child, 'SIGINT'),
    kill: () => killAll(child),
    discard: () => endProcess(child, 'SIGQUIT'),
    restart: start,
  };
}

async function killAll(postmaster: ChildProcess): Promise<void> {
  const { pid } = postmaster;
  const list = `/proc/${pid}/task/${pid}/children`;
  if (pid === undefined || !existsSync(list)) return endProcess(postmaster, 'SIGQUIT');
  // Stopped, it starts none while they are listed; killed alone, it would leave them to end when they notice.
  process.kill(pid, 'SIGSTOP');
  for (const child of readFileSync(list, 'utf8').split(' ').filter(Boolean)) killIfThere(Number(child));
  await endProcess(postmaster, 'SIGKILL');
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function createDataFolder(bin: string, dataFolder: string, logFile: string): Promise<void> {
  const options = ['-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  const initdb = spawnGuarded(join(bin, 'initdb'), ['-D', dataFolder, ...options], {
    logFile,
    endWith: 'KILL',
    ...USER_OPTION,
  });
  await waitForExit(initdb, logFile, '`initdb`');
}

// No durability: the data folder does not outlive the process. No JIT: it costs tens of milliseconds a small query.
function configuration(address: string, port: number, options: PostgresOptions): string {
  return `
listen_addresses = '${address}'
port = ${port}
unix_socket_directories = ''
max_connections = ${options.maxConnections ?? 300}
fsync = off
synchronous_commit = off
full_page_writes = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'`;
}
