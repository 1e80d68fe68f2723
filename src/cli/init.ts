// `pgtally init`: a starter project that passes `check` as it is. Overwrites nothing.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandContext } from './context.ts';
import { EXIT_OK } from './failure.ts';

const PROJECT_FILE = `# The project: where Kafka is, which servers there are. Every field: docs/reference.md, or \`pgtally schema --of project\`.
kafka:
  brokers: ["\${KAFKA_BROKERS:-localhost:9092}"]

servers:
  - name: local
    url: postgres://postgres@localhost:5432/postgres
    # \${NAME} takes a variable of the environment; \${NAME:-default} has a default.
    password: "\${POSTGRES_PASSWORD:-}"
    labels: {role: example}
  # Many servers of one kind are a range:
  # - name: edge-{n}
  #   for: {n: 1..200}
  #   url: postgres://pgtally@10.1.0.{n}/app
  #   labels: {role: edge}

# defaults: {timezone: Europe/Berlin, timeout: 30s}
`;

const JOB_FILE = `# A job: what is asked (query), when (schedule), of whom (servers), and where the rows go (topic, key).
# Try it:    pgtally check
#            pgtally run database-sizes --dry-run      (prints the exact records; needs no Kafka)
#            pgtally topics create                     (makes the topics the jobs name)
#            pgtally run database-sizes                (publishes now)
#            pgtally start                             (publishes at every slot, until Ctrl-C)
name: database-sizes
description: The size of every database, every minute
schedule: "* * * * *"
servers: {role: example}
query: |
  select now() as at, datname, pg_database_size(datname) as bytes
  from pg_database
  where datallowconn
topic: DATABASE_SIZES
key: datname
`;

/** Writes the starter files that are not there yet and says which. */
export async function init({ io, output }: CommandContext, [directory]: string[]): Promise<number> {
  const target = path.resolve(io.cwd, directory ?? '.');
  const files: readonly (readonly [name: string, text: string])[] = [
    ['pgtally.yaml', PROJECT_FILE],
    ['jobs/database-sizes.yaml', JOB_FILE],
  ];
  mkdirSync(path.join(target, 'jobs'), { recursive: true });
  for (const [name, text] of files) {
    const file = path.join(target, name);
    const shown = path.relative(io.cwd, file) || name;
    if (existsSync(file)) {
      output.note(`kept     ${shown} (it is there already)`);
    } else {
      writeFileSync(file, text, { flag: 'wx' });
      output.note(`created  ${shown}`);
    }
  }
  output.note(`next: ${directory ? `cd ${directory}, then ` : ''}edit pgtally.yaml and try \`pgtally check\``);
  return EXIT_OK;
}
