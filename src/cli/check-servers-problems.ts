// What `check --servers` found out, as problems: failures of servers and jobs, rights a role should not have, clocks and
// standbys that make an interval job miss rows, columns of different types.
import type { Failure } from '../model/failure.ts';
import { nameSome } from '../model/name-some.ts';
import type { Problem } from '../model/problem.ts';
import type { Project } from '../model/project.ts';
import { formatDuration, type Milliseconds } from '../model/units.ts';
import { isTableRight, type ServerReport } from '../postgres/privileges.ts';
import type { TypeDifference } from '../publish/compare-servers.ts';
import type { InspectedJob, InspectedServer } from '../publish/inspect-servers.ts';
import { LEAST_PRIVILEGED_ROLE, privilegedFailure } from '../publish/privileged.ts';
import { groupByCause, type Occurrence } from './causes.ts';

/** A clock that is off by less than this is worth no word. */
const CLOCK_TOLERANCE: Milliseconds = 1000;

/** Errors are what fails runs; all else is a warning. */
export function judgeServers(
  inspected: readonly InspectedServer[],
  differences: readonly TypeDifference[],
  privileged: Project['privileged'],
): Problem[] {
  const occurrences = inspected.flatMap((server) => [
    ...failures(server),
    ...rights(server, privileged),
    ...lateness(server),
  ]);
  const errorsFirst = occurrences.sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  return [...groupByCause(errorsFirst), ...differences.map(differenceProblem)];
}

function failures({ server, failure, jobs }: InspectedServer): Occurrence[] {
  const found: Occurrence[] = [];
  if (failure) found.push({ server, severity: 'error', cause: failure.message, hint: failure.hint });
  for (const job of jobs) {
    if (job.failure) {
      const { message, hint } = job.failure;
      found.push({ server, severity: 'error', cause: message, hint, ...placeOf(job) });
    }
    for (const { message, hint } of job.warnings) {
      found.push({ server, severity: 'warning', cause: message, hint, about: nameOf(job) });
    }
  }
  return found;
}

function placeOf(job: InspectedJob): Pick<Occurrence, 'place' | 'about'> {
  return job.place ? { place: job.place } : { about: nameOf(job) };
}

function nameOf({ prepared }: InspectedJob): string {
  return `job \`${prepared.job.name}\``;
}

/**
 * The refusal of a server's role by `privileged: refuse`. A job that ingests has to write: where there are no others, what
 * is too much is a warning.
 */
export function refusalOf({ report, jobs }: InspectedServer, privileged: Project['privileged']): Failure | undefined {
  const ingestsOnly = jobs.length > 0 && jobs.every(({ prepared }) => prepared.kind === 'ingest');
  if (privileged === 'warn' || !report || report.excess.length === 0 || ingestsOnly) return undefined;
  return privilegedFailure(report.role, report.excess);
}

/** Where jobs ingest, what the role may do to tables is no finding. */
function rights(inspected: InspectedServer, privileged: Project['privileged']): Occurrence[] {
  const { server, report, jobs } = inspected;
  const refusal = refusalOf(inspected, privileged);
  if (refusal) return [{ server, severity: 'error', cause: refusal.message, hint: refusal.hint }];
  if (!report) return [];
  const ingests = jobs.some(({ prepared }) => prepared.kind === 'ingest');
  const excess = ingests ? report.excess.filter((word) => !isTableRight(word)) : report.excess;
  if (excess.length === 0) return [];
  const cause = `role \`${report.role}\` ${excess.join(', ')}`;
  return [{ server, severity: 'warning', cause, hint: LEAST_PRIVILEGED_ROLE }];
}

function lateness({ server, report, jobs }: InspectedServer): Occurrence[] {
  if (!report) return [];
  const found: Occurrence[] = [];
  const beyond = Math.abs(report.clockOffset) - report.clockUncertainty;
  if (beyond > CLOCK_TOLERANCE) {
    const cause = `its clock is ${seconds(report.clockOffset)} ${report.clockOffset > 0 ? 'ahead of' : 'behind'} this machine's`;
    found.push({
      server,
      severity: 'warning',
      cause,
      hint: 'let NTP set both clocks: windows are compared with its times',
    });
  }
  for (const { prepared } of jobs) {
    if (prepared.kind !== 'publish' || !prepared.interval) continue;
    const late = missingTime(report) - prepared.job.delay;
    if (late <= 0) continue;
    const cause = `rows of the last ${seconds(missingTime(report))} are not there yet, which its \`delay\` of ${formatDuration(prepared.job.delay)} does not cover`;
    const hint = 'raise `delay`, or ask the primary';
    found.push({ server, severity: 'warning', cause, hint, about: `job \`${prepared.job.name}\`` });
  }
  return found;
}

/** How long after an instant of ours rows may still come that bear a time before it. */
function missingTime({ replayDelay = 0, clockOffset, clockUncertainty }: ServerReport): Milliseconds {
  return replayDelay + Math.max(0, -clockOffset - clockUncertainty);
}

function seconds(milliseconds: Milliseconds): string {
  return `${(Math.abs(milliseconds) / 1000).toFixed(1)} s`;
}

function differenceProblem({ job, column, types }: TypeDifference): Problem {
  const { name, declared } = job.job;
  const parts = types.map(({ type, servers }) => {
    const on = servers.length === 1 ? `on ${servers[0]}` : `on ${servers.length} servers (${nameSome(servers)})`;
    return `${type === undefined ? 'missing' : `\`${type}\``} ${on}`;
  });
  return {
    severity: 'warning',
    message: `column \`${column}\` of job \`${name}\` is not the same everywhere: ${parts.join(', ')}`,
    hint: `readers of the topic see both: make the tables alike, or cast it in the query (\`… as ${column}\`)`,
    file: declared.file,
    span: declared.span,
  };
}
