// `pgtally jobs`: what is defined, for which servers, and when it is next due.
import { formatInstant } from '../model/units.ts';
import { nextTick } from '../schedule/ticks.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { openOrComplain } from './open.ts';
import { formatTable } from './table.ts';

export async function jobs(context: CommandContext): Promise<number> {
  const { output } = context;
  const ready = await openOrComplain(context);
  if (!ready) return EXIT_USAGE;
  const now = Date.now();
  const rows = ready.jobs.map(({ job, timetable }) => ({
    job: job.name,
    schedule: job.schedule?.value.trim() ?? null,
    timezone: job.timezone.value,
    servers: job.servers.map((server) => server.name),
    topic: job.kind === 'publish' ? job.topic.name : job.topic,
    direction: job.kind,
    stream: job.kind === 'ingest' && job.stream,
    next: timetable ? formatInstant(nextTick(timetable.schedule, timetable.timezone, now)) : null,
    description: job.description ?? null,
  }));
  if (output.json) {
    for (const row of rows) await output.data(JSON.stringify(row));
    return EXIT_OK;
  }
  if (rows.length === 0) {
    output.note('no jobs: `pgtally init` makes an example');
    return EXIT_OK;
  }
  const table = formatTable(
    ['JOB', 'SCHEDULE', 'SERVERS', 'TOPIC', 'NEXT'],
    rows.map((row) => [
      row.job,
      row.schedule
        ? `${row.schedule}${row.timezone === 'UTC' ? '' : ` (${row.timezone})`}`
        : row.stream
          ? 'stream'
          : 'by hand',
      row.servers.length > 3
        ? `${row.servers.slice(0, 2).join(', ')}, … (${row.servers.length})`
        : row.servers.join(', '),
      row.direction === 'ingest' ? `from ${row.topic}` : row.topic,
      row.next ?? '-',
    ]),
  );
  await output.data(table);
  return EXIT_OK;
}
