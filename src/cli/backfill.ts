// `pgtally backfill JOB --from T --to T`: past slots again, oldest first; the same command goes on after a kill.
import { formatInstant } from '../model/units.ts';
import { window } from '../schedule/ticks.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE, UsageError } from './failure.ts';
import { findJob, openOrComplain, parseInstant } from './open.ts';
import { createRunReport } from './run-report.ts';
import { selectServers } from './select-servers.ts';
import { withKafka } from './with-kafka.ts';

export async function backfill(
  context: CommandContext,
  [name = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { output } = context;
  const from = parseInstant(options.from, '--from');
  const to = parseInstant(options.to, '--to');
  if (from >= to) throw new UsageError('--from is not before --to', 'slots after --from and up to --to are run');
  if (to > Date.now()) throw new UsageError('--to lies in the future', 'a backfill runs slots that are past');
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  const prepared = findJob(ready, name);
  if (prepared.kind !== 'publish')
    throw new UsageError(`job \`${name}\` is an ingest job`, 'move its offset with `pgtally ingest reset`');
  const { timetable } = prepared;
  if (!timetable)
    throw new UsageError(`job \`${name}\` has no schedule`, `run it with \`pgtally run ${name} --slot TIME\``);
  const servers = selectServers(prepared.job, options.server as readonly string[] | undefined);
  const { backfillSlots, runBackfill } = await import('../publish/backfill.ts');
  const slots = backfillSlots(timetable, from, to);
  if (options.dryRun === true) {
    for (const slot of slots) {
      const { start } = window(timetable.schedule, timetable.timezone, slot);
      const line = { slot: formatInstant(slot), window: [formatInstant(start), formatInstant(slot)] };
      if (!(await output.data(output.json ? JSON.stringify(line) : `${line.slot}  window ${line.window.join(' … ')}`)))
        break;
    }
    output.note(`${slots.length} slots on ${servers.length} servers`);
    return EXIT_OK;
  }
  const stopping = new AbortController();
  const onSignal = (): void => stopping.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const report = createRunReport(context, name, slots.length * servers.length);
  try {
    await withKafka(ready.project, (client) =>
      runBackfill({
        client,
        project: ready.project,
        prepared,
        timetable,
        servers,
        from,
        to,
        signal: stopping.signal,
        onEnd: (ended) => report.ended(ended),
        onResumed: (server, done) => output.note(`${server}: ${done} slots were done before`),
      }),
    );
    return report.finish();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
