// How the runs of `pgtally run` are told: a line a server as it ends, then, for more than one, a summary by cause.
import { formatProblem } from '../config/frame.ts';
import { nameSome } from '../model/name-some.ts';
import { formatInstant, formatSize } from '../model/units.ts';
import type { EndedRun } from '../publish/by-hand.ts';
import type { CommandContext } from './context.ts';
import { EXIT_FAILED, EXIT_OK } from './failure.ts';
import { createProgress } from './progress.ts';

export interface RunReport {
  ended(run: EndedRun): void;
  /** A record of a dry run, as an envelope. */
  record(line: string): Promise<boolean>;
  /** Prints the summary; gives the exit code. */
  finish(): number;
}

/** `published`: what people read where rows went somewhere; programs read `published` whichever way they went. */
export function createRunReport(
  context: CommandContext,
  job: string,
  total: number,
  published = 'published',
): RunReport {
  const { output } = context;
  const counts = { published: 0, empty: 0, failed: 0 };
  const causes = new Map<string, string[]>();
  let rows = 0;
  const progress = createProgress(context, total);

  const printHuman = (run: EndedRun): void => {
    const { paint } = output;
    const outcome =
      run.outcome === 'failed'
        ? paint.red('failed')
        : run.outcome === 'empty'
          ? paint.yellow('empty')
          : paint.green(published);
    const size =
      run.outcome === 'published' ? `  ${run.rows} ${run.rows === 1 ? 'row' : 'rows'}  ${formatSize(run.bytes)}` : '';
    void output.data(`${run.server}  ${outcome}${size}  ${Math.round(run.ms)} ms`);
  };

  return {
    ended(run) {
      counts[run.outcome]++;
      rows += run.rows;
      progress.clear();
      if (output.json) {
        const { server, run: id, outcome, bytes, failure } = run;
        const error = failure && {
          kind: failure.kind,
          message: failure.message,
          code: failure.code,
          hint: failure.hint,
        };
        void output.data(
          JSON.stringify({
            job,
            server,
            slot: formatInstant(run.slot),
            run: id,
            outcome,
            rows: run.rows,
            bytes,
            ms: Math.round(run.ms),
            error,
          }),
        );
      } else if (!run.dry) {
        printHuman(run);
      }
      if (run.failure) {
        const cause = run.failure.message;
        const others = causes.get(cause) ?? [];
        causes.set(cause, [...others, run.server]);
        if (others.length === 0 && !output.json) complain(context, run);
      }
      progress.step();
    },
    record: (line) => output.data(line),
    finish() {
      progress.clear();
      if (total > 1) {
        for (const [cause, servers] of causes) {
          if (servers.length > 1) output.complain(`${servers.length} servers: ${cause} (${nameSome(servers)})`);
        }
        const parts = Object.entries(counts).filter(([, count]) => count > 0);
        output.note(`${parts.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}; ${rows} rows`);
      }
      return counts.failed > 0 ? EXIT_FAILED : EXIT_OK;
    },
  };
}

/** What went wrong on a server, at its place in the job's file where that is known. */
function complain({ output }: CommandContext, { server, failure, place }: EndedRun): void {
  if (!failure) return;
  const { color } = output;
  const hint = failure.hint === undefined ? {} : { hint: failure.hint };
  output.complain(
    formatProblem({ severity: 'error', message: `${server}: ${failure.message}`, ...hint, ...place }, { color }),
  );
}
