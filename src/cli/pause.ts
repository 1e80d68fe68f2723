// `pgtally pause JOB` and `pgtally resume JOB`: for every replica, from any machine that reaches Kafka.
import { writePause, writeResume } from '../ledger/pauses.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { findJob, openOrComplain } from './open.ts';
import { withKafka } from './with-kafka.ts';

export async function pause(
  context: CommandContext,
  [name = '']: string[],
  options: Record<string, unknown>,
): Promise<number> {
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  findJob(ready, name);
  const note = typeof options.note === 'string' ? options.note : undefined;
  const { since } = await withKafka(ready.project, (client) => writePause(client, ready.project.ledger, name, note));
  context.output.note(
    `paused ${name} since ${since}: its slots are recorded as skipped until \`pgtally resume ${name}\``,
  );
  return EXIT_OK;
}

export async function resume(context: CommandContext, [name = '']: string[]): Promise<number> {
  const ready = await openOrComplain(context, name);
  if (!ready) return EXIT_USAGE;
  findJob(ready, name);
  await withKafka(ready.project, (client) => writeResume(client, ready.project.ledger, name));
  context.output.note(`resumed ${name}`);
  return EXIT_OK;
}
