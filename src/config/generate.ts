// Writes what is derived from the field data: the JSON Schemas and the reference page. Run from the root of the repository.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { referencePage } from './reference.ts';
import { jobSchema, projectSchema, serversSchema } from './schema.ts';

/** Each generated file's path from the root of the repository, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const json = (schema: unknown): string => `${JSON.stringify(schema, null, 2)}\n`;
  return new Map([
    ['schema/project.schema.json', json(projectSchema())],
    ['schema/servers.schema.json', json(serversSchema())],
    ['schema/job.schema.json', json(jobSchema())],
    ['docs/reference.md', referencePage()],
  ]);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, text] of generatedFiles()) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    process.stdout.write(`${path}\n`);
  }
}
