// `pgtally check --servers`: a table of what each server is and may be used for, then what is wrong, by cause. How servers are
// asked is in publish/inspect-servers.ts; exit 1 when a server or a job on it fails.
import { formatProblems } from '../config/frame.ts';
import type { Project } from '../model/project.ts';
import type { PreparedJob } from '../project/prepared.ts';
import { checkPublishJob } from '../publish/check-job.ts';
import { findMissingTables, findTypeDifferences } from '../publish/compare-servers.ts';
import { type InspectedServer, inspectServers } from '../publish/inspect-servers.ts';
import { jobLine, missingLine, serverLine, typesLine } from './check-servers-json.ts';
import { judgeServers, refusalOf } from './check-servers-problems.ts';
import type { CommandContext } from './context.ts';
import { EXIT_FAILED, EXIT_OK } from './failure.ts';
import { createProgress } from './progress.ts';
import { formatTable } from './table.ts';

/** Connects to every server of the project and prepares every job on each of its own. Resolves to the exit code. */
export async function checkServers(
  context: CommandContext,
  project: Project,
  jobs: readonly PreparedJob[],
): Promise<number> {
  const { output } = context;
  const progress = createProgress(context, project.servers.length);
  const now = Date.now();
  const inspected = await inspectServers({
    servers: project.servers,
    jobs,
    checkJob: async (connection, prepared, options) => {
      if (prepared.kind === 'publish') return checkPublishJob(connection, prepared, now, options);
      return (await import('../ingest/check-job.ts')).checkIngestJob(connection, prepared, options);
    },
    onServer: () => progress.step(),
  });
  progress.clear();
  const differences = findTypeDifferences(inspected);
  const problems = judgeServers(inspected, differences, project.privileged);
  if (output.json) {
    for (const server of inspected) {
      await output.data(serverLine(server, refusalOf(server, project.privileged)));
      for (const job of server.jobs) await output.data(jobLine(server, job));
    }
    for (const table of findMissingTables(inspected)) await output.data(missingLine(table));
    for (const difference of differences) await output.data(typesLine(difference));
  } else {
    if (inspected.length > 0) await output.data(serverTable(inspected));
    if (problems.length > 0) output.complain(`\n${formatProblems(problems, { color: output.color })}\n`);
    output.note(summary(inspected));
  }
  return problems.some(({ severity }) => severity === 'error') ? EXIT_FAILED : EXIT_OK;
}

function serverTable(inspected: readonly InspectedServer[]): string {
  return formatTable(
    ['SERVER', 'VERSION', 'LATENCY', 'ROLE', 'READ-ONLY', 'CLOCK', 'DELAY', 'JOBS', 'FINDINGS'],
    inspected.map(({ server, report, failure, jobs }) => {
      const fine = jobs.filter((job) => !job.failure).length;
      const failing = jobs.length - fine;
      const findings = [
        ...(failure ? [failure.message] : []),
        ...(failing > 0 ? [`${failing} ${failing === 1 ? 'job fails' : 'jobs fail'}`] : []),
        ...(report?.excess ?? []),
      ].join('; ');
      const counted = failure && jobs.length === 0 ? '-' : `${fine}/${jobs.length}`;
      if (!report) return [server.name, '-', '-', server.user, '-', '-', '-', counted, findings];
      return [
        server.name,
        report.version,
        `${report.latency.toFixed(1)} ms`,
        report.role,
        report.standby ? 'standby' : report.readOnly ? 'yes' : 'no',
        Math.abs(report.clockOffset) <= report.clockUncertainty ? '0 ms' : signed(report.clockOffset),
        report.replayDelay === undefined ? '-' : span(report.replayDelay),
        counted,
        findings,
      ];
    }),
  );
}

function summary(inspected: readonly InspectedServer[]): string {
  const reached = inspected.filter(({ report }) => report).length;
  const checked = inspected.flatMap(({ jobs }) => jobs);
  const failed = checked.filter(({ failure }) => failure).length;
  const servers = `${reached} of ${inspected.length} ${inspected.length === 1 ? 'server' : 'servers'} reached`;
  return `${servers}; jobs that can run on them: ${checked.length - failed} of ${checked.length}`;
}

function signed(milliseconds: number): string {
  return `${milliseconds < 0 ? '-' : '+'}${span(Math.abs(milliseconds))}`;
}

function span(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
