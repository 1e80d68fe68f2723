// `pgtally run JOB`: now, once, on its servers. It neither reads nor moves the ledger; how one server's run is done is in
// publish/, how its end is printed in run-report.ts.

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
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  const prepared = findJob(ready, name);
  if (prepared.kind !== 'publish')
    return (await import('./run-ingest.ts')).runIngest(context, ready, prepared, options);
  const servers = selectServers(prepared.job, options.server as readonly string[] | undefined);

  const stopping = new AbortController();
  const onSignal = (): void => stopping.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const report = createRunReport(context, prepared.job.name, servers.length);
    const { manualSlot } = await import('../publish/manual-slot.ts');
    const { runByHand } = await import('../publish/by-hand.ts');
    const { slot, window } = manualSlot(prepared, wantedSlot, Date.now());
    await runByHand({
      project: ready.project,
      prepared,
      servers,
      slot,
      window,
      dryRun: dryRun ? { limit } : undefined,
      failFast: options.failFast === true,
      signal: stopping.signal,
      onEnd: (ended) => report.ended(ended),
      onRecord: (line) => report.record(line),
    });
    return report.finish();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
