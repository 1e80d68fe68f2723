// `pgtally check`: every file, name, schedule and SQL, without a server; with `--servers` and `--kafka` also what only they know.
import { formatProblems, problemToJson, sortProblems } from '../config/frame.ts';
import { openProject } from '../project/open-project.ts';
import type { PreparedJob } from '../project/prepared.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK, EXIT_USAGE } from './failure.ts';

export async function check(context: CommandContext, _: string[], options: Record<string, unknown>): Promise<number> {
  const { io, output } = context;
  const configPath = context.options.config;
  const opened = await openProject({ cwd: io.cwd, env: io.env, ...(configPath === undefined ? {} : { configPath }) });
  if (output.json)
    for (const problem of sortProblems(opened.problems)) await output.data(JSON.stringify(problemToJson(problem)));
  else if (opened.problems.length > 0) output.complain(formatProblems(opened.problems, { color: output.color }));
  if (!opened.project) return EXIT_USAGE;
  if (output.verbose) for (const job of opened.jobs) output.note(asUnderstood(job));
  const { jobs, servers } = opened.project;
  const counted = `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}, ${servers.length} ${servers.length === 1 ? 'server' : 'servers'}`;
  if (!output.json) output.note(opened.problems.length === 0 ? `${counted}: no problems` : counted);
  let code: number = EXIT_OK;
  if (options.servers === true) {
    const { checkServers } = await import('./check-servers.ts');
    code = Math.max(code, await checkServers(context, opened.project, opened.jobs));
  }
  if (options.kafka === true) {
    const { checkKafka } = await import('./check-kafka.ts');
    code = Math.max(code, await checkKafka(context, opened.project, opened.jobs));
  }
  return code;
}

/** The SQL as it is understood: what YAML may have made of it can be seen here. */
function asUnderstood(prepared: PreparedJob): string {
  const lines = [`${prepared.job.name}:`];
  const add = (label: string, text: string): void => {
    lines.push(`  ${label}: ${text.trim().replaceAll('\n', '\n    ')}`);
  };
  if (prepared.kind === 'publish') {
    const { job } = prepared;
    add('query', job.query.value);
    for (const expression of job.key?.expressions ?? []) add('key', expression.value);
    if (job.value) add('value', job.value.value);
    for (const { name, expression } of job.headers) add(`header ${name}`, expression.value);
    add('kind', prepared.interval ? 'interval (it uses its window)' : 'snapshot');
    add('overlap', prepared.overlap);
    add('catchup', prepared.catchup);
  } else {
    add('into', prepared.job.into.value);
    for (const { name, expression } of prepared.job.columns) add(`column ${name.value}`, expression.value);
  }
  return lines.join('\n');
}
