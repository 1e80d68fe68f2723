// The first step of nearly every command: the project's files, with their problems printed.
import { formatProblems } from '../config/frame.ts';
import { loadProject } from '../config/load.ts';
import { nameSome } from '../model/name-some.ts';
import type { Problem } from '../model/problem.ts';
import type { Project } from '../model/project.ts';
import { openProject } from '../project/open-project.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './failure.ts';

export interface ReadyProject {
  readonly project: Project;
  readonly jobs: readonly PreparedJob[];
  readonly problems: readonly Problem[];
}

/**
 * Undefined when a file has errors (they are printed): exit with EXIT_USAGE. `only`: prepare just this job. `onLoaded`: as
 * for openProject.
 */
export async function openOrComplain(
  context: CommandContext,
  only?: string,
  onLoaded?: (project: Project) => void,
): Promise<ReadyProject | undefined> {
  const { io, options, output } = context;
  const opened = await openProject({
    cwd: io.cwd,
    env: io.env,
    ...(options.config === undefined ? {} : { configPath: options.config }),
    ...(only === undefined ? {} : { only }),
    ...(onLoaded === undefined ? {} : { onLoaded }),
  });
  const { project, jobs, problems } = opened;
  if (project) return { project, jobs, problems };
  output.complain(formatProblems(problems, { color: output.color }));
  return undefined;
}

/** The project without a look at its SQL and schedules, for commands that only go to Kafka; undefined as above. */
export function loadSettings({ io, options, output }: CommandContext): Project | undefined {
  const { project, problems } = loadProject({ cwd: io.cwd, env: io.env, configPath: options.config });
  if (!project) output.complain(formatProblems(problems, { color: output.color }));
  return project;
}

/** The job of that name. Throws a UsageError that lists what there is. */
export function findJob(ready: ReadyProject, name: string): PreparedJob {
  const job = ready.jobs.find((candidate) => candidate.job.name === name);
  if (job) return job;
  const names = ready.project.jobs.map((candidate) => candidate.name);
  throw new UsageError(
    `there is no job named \`${name}\``,
    names.length === 0 ? 'no file in `jobs/` defines a job yet' : `jobs: ${nameSome(names, 20)}`,
  );
}

/** An instant a person typed: RFC 3339 (without a zone it is UTC). Throws a UsageError. */
export function parseInstant(value: unknown, option: string): number {
  const text = typeof value === 'string' ? value : '';
  const withZone = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(text) || !/\d{2}:\d{2}/.test(text) ? text : `${text}Z`;
  const instant = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?/.test(text)
    ? Date.parse(withZone.replace(' ', 'T'))
    : Number.NaN;
  if (Number.isNaN(instant))
    throw new UsageError(`${option}: \`${text}\` is not a time`, 'write it as 2027-03-28T01:00:00Z');
  return instant;
}

/** A whole number of at least `minimum`. Throws a UsageError. */
export function parseCount(text: unknown, option: string, minimum = 1): number {
  const value = Number(text);
  if (typeof text !== 'string' || !/^\d+$/.test(text) || value < minimum)
    throw new UsageError(`${option}: \`${text as string}\` is not a whole number of at least ${minimum}`);
  return value;
}
