// One Kafka, one Postgres and one topic reader for a whole test run, each started when a test first asks for it. The
// tests run in threads, so they ask over a local socket: one line with a name, one line of JSON in return.

import { type AddressInfo, createConnection, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { findKafka, findPostgres } from './find-servers.ts';
import type { PostgresAddress } from './postgres-server.ts';
import { startTopicReader } from './topic-reader.ts';

export interface SharedServers {
  kafka: { bootstrap: string };
  postgres: PostgresAddress;
  topicReader: { port: number };
}

type Started = { address: unknown; discard(): Promise<void> };

const STARTERS: { readonly [Name in keyof SharedServers]: () => Promise<Started> } = {
  kafka: async () => {
    const kafka = await findKafka();
    return { address: { bootstrap: kafka.bootstrap }, discard: () => kafka.discard() };
  },
  postgres: async () => {
    const server = await findPostgres();
    const { host, port, user, password } = server;
    return { address: { host, port, user, password }, discard: () => server.discard() };
  },
  topicReader: async () => {
    const reader = await startTopicReader();
    return { address: { port: reader.port }, discard: () => reader.discard() };
  },
};

/** Listens on a port of 127.0.0.1, given to the tests; `stop` ends what was started. */
export async function serveSharedServers(): Promise<{ port: number; stop(): Promise<void> }> {
  const started = new Map<string, Promise<Started>>();
  const start = (name: keyof SharedServers): Promise<Started> => {
    const running = started.get(name) ?? STARTERS[name]();
    started.set(name, running);
    return running;
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (name: keyof SharedServers) => {
      start(name).then(
        ({ address }) => {
          socket.end(`${JSON.stringify({ address })}\n`);
          // Who writes to Kafka will read it back: the reader's start is over by then.
          if (name === 'kafka') start('topicReader').catch(() => {});
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
      await Promise.allSettled([...started.values()].map(async (running) => (await running).discard()));
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
