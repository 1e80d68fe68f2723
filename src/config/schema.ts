// JSON Schemas of the files, derived from the field data, for editors (yaml-language-server) and `pgtally schema`. A schema
// says what a single document can say; rules between files, such as selectors, are the loader's alone.
import type { EitherShape, Field, Fields, ObjectShape, Shape, TextShape } from './field.ts';
import { job } from './fields/job.ts';
import { project } from './fields/project.ts';
import { serverList } from './fields/server.ts';
import { type Format, formats } from './formats.ts';

/** JSON Schema, draft 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** The schema of pgtally.yaml. */
export function projectSchema(): JsonSchema {
  return root('pgtally.yaml', shapeSchema(project, true));
}

/** The schema of each document of a job file. */
export function jobSchema(): JsonSchema {
  return root('A pgtally job', shapeSchema(job, false));
}

/** The schema of a server file: what `include` under `servers` names. */
export function serversSchema(): JsonSchema {
  return root('A list of servers for pgtally', shapeSchema(serverList, true));
}

function root(title: string, schema: JsonSchema): JsonSchema {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema };
}

/** With `variables`, whatever is not free text may also be text that holds `${NAME}`. */
function shapeSchema(shape: Shape, variables: boolean): JsonSchema {
  switch (shape.type) {
    case 'text':
      return variables ? orVariable(textSchema(shape)) : textSchema(shape);
    case 'sql':
      return { type: 'string', pattern: '\\S' };
    case 'list':
      return {
        type: 'array',
        items: shapeSchema(shape.items, variables),
        ...(shape.mayBeEmpty ? {} : { minItems: 1 }),
      };
    case 'map': {
      const { pattern }: Format = formats[shape.names];
      const names = pattern === undefined ? {} : { propertyNames: { pattern } };
      const some = shape.mayBeEmpty ? {} : { minProperties: 1 };
      return { type: 'object', additionalProperties: shapeSchema(shape.values, variables), ...names, ...some };
    }
    case 'object':
      return objectSchema(shape, variables);
    case 'either':
      return eitherSchema(shape, variables);
    default:
      return variables ? orVariable(scalarSchema(shape)) : scalarSchema(shape);
  }
}

function textSchema(shape: TextShape): JsonSchema {
  const { pattern }: Format = shape.format === undefined ? { expects: '' } : formats[shape.format];
  return {
    type: shape.anyScalar ? ['string', 'number', 'boolean'] : 'string',
    ...(shape.mayBeEmpty ? {} : { minLength: 1 }),
    ...(pattern === undefined ? {} : { pattern }),
  };
}

type ScalarShape = Exclude<Shape, { readonly type: 'text' | 'sql' | 'list' | 'map' | 'object' | 'either' }>;

function scalarSchema(shape: ScalarShape): JsonSchema {
  switch (shape.type) {
    case 'duration':
      return { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$' };
    case 'size':
      return { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?\\s*(B|KiB|MiB|GiB|kB|MB|GB)$' };
    case 'percent':
      return { type: 'string', pattern: '^([0-9]{1,2}(\\.[0-9]+)?|100(\\.0+)?) ?%$' };
    case 'integer':
      return { type: 'integer', minimum: shape.minimum, maximum: shape.maximum };
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return { type: 'string', enum: shape.of };
  }
}

function orVariable(schema: JsonSchema): JsonSchema {
  if (schema.type === 'string' && schema.pattern === undefined && schema.enum === undefined) return schema;
  return { anyOf: [schema, { type: 'string', pattern: '\\$\\{' }] };
}

function objectSchema({ fields }: ObjectShape, variables: boolean): JsonSchema {
  const required = Object.entries<Field>(fields).flatMap(([name, field]) => (field.required ? [name] : []));
  return {
    type: 'object',
    properties: propertiesOf(fields, variables),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function propertiesOf(fields: Fields, variables: boolean): JsonSchema {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      {
        description:
          field.absent === undefined ? field.description : `${field.description}\nIf absent: ${field.absent}.`,
        ...shapeSchema(field, variables),
        ...(field.default === undefined ? {} : { default: field.default }),
        ...(field.examples === undefined ? {} : { examples: field.examples }),
      },
    ]),
  );
}

/** Objects are told apart by their marker first, so that an editor speaks of the one that is meant. */
function eitherSchema(shape: EitherShape, variables: boolean): JsonSchema {
  const objects = Object.values(shape.of).filter((option) => option.type === 'object');
  const marked = objects.find(({ marker }) => marker !== undefined);
  const unmarked = objects.find(({ marker }) => marker === undefined);
  if (marked && unmarked) {
    // The name `then` is JSON Schema's: nobody awaits this.
    return Object.fromEntries([
      ['if', { type: 'object', required: [marked.marker] }],
      // oxlint-disable-next-line unicorn/no-thenable
      ['then', objectSchema(marked, variables)],
      ['else', objectSchema(unmarked, variables)],
    ]);
  }
  return { anyOf: Object.values(shape.of).map((option) => shapeSchema(option, variables)) };
}
