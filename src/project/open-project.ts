// A project's files loaded and checked in whole: configuration, schedules and SQL, every problem of every file at once.
import { loadProject } from '../config/load.ts';
import type { Problem } from '../model/problem.ts';
import type { IngestJob, Job, Project, PublishJob } from '../model/project.ts';
import { scheduleHash } from '../schedule/hash.ts';
import { parseSchedule } from '../schedule/parse.ts';
import { checkIngestSql } from '../sql/ingest.ts';
import { checkJobSql } from '../sql/job-sql.ts';
import { loadParser } from '../sql/parser.ts';
import type { PreparedIngest, PreparedJob, PreparedPublish, Timetable } from './prepared.ts';

export interface OpenedProject {
  /** Undefined when a file has errors. */
  readonly project: Project | undefined;
  /** The jobs, ready to run; empty when there are errors. */
  readonly jobs: readonly PreparedJob[];
  readonly problems: readonly Problem[];
}

export interface OpenOptions {
  readonly configPath?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Only this job is checked and prepared, where there is one of that name: `run` need not wait for the other 200. */
  readonly only?: string;
  /** Called when the files are read and before their SQL is looked at: what needs a moment to connect can begin. */
  readonly onLoaded?: (project: Project) => void;
}

/** Never throws for what is wrong in the files: that is in `problems`. */
export async function openProject(options: OpenOptions): Promise<OpenedProject> {
  const parser = loadParser();
  const loaded = loadProject(options);
  if (loaded.project) options.onLoaded?.(loaded.project);
  await parser;
  const problems: Problem[] = [...loaded.problems];
  const candidates = loaded.jobs.filter((job) => options.only === undefined || job.name === options.only);
  const jobs = candidates.flatMap((job) => prepare(job, problems) ?? []);
  const failed = problems.some((problem) => problem.severity === 'error');
  return { project: failed ? undefined : loaded.project, jobs: failed ? [] : jobs, problems };
}

function prepare(job: Job, problems: Problem[]): PreparedJob | undefined {
  return job.kind === 'publish' ? preparePublish(job, problems) : prepareIngest(job, problems);
}

function preparePublish(job: PublishJob, problems: Problem[]): PreparedPublish | undefined {
  const timetable = readTimetable(job, problems);
  const checked = checkJobSql(job);
  problems.push(...checked.problems);
  if (!checked.compiled) return undefined;
  const interval = checked.compiled.usesWindow;
  if (interval && timetable && job.delay === 0) {
    problems.push({
      severity: 'warning',
      message: `job \`${job.name}\` uses its window but has no \`delay\`: rows that are committed late are missed`,
      hint: 'add `delay: 5s`, or as long as the longest transaction that writes to the table',
      file: job.query.file,
      span: job.declared.span,
    });
  }
  if (interval && !timetable) {
    problems.push({
      severity: 'error',
      message: `job \`${job.name}\` uses its window but has no \`schedule\`, from which the window comes`,
      hint: 'add a `schedule`, or compute the range from `now()`',
      file: job.query.file,
      span: job.declared.span,
    });
  }
  return {
    kind: 'publish',
    job,
    timetable,
    sql: checked.compiled,
    interval,
    overlap: job.overlap ?? (interval ? 'queue' : 'skip'),
    catchup: job.catchup ?? (interval ? 'all' : 'latest'),
    fingerprint: fingerprint(job),
  };
}

function prepareIngest(job: IngestJob, problems: Problem[]): PreparedIngest | undefined {
  const timetable = readTimetable(job, problems);
  const checked = checkIngestSql(job);
  problems.push(...checked.problems);
  if (!checked.compiled) return undefined;
  return { kind: 'ingest', job, timetable, sql: checked.compiled, fingerprint: fingerprint(job) };
}

function readTimetable(job: Job, problems: Problem[]): Timetable | undefined {
  if (!job.schedule) return undefined;
  const text = job.schedule;
  const parsed = parseSchedule(text.value);
  if (parsed.ok) {
    const timezone = job.timezone.value;
    return { schedule: parsed.schedule, timezone, hash: scheduleHash(parsed.schedule, timezone) };
  }
  problems.push({
    severity: 'error',
    message: parsed.message,
    ...(parsed.hint === undefined ? {} : { hint: parsed.hint }),
    file: text.file,
    span: { start: text.toFileOffset(parsed.start), end: text.toFileOffset(parsed.end) },
  });
  return undefined;
}

/** Changes when anything the job says changes; where it says it does not count, nor which servers there are. */
function fingerprint(job: Job): string {
  return JSON.stringify(job, (key, value: unknown) => (PLACES.has(key) ? undefined : value));
}

const PLACES: ReadonlySet<string> = new Set(['declared', 'file', 'span', 'servers', 'selector']);
