// `pgtally run JOB` for a job that ingests: one run, now, told in the same form as a publishing one.
import { placeOf } from '../ingest/placed-failure.ts';
import { freshRunId } from '../ledger/record.ts';
import { Failure } from '../model/failure.ts';
import type { PreparedIngest } from '../project/prepared.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './failure.ts';
import type { ReadyProject } from './open.ts';
import { createRunReport } from './run-report.ts';

export async function runIngest(
  context: CommandContext,
  ready: ReadyProject,
  prepared: PreparedIngest,
  options: Record<string, unknown>,
): Promise<number> {
  for (const option of ['server', 'slot', 'dryRun', 'limit'] as const) {
    if (options[option] === undefined) continue;
    const name = option === 'dryRun' ? 'dry-run' : option;
    throw new UsageError(
      `--${name} does not go with \`${prepared.job.name}\`, which is an ingest job`,
      'an ingest job reads on from where it stood, into its one server; `limit` is a field of its file',
    );
  }
  const { output, io } = context;
  const { ingestByHand, theServer } = await import('../ingest/by-hand.ts');
  const server = theServer(prepared);
  const report = createRunReport(context, prepared.job.name, 1, 'ingested');
  const stopping = new AbortController();
  const onSignal = (): void => stopping.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const shown = io.stderr.isTTY === true && context.options.quiet !== true;
  const started = performance.now();
  try {
    const result = await ingestByHand({
      project: ready.project,
      prepared,
      stopping: stopping.signal,
      onWarning: (message) => output.note(`${output.paint.yellow('warning:')} ${message}`),
      ...(shown ? { onProgress: ({ rows }) => void io.stderr.write(`\r${rows} rows`) } : {}),
    });
    if (shown) io.stderr.write('\r\x1b[K');
    const failure = stopping.signal.aborted ? stopped() : result.failures[0];
    const place = failure && placeOf(failure);
    report.ended({
      server: server.name,
      slot: Math.floor(Date.now() / 1000) * 1000,
      run: freshRunId(),
      outcome: failure ? 'failed' : result.rows > 0 ? 'published' : 'empty',
      rows: result.rows,
      bytes: result.bytes,
      ms: performance.now() - started,
      ...(failure ? { failure } : {}),
      ...(place ? { place } : {}),
      dry: false,
    });
    for (const other of result.failures) if (other !== failure) output.complain(`also: ${other.message}`);
    if (failure && result.rows > 0) output.note(`${result.rows} rows are written`);
    if (result.dead > 0) output.note(`${result.dead} messages went to pgtally.dead_letters`);
    return report.finish();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function stopped(): Failure {
  return new Failure('stopped before the end', {
    kind: 'cancelled',
    hint: 'what is written stays; the next run goes on',
  });
}
