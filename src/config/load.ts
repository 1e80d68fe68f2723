// A project from its files. Everything that is wrong in any of them comes back in one go, as located problems.
import { dirname, resolve } from 'node:path';
import type { Problem } from '../model/problem.ts';
import type { Job, Project } from '../model/project.ts';
import type { SourceFile } from '../model/source.ts';
import type { Draft } from './field.ts';
import { defaultsFields, type projectFields, project as projectShape } from './fields/project.ts';
import { readSource } from './files.ts';
import { findFiles, isGlob } from './glob.ts';
import { loadJobs } from './jobs.ts';
import { gatherProblems, type Place, type Problems, show } from './problems.ts';
import { readObject } from './read.ts';
import { loadServers } from './servers.ts';
import { toKafkaSettings, toLedgerSettings, toLimits, toMetricsSettings, toStatusSettings } from './settings.ts';
import type { Environment } from './variables.ts';
import { parseYaml } from './yaml-document.ts';

export interface LoadOptions {
  /** pgtally.yaml, relative to `cwd`; absent = the one in `cwd`. */
  readonly configPath?: string | undefined;
  readonly cwd: string;
  /** What `${NAME}` stands for, and libpq's `PGPASSWORD`, `PGPASSFILE`, `PGSSLMODE`, …: `process.env`. */
  readonly env: Environment;
}

export interface Loaded {
  /** Absent when there is any error; warnings leave it. */
  readonly project: Project | undefined;
  /** The jobs that could be read, whatever is wrong elsewhere: their SQL and schedules can be checked all the same. */
  readonly jobs: readonly Job[];
  readonly problems: readonly Problem[];
}

/**
 * Reads pgtally.yaml, the server files it includes and the job files it names. Never throws for what a user wrote.
 * To load again after a change is to call it again.
 */
export function loadProject(options: LoadOptions): Loaded {
  const problems = gatherProblems();
  const path = resolve(options.cwd, options.configPath ?? 'pgtally.yaml');
  const file = readConfig(path, options, problems);
  const built = file && build(file, path, options, problems);
  const failed = problems.errors() > 0;
  return { project: failed ? undefined : built?.project, jobs: built?.jobs ?? [], problems: problems.all };
}

function readConfig(path: string, { configPath, cwd }: LoadOptions, problems: Problems): SourceFile | undefined {
  const own = gatherProblems();
  const file = readSource(path, { cwd, holdsSecrets: true }, own);
  const [problem] = own.all;
  if (problem) {
    const hint = configPath === undefined ? 'start a project with `pgtally init`, or name a file with `-c`' : undefined;
    problems.error(problem.message, undefined, hint);
  }
  return file;
}

type ProjectDraft = Draft<typeof projectFields>;

interface Built {
  readonly jobs: readonly Job[];
  readonly project: Project | undefined;
}

function build(file: SourceFile, path: string, options: LoadOptions, problems: Problems): Built {
  const { cwd, env } = options;
  const folder = dirname(path);
  const draft = readConfigFields(file, env, problems) ?? unreadable(file);
  const found = loadServers(draft.servers?.value ?? [], { folder, cwd, env, problems });
  const serversAreComplete = draft.servers !== undefined && found.complete && !problems.hasErrorIn(draft.servers);
  const jobFiles = readJobFiles(draft, folder, cwd, problems);
  const jobs = loadJobs(jobFiles.sources, {
    servers: found.servers,
    serversAreComplete,
    defaults: draft.defaults?.value ?? {},
    problems,
  });
  const settings = toSettings(draft, folder, problems);
  const files = [path, ...found.files, ...jobFiles.paths];
  const folders = [...new Set([...jobFiles.folders, ...found.folders])];
  return { jobs, project: settings && { folder, ...settings, servers: found.servers, jobs, files, folders } };
}

function readConfigFields(file: SourceFile, env: Environment, problems: Problems): ProjectDraft | undefined {
  const before = problems.errors();
  const [root, second] = parseYaml(file, { variables: true }, problems);
  if (second)
    problems.error('pgtally.yaml holds one document', second, 'jobs go into files of their own below `jobs/`');
  if (root?.kind === 'map') return readObject(projectShape, root, { problems, variables: env });
  if (root) problems.error('pgtally.yaml is a map of fields', root, 'begin with `kafka:`');
  else if (problems.errors() === before) {
    const hint = 'give it at least `kafka: {brokers: [localhost:9092]}`';
    problems.error('this file is empty', { file, span: { start: 0, end: 0 } }, hint);
  }
  return undefined;
}

/** Where pgtally.yaml cannot be read, the job files in their usual place are checked all the same. */
function unreadable(file: SourceFile): ProjectDraft {
  const nowhere = { file, span: { start: 0, end: 0 } };
  return { jobs: { as: 'glob', value: { value: projectShape.fields.jobs.default, ...nowhere } } };
}

interface JobFiles {
  readonly sources: readonly SourceFile[];
  readonly paths: readonly string[];
  readonly folders: readonly string[];
}

function readJobFiles({ jobs }: ProjectDraft, folder: string, cwd: string, problems: Problems): JobFiles {
  const patterns = jobs === undefined ? [] : jobs.as === 'glob' ? [jobs.value] : jobs.value.value;
  const sources = new Map<string, SourceFile>();
  const folders = new Set<string>();
  for (const pattern of patterns) {
    const found = findFiles(folder, pattern.value);
    for (const searched of found.folders) folders.add(searched);
    if (found.files.length === 0) reportNoJobs(pattern.value, pattern, problems);
    for (const path of found.files) {
      if (sources.has(path)) continue;
      const source = readSource(path, { cwd, holdsSecrets: false }, problems, pattern);
      if (source) sources.set(path, source);
    }
  }
  return { sources: [...sources.values()], paths: [...sources.keys()], folders: [...folders] };
}

function reportNoJobs(pattern: string, place: Place, problems: Problems): void {
  if (!isGlob(pattern)) {
    problems.error(`there is no job file ${show(pattern, place)}`, place);
    return;
  }
  const { file, span } = place;
  const hint = 'put jobs there, or name other files under `jobs`';
  // The default stands nowhere in the file.
  const where = span.start === span.end ? { file } : { file, span };
  problems.add({ severity: 'warning', message: `no job file matches ${show(pattern, place)}`, hint, ...where });
}

type Settings = Pick<Project, 'kafka' | 'ledger' | 'limits' | 'metrics' | 'status' | 'privileged'>;

function toSettings(draft: ProjectDraft, folder: string, problems: Problems): Settings | undefined {
  const kafka = draft.kafka && toKafkaSettings(draft.kafka.value, folder, problems);
  const ledger = draft.ledger && toLedgerSettings(draft.ledger.value);
  const limits = draft.limits && toLimits(draft.limits.value, problems);
  const status = draft.status && toStatusSettings(draft.status.value, problems);
  const metrics = draft.metrics && toMetricsSettings(draft.metrics.value);
  if (!kafka || !ledger || !limits || !metrics || !status) return undefined;
  const privileged = draft.defaults?.value.privileged?.value ?? defaultsFields.privileged.default;
  return { kafka, ledger, limits, metrics, status, privileged };
}
