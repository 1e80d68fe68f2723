// The command line as a function of (arguments, io): what can be typed. Each command's work is in the file of its name,
// loaded only when it is asked for, because start-up time is what `pgtally run` is measured by.
import { Command, CommanderError, Option } from 'commander';
import type { Action } from './context.ts';
import { EXIT_OK, EXIT_USAGE, reportError } from './failure.ts';
import { type CommandIo, type CommonOptions, createOutput } from './io.ts';
import { version } from './version.ts';

/** Runs one command line; resolves to the exit code and never calls process.exit. */
export async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  let exitCode: number = EXIT_OK;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    return reportError(error, createOutput(io, {}));
  }
}

function buildProgram(io: CommandIo, finish: (code: number) => void): Command {
  const program = new Command('pgtally')
    .description('publish what SQL says about a fleet of Postgres servers to Kafka, on a schedule, exactly once')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .showHelpAfterError('(add --help for what can be typed)')
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride();
  common(program);

  const command = (
    parent: Command,
    usage: string,
    description: string,
    load: () => Promise<Action>,
    extra: readonly Option[] = [],
  ): Command => {
    const sub = parent.command(usage).description(description).exitOverride();
    for (const option of extra) sub.addOption(option);
    common(sub);
    sub.action(async (...args: unknown[]) => {
      const options = sub.optsWithGlobals<CommonOptions & Record<string, unknown>>();
      const positional = args.slice(0, -2).flatMap((value) => (typeof value === 'string' ? [value] : []));
      const output = createOutput(io, options);
      try {
        finish(await (await load())({ io, output, options }, positional, options));
      } catch (error) {
        finish(reportError(error, output));
      }
    });
    return sub;
  };

  command(
    program,
    'init [DIR]',
    'make a starter project with comments; overwrites nothing',
    async () => (await import('./init.ts')).init,
  );
  command(
    program,
    'check',
    'check every file, name, schedule and SQL',
    async () => (await import('./check.ts')).check,
    [
      new Option('--servers', 'also connect to every server and prepare each query on it'),
      new Option('--kafka', 'also ask Kafka: brokers, topics, partitions, rights, ledger'),
    ],
  );
  command(
    program,
    'jobs',
    'list the jobs, the servers they match and their next slot',
    async () => (await import('./jobs.ts')).jobs,
  );
  command(
    program,
    'next <JOB>',
    "list a job's next slots in both time zones",
    async () => (await import('./next.ts')).next,
    [
      new Option('-n, --number <N>', 'how many').default('10'),
      new Option('--from <TIME>', 'start after this instant instead of now'),
    ],
  );
  command(program, 'run <JOB>', 'run a job now, once, on its servers', async () => (await import('./run.ts')).run, [
    new Option('--server <NAME>', 'only this server or glob; may be repeated').argParser(collect),
    new Option('--slot <TIME>', 'the slot to run; default: the latest completed one, or the present moment'),
    new Option('--dry-run', 'print the exact records as envelopes; needs no Kafka'),
    new Option('--limit <N>', 'with --dry-run: at most N rows of each server'),
    new Option('--fail-fast', 'cancel what is left after the first failure'),
  ]);
  command(
    program,
    'start',
    'run all jobs at their slots until SIGTERM or Ctrl-C',
    async () => (await import('./start.ts')).start,
    [new Option('--log <FORM>', 'how log lines are written').choices(['auto', 'json', 'pretty']).default('auto')],
  );

  command(
    program,
    'status [JOB]',
    'how the last slots ended, as the ledger has it',
    async () => (await import('./status.ts')).status,
  );
  command(
    program,
    'history <JOB>',
    "how a job's slots ended in the last 7 days",
    async () => (await import('./history.ts')).history,
    [
      new Option('-n, --number <N>', 'the newest so many').default('50'),
      new Option('--server <NAME>', 'only this server'),
    ],
  );
  command(
    program,
    'pause <JOB>',
    'stop running a job, on every replica',
    async () => (await import('./pause.ts')).pause,
    [new Option('--note <TEXT>', 'why, for the others')],
  );
  command(program, 'resume <JOB>', 'run a paused job again', async () => (await import('./pause.ts')).resume);
  command(
    program,
    'backfill <JOB>',
    'run past slots again, oldest first',
    async () => (await import('./backfill.ts')).backfill,
    [
      new Option('--from <TIME>', 'slots after this').makeOptionMandatory(),
      new Option('--to <TIME>', 'and up to this').makeOptionMandatory(),
      new Option('--server <NAME>', 'only this server or glob; may be repeated').argParser(collect),
      new Option('--dry-run', 'list the slots and windows, run nothing'),
    ],
  );

  const topics = program.command('topics').description('list, create, describe and delete topics').exitOverride();
  command(topics, 'list', 'list the topics', async () => (await import('./topics.ts')).listTopics);
  command(
    topics,
    'create [NAME]',
    'create one topic, or every topic the jobs name',
    async () => (await import('./topics.ts')).createTopics,
    [
      new Option('--partitions <N>', 'partitions of the new topic'),
      new Option('--replication <N>', 'replicas of each partition'),
      new Option('--set <KEY=VALUE>', 'a topic setting; may be repeated').argParser(collect),
    ],
  );
  command(
    topics,
    'describe <NAME>',
    'show partitions, leaders and settings',
    async () => (await import('./topics.ts')).describe,
  );
  command(
    topics,
    'delete <NAME>',
    'delete a topic with everything in it',
    async () => (await import('./topics.ts')).remove,
    [new Option('--yes', 'do not ask')],
  );

  command(
    program,
    'tail <TOPIC>',
    'print the records of a topic as envelopes',
    async () => (await import('./tail.ts')).tail,
    [
      new Option('--from <WHERE>', 'beginning, end, an offset or a time').default('end'),
      new Option('--partition <N>', 'only this partition'),
      new Option('--count <N>', 'stop after N records'),
      new Option('--exit', 'stop at the end of the topic as it is now'),
    ],
  );
  command(
    program,
    'produce <TOPIC>',
    'send the lines of stdin to a topic',
    async () => (await import('./produce.ts')).produce,
    [
      new Option('--key-delimiter <TEXT>', 'what stands between key and value in a line; absent: no keys'),
      new Option('--envelope', 'the lines are what `tail` prints: each record as it was'),
      new Option('--repartition', 'with --envelope: choose partitions by key'),
    ],
  );
  command(
    program,
    'generate <TOPIC>',
    'send random `uuid;text` rows to a topic',
    async () => (await import('./generate.ts')).generate,
    [
      new Option('--count <N>', 'how many (default: 50; with --rate no end)'),
      new Option('--every <DURATION>', 'again and again, as in 10s; absent: once'),
      new Option('--rate <N>', 'so many a second, spread evenly'),
      new Option('--size <N>', 'random characters of each').default('32'),
      new Option('--no-key', 'no keys: the whole `uuid;text` is the value'),
    ],
  );
  const ingest = program.command('ingest').description('handle jobs that read topics into tables').exitOverride();
  command(
    ingest,
    'reset <JOB>',
    'set where an ingest job goes on',
    async () => (await import('./ingest-reset.ts')).ingestReset,
    [
      new Option('--to <WHERE>', 'beginning, end or an offset'),
      new Option('--partition <N>', 'only this partition'),
      new Option('--yes', 'do not ask'),
    ],
  );
  command(program, 'schema', 'print the JSON Schema of the files', async () => (await import('./schema.ts')).schema, [
    new Option('--of <FILE>', 'which file').choices(['job', 'project', 'servers']).default('job'),
  ]);
  return program;
}

function common(command: Command): void {
  command
    .option('-c, --config <PATH>', 'the project file (default: pgtally.yaml)')
    .option('--json', 'one JSON object a line, for programs')
    .option('-q, --quiet', 'only data and errors')
    .option('-v, --verbose', 'say more')
    .option('--no-color', 'no colours');
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
