// `pgtally schema`: the JSON Schema of the files, for editors.
import { jobSchema, projectSchema, serversSchema } from '../config/schema.ts';
import type { CommandContext } from './context.ts';
import { EXIT_OK } from './failure.ts';

const SCHEMAS: Readonly<Record<string, () => unknown>> = {
  job: jobSchema,
  project: projectSchema,
  servers: serversSchema,
};

export async function schema(
  { output }: CommandContext,
  _: string[],
  options: Record<string, unknown>,
): Promise<number> {
  await output.data(JSON.stringify(SCHEMAS[options.of as string]?.(), null, 2));
  return EXIT_OK;
}
