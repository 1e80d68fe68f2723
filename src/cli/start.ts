// `pgtally start`: the daemon in this process, until a signal. SIGHUP loads the files again.
import process from 'node:process';
import { createDaemon } from '../daemon/daemon.ts';
import { createLog } from '../daemon/log.ts';
import { createLogDestination } from '../daemon/log-destination.ts';
import { openProject } from '../project/open-project.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';
import { openOrComplain } from './open.ts';
import { version } from './version.ts';

export async function start(context: CommandContext, _: string[], flags: Record<string, unknown>): Promise<number> {
  const { io, options, output } = context;
  const stopping = signalled();
  const ready = await openOrComplain(context);
  if (!ready) return EXIT_USAGE;
  const { formatProblems } = await import('../config/frame.ts');
  if (ready.problems.length > 0) output.note(formatProblems(ready.problems, { color: output.color }));
  const destination = createLogDestination(io.stderr, (lines) => log.warn('log lines were lost', { lines }));
  const log = createLog({
    write: destination.write,
    pretty: flags.log === 'pretty' || (flags.log === 'auto' && !output.json && io.stderr.isTTY === true),
    level: options.verbose ? 'debug' : options.quiet ? 'warn' : 'info',
  });
  const daemon = createDaemon({
    project: ready.project,
    jobs: ready.jobs,
    reload: () =>
      openProject({
        cwd: io.cwd,
        env: io.env,
        ...(options.config === undefined ? {} : { configPath: options.config }),
      }),
    onProblems: (problems) => output.complain(formatProblems(problems, { color: output.color })),
    log,
    version: version(),
  });
  const onHangUp = (): void => void daemon.reload();
  process.on('SIGHUP', onHangUp);
  await Promise.race([daemon.start().then(() => stopping), stopping]);
  process.off('SIGHUP', onHangUp);
  await daemon.stop();
  return EXIT_OK;
}

/** Resolves at the first SIGTERM or SIGINT; the second one ends the process at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
