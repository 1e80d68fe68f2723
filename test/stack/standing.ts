// A program that starts servers, prints a line of JSON about them and stays until it is ended: guard.test.ts ends it in
// every way and looks for what is left.
//
// usage: node standing.js [kafka] [postgres] [--crash] [--find FOLDER]
// `--crash`: throws once all is up. `--find`: instead of that, looks for servers as a test run does, with this folder of
// Postgres installations, and prints the message when there are none.

import { dirname } from 'node:path';
import { findKafka, findPostgres } from './find-servers.ts';
import { startKafka } from './kafka-broker.ts';
import { startPostgres } from './postgres-server.ts';

const args = process.argv.slice(2);

if (args.includes('--find')) {
  const searches = [findKafka(), findPostgres({ installations: args[args.indexOf('--find') + 1] ?? '' })];
  for (const result of await Promise.allSettled(searches)) {
    console.log(result.status === 'fulfilled' ? 'found' : `error: ${(result.reason as Error).message}`);
  }
} else {
  const servers = await Promise.all([
    ...(args.includes('kafka') ? [startKafka()] : []),
    ...(args.includes('postgres') ? [startPostgres()] : []),
  ]);
  const root = dirname(dirname(servers[0]?.logFile ?? ''));
  console.log(JSON.stringify({ pids: servers.map((server) => server.pid()), root }));
  if (args.includes('--crash')) throw new Error('crash, as asked');
  setInterval(() => {}, 60_000);
}
