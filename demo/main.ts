// `npm run demo`: the article, whole, by the jobs of jobs/: random rows -> PGSHARD -> table `main` of three servers -> their
// aggregates -> AGGREGATIONS. On a real Kafka and a real Postgres that it starts and ends, or that KAFKA_BROKERS and
// PGTALLY_TEST_POSTGRES name. Three databases at three loopback addresses of one Postgres are the fleet. Nothing of it outlives
// Ctrl-C.
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildCommand } from '../test/stack/command.ts';
import { type FoundKafka, type FoundPostgres, findKafka, findPostgres } from '../test/stack/find-servers.ts';
import { REPOSITORY } from '../test/stack/repository.ts';
import { runPgtally, startPgtally } from '../test/stack/run-pgtally.ts';
import { createShards, removeShards, type Shard } from './shards.ts';

/** `--seconds N` ends the demo by itself, for tests. */
function secondsWanted(): number | undefined {
  const at = process.argv.indexOf('--seconds');
  return at < 0 ? undefined : Number(process.argv[at + 1]);
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const started = performance.now();
const elapsed = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;

async function main(): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const seconds = secondsWanted();

  say('looking for a Kafka and a Postgres …');
  let kafka: FoundKafka | undefined;
  let postgres: FoundPostgres | undefined;
  try {
    [kafka, postgres] = await Promise.all([findKafka(), findPostgres(), buildCommand()]);
    const shards = await createShards(postgres);
    say(`  Kafka at ${kafka.bootstrap}, Postgres on port ${postgres.port} (${elapsed()})`);
    for (const shard of shards)
      say(`  ${shard.name}: database ${shard.database} at ${shard.host}, with an empty table main`);
    const env = environment(kafka, postgres, shards);
    const pgtally = async (...args: string[]): Promise<void> => {
      const { code, stdout, stderr } = await runPgtally(args, { cwd: REPOSITORY, env });
      if (code !== 0) throw new Error(`pgtally ${args.join(' ')} failed:\n${stderr}`);
      say(`$ pgtally ${args.join(' ')}`);
      for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) say(`  ${line}`);
    };

    say('');
    await pgtally('topics', 'create');
    await pgtally('generate', 'PGSHARD', '--count', '50');
    await Promise.all([1, 2, 3].map((number) => pgtally('run', `ingest-pgshard-${number}`)));
    say('$ pgtally generate PGSHARD --count 50 --every 10s      goes on in the background');
    say('$ pgtally start                   runs jobs/*.yaml on the three, every ten seconds; its log is on stderr');
    say('$ pgtally tail AGGREGATIONS       prints what arrives:');
    say('Edit a file in jobs/ and see it change. Ctrl-C ends everything.');
    say('');
    const generator = startPgtally(['generate', 'PGSHARD', '--count', '50', '--every', '10s'], {
      cwd: REPOSITORY,
      env,
    });
    const daemon = startPgtally(['start', '--log', 'pretty'], { cwd: REPOSITORY, env });
    const tail = startPgtally(['tail', 'AGGREGATIONS', '--from', 'beginning'], { cwd: REPOSITORY, env });
    daemon.process.stderr?.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    tail.process.stdout?.on('data', (chunk: Buffer) => process.stdout.write(chunk));
    tail.process.stderr?.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    const ended = Promise.race([
      daemon.result.then(() => 'the daemon'),
      tail.result.then(() => 'tail'),
      generator.result.then(() => 'generate'),
    ]);
    const waiting = sleep(seconds === undefined ? 2 ** 31 - 1 : seconds * 1000, undefined, {
      signal: stopping.signal,
    }).catch(() => undefined);
    const who = await Promise.race([ended, waiting]);
    say('');
    if (who) say(`${who} has ended; see above`);
    else say('ending …');
    await Promise.all([daemon.stop('SIGTERM'), tail.stop('SIGTERM'), generator.stop('SIGTERM')]);
    return who ? 1 : 0;
  } finally {
    if (postgres?.external) await removeShards(postgres);
    await Promise.allSettled([kafka?.discard(), postgres?.discard()]);
  }
}

function environment(kafka: FoundKafka, postgres: FoundPostgres, shards: readonly Shard[]): Record<string, string> {
  const hosts = Object.fromEntries(shards.map((shard, index) => [`SHARD${index + 1}_HOST`, shard.host]));
  return { ...hosts, KAFKA_BROKERS: kafka.bootstrap, SHARD_PORT: String(postgres.port), SHARD_PASSWORD: 'pgtally' };
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
