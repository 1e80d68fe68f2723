// One Kafka, one Postgres and one topic reader for a whole test run, each started when a test first asks for it. The
// tests run in threads, so they ask over a local socket: one line with a name, one line of JSON in return.

import { copyFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findKafka, findPostgres } from './find-servers.ts';
import type { PostgresAddress } from './postgres-server.ts';
import { cacheFolder } from './repository.ts';
import { startTopicReader } from './topic-reader.ts';
import { deleteTopics, dropDatabases } from './unique-names.ts';

export interface SharedServers {
  kafka: { bootstrap: string };
  postgres: PostgresAddress;
  topicReader: { port: number };
}

interface Started {
  readonly address: unknown;
  discard(): Promise<void>;
}

/** What each name starts. `runMark` is in every name that the tests make on them. */
function starters(runMark: string): { readonly [Name in keyof SharedServers]: () => Promise<Started> } {
  return {
    kafka: async () => {
      const { bootstrap, logFile, external, discard } = await findKafka();
      const end = external ? () => deleteTopics(bootstrap, runMark) : discard;
      return { address: { bootstrap }, discard: () => keepLog('kafka', logFile, end) };
    },
    postgres: async () => {
      const { external, logFile, discard, ...address } = await findPostgres();
      const end = external ? () => dropDatabases(address, runMark) : discard;
      return { address, discard: () => keepLog('postgres', logFile, end) };
    },
    topicReader: async () => {
      const { port, discard } = await startTopicReader();
      return { address: { port }, discard };
    },
  };
}

/** Leaves a server's log in `.cache/logs` for who wants to know why a test failed; the next run replaces it. */
async function keepLog(name: string, logFile: string | undefined, end: () => Promise<void>): Promise<void> {
  await end();
  if (logFile !== undefined) copyFileSync(logFile, join(cacheFolder('logs'), `${name}.log`));
}

export interface SharedServersService {
  /** Of 127.0.0.1, on which tests ask. */
  readonly port: number;
  /** Ends what was started; on external servers, removes what was made. */
  stop(): Promise<void>;
}

/** Starts nothing yet but the service. */
export async function serveSharedServers(runMark: string): Promise<SharedServersService> {
  const start = starters(runMark);
  const started = new Map<keyof SharedServers, Promise<Started>>();
  const ask = (name: keyof SharedServers): Promise<Started> => {
    const running = started.get(name) ?? start[name]();
    started.set(name, running);
    return running;
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (name: keyof SharedServers) => {
      ask(name).then(
        ({ address }) => {
          socket.end(`${JSON.stringify({ address })}\n`);
          // Who writes to Kafka will read it back: by then the reader has started. If it cannot, the reader is told.
          if (name === 'kafka') ask('topicReader').catch(() => {});
        },
        (error: Error) => socket.end(`${JSON.stringify({ error: error.message })}\n`),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.close();
      const ends = [...started.values()].map(async (running) => {
        // One that never started has told those who asked.
        const server = await running.catch(() => undefined);
        await server?.discard();
      });
      await Promise.all(ends);
    },
  };
}

/** The address of a shared server, started if it is not running. Rejects with the starter's message. */
export async function askForServer<Name extends keyof SharedServers>(
  port: number,
  name: Name,
): Promise<SharedServers[Name]> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  socket.write(`${name}\n`);
  let text = '';
  for await (const chunk of socket) text += chunk;
  const answer = JSON.parse(text) as { address: SharedServers[Name] } | { error: string };
  if ('error' in answer) throw new Error(answer.error);
  return answer.address;
}
