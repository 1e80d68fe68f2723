// `pgtally ingest reset JOB --to beginning|end|OFFSET`: where an ingest job goes on, set by hand.
import { createInterface } from 'node:readline/promises';
import { type PlannedReset, type ResetTarget, resetJob } from '../ingest/reset.ts';
import type { CommandContext } from './context.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, UsageError } from './failure.ts';
import { findJob, openOrComplain, parseCount } from './open.ts';
import { formatTable } from './table.ts';

export async function ingestReset(
  context: CommandContext,
  [name = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const { io, output } = context;
  const to = parseTarget(options.to);
  const partition = options.partition === undefined ? undefined : parseCount(options.partition, '--partition', 0);
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  const prepared = findJob(ready, name);
  if (prepared.kind !== 'ingest') {
    throw new UsageError(
      `job \`${name}\` publishes: it has no offsets`,
      'past slots are published by `pgtally backfill`',
    );
  }
  const ask = async (plan: readonly PlannedReset[]): Promise<boolean> => {
    for (const line of formatTable(['PARTITION', 'NEXT', 'SET TO', ''], plan.map(describe)).split('\n'))
      output.note(line);
    if (options.yes === true) return true;
    if (io.stderr.isTTY !== true)
      throw new UsageError('setting offsets may write rows again or leave some out', 'add --yes if that is meant');
    const question = createInterface({ input: io.stdin, output: io.stderr });
    const answer = await question.question(`Set the offsets of ${name}? Type its name: `);
    question.close();
    return answer.trim() === name;
  };
  const done = await resetJob({
    project: ready.project,
    prepared,
    to,
    ...(partition === undefined ? {} : { partition }),
    confirm: ask,
  });
  if (done) output.note('set');
  else output.complain('not set');
  return done ? EXIT_OK : EXIT_FAILED;
}

/** What it means for the rows. */
function describe({ partition, from, to }: PlannedReset): string[] {
  const effect =
    from === undefined
      ? 'was never read'
      : to < from
        ? `offsets ${to} to ${from - 1} are written again`
        : to > from
          ? `offsets ${from} to ${to - 1} are left out`
          : 'no change';
  return [String(partition), from === undefined ? '-' : String(from), String(to), effect];
}

function parseTarget(text: unknown): ResetTarget {
  if (text === 'beginning' || text === 'end') return text;
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(
    typeof text === 'string' ? `--to: \`${text}\` is no place in a topic` : '--to is missing',
    'write `--to beginning`, `--to end` or an offset',
  );
}
