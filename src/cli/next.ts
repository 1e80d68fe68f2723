// `pgtally next JOB`: the slots to come, in UTC and in the job's own zone.
import { formatInstant } from '../model/units.ts';
import { nextTick } from '../schedule/ticks.ts';
import { toLocalIso } from '../schedule/zone.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE, UsageError } from './failure.ts';
import { findJob, openOrComplain, parseCount, parseInstant } from './open.ts';

export async function next(
  context: CommandContext,
  [name = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { output } = context;
  const count = parseCount(options.number, '-n');
  const from = options.from === undefined ? Date.now() : parseInstant(options.from, '--from');
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  const { timetable, job } = findJob(ready, name);
  if (job.kind === 'ingest' && job.stream)
    throw new UsageError(`job \`${name}\` is a stream`, 'it has no slots: `pgtally start` reads it without end');
  if (!timetable) throw new UsageError(`job \`${name}\` has no schedule`, `it runs by hand: \`pgtally run ${name}\``);
  let slot = from;
  for (let left = count; left > 0; left--) {
    slot = nextTick(timetable.schedule, timetable.timezone, slot);
    const utc = formatInstant(slot);
    const local = toLocalIso(slot, timetable.timezone);
    if (
      !(await output.data(
        output.json ? JSON.stringify({ slot: utc, local }) : `${utc}  ${local}  ${timetable.timezone}`,
      ))
    )
      break;
  }
  return EXIT_OK;
}
