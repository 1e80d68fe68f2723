// `pgtally run JOB`: now, once, on its servers. It neither reads nor moves the ledger; how one server's run is done is in
// publish/, how its end is printed in run-report.ts.

import type { Project, PublishJob, TopicSettings } from '../model/project.ts';
import type { Destination } from '../publish/destination.ts';
import type { CommandContext } from './context.ts';
import { EXIT_USAGE, UsageError } from './failure.ts';
import { findJob, openOrComplain, parseCount, parseInstant } from './open.ts';
import { createRunReport } from './run-report.ts';
import { selectServers } from './select-servers.ts';

export async function run(
  context: CommandContext,
  [name = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const dryRun = options.dryRun === true;
  const wantedSlot = options.slot === undefined ? undefined : parseInstant(options.slot, '--slot');
  const limit = options.limit === undefined ? undefined : parseCount(options.limit, '--limit');
  if (limit !== undefined && !dryRun)
    throw new UsageError('--limit goes with --dry-run only', 'a run publishes all rows of its query');
  let destination: Promise<Destination> | undefined;
  const stopping = new AbortController();
  const onSignal = (): void => stopping.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    // Kafka is being connected while the SQL is checked.
    const ready = await openOrComplain(context, name, (project) => {
      const job = project.jobs.find((one) => one.name === name);
      if (job?.kind === 'publish' && !dryRun) destination = connect(project, job);
    });
    if (!ready) return EXIT_USAGE;
    const prepared = findJob(ready, name);
    if (prepared.kind !== 'publish')
      return await (await import('./run-ingest.ts')).runIngest(context, ready, prepared, options);
    const servers = selectServers(prepared.job, options.server as readonly string[] | undefined);
    const report = createRunReport(context, prepared.job.name, servers.length);
    const { manualSlot } = await import('../publish/manual-slot.ts');
    const { runByHand } = await import('../publish/by-hand.ts');
    destination ??= show(prepared.job.topic, (line) => report.record(line));
    await runByHand({
      project: ready.project,
      prepared,
      servers,
      ...manualSlot(prepared, wantedSlot, Date.now()),
      destination: await destination,
      dryRun: dryRun ? { limit } : undefined,
      failFast: options.failFast === true,
      signal: stopping.signal,
      onEnd: (ended) => report.ended(ended),
    });
    return report.finish();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await (await destination)?.close();
  }
}

/** Each is loaded only when it is used: a dry run needs nothing of Kafka. */
async function connect(project: Project, job: PublishJob): Promise<Destination> {
  return (await import('../publish/kafka-destination.ts')).openKafkaDestination(project, job);
}

async function show(topic: TopicSettings, print: (line: string) => Promise<boolean>): Promise<Destination> {
  return (await import('../publish/dry-run.ts')).openDryRun(topic, print);
}
