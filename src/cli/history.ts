// `pgtally history JOB`: how its last slots ended, oldest first.
import { readHistory } from '../ledger/history.ts';
import { formatSize } from '../model/units.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { loadSettings, parseCount } from './open.ts';
import { formatTable } from './table.ts';
import { withKafka } from './with-kafka.ts';

export async function history(
  context: CommandContext,
  [job = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { output } = context;
  const limit = parseCount(options.number, '-n');
  const project = loadSettings(context);
  if (!project) return EXIT_USAGE;
  const server = typeof options.server === 'string' ? { server: options.server } : {};
  const found = await withKafka(project, (client) => readHistory(client, project.ledger, { job, limit, ...server }));
  for (const problem of found.problems) output.complain(`${output.paint.yellow('warning:')} ${problem}`);
  if (output.json) {
    for (const { server: name, record } of found.outcomes)
      await output.data(JSON.stringify({ job, server: name, ...record }));
    return EXIT_OK;
  }
  if (found.outcomes.length === 0) {
    output.note(`nothing is recorded of \`${job}\` in the last 7 days`);
    return EXIT_OK;
  }
  const rows = found.outcomes.map(({ server: name, record }) => [
    record.slot,
    name,
    record.reason ? `${record.outcome} (${record.reason})` : record.outcome,
    record.outcome === 'published' ? String(record.rows) : record.slots ? `${record.slots} slots` : '-',
    record.bytes > 0 ? formatSize(record.bytes) : '-',
    `${Date.parse(record.finished) - Date.parse(record.started)} ms`,
    record.trigger,
    record.error?.message ?? '',
  ]);
  await output.data(formatTable(['SLOT', 'SERVER', 'OUTCOME', 'ROWS', 'SIZE', 'TOOK', 'TRIGGER', ''], rows));
  return EXIT_OK;
}
