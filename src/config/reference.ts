// The reference page (docs/reference.md), derived from the field data.
import { Document, isCollection, isScalar } from 'yaml';
import type { Field, Fields, Json, Shape } from './field.ts';
import { ingestFields, publishFields } from './fields/job.ts';
import { projectFields } from './fields/project.ts';
import { includeFields, serverFields } from './fields/server.ts';
import { expectation } from './words.ts';

/** The whole page as Markdown. */
export function referencePage(): string {
  const policyNames = Object.keys(projectFields.defaults.fields);
  return [
    '<!-- Generated from src/config/fields by `npm run generate`. Do not edit. -->',
    '# Reference: the files of a project',
    `Every field of pgtally.yaml, of server files and of job files. All are YAML 1.2; unknown and duplicate fields are errors. In pgtally.yaml and server files \`\${NAME}\` and \`\${NAME:-default}\` stand for environment variables. Durations are numbers with the units \`ms\`, \`s\`, \`m\`, \`h\` and \`d\` (\`1h30m\`), sizes with \`B\`, \`KiB\`, \`MiB\`, \`GiB\`, \`kB\`, \`MB\` and \`GB\`. Globs know \`*\`, \`?\` and, in paths, \`**\`.`,
    section('pgtally.yaml', 'Where Kafka and the servers are, and what holds for all jobs.', projectFields, {
      servers: 'See [A server](#a-server).',
      defaults: `Any of ${policyNames.map((name) => `\`${name}\``).join(', ')}, as described for [a job](#a-job-that-publishes); and:`,
    }),
    section(
      'A server',
      'One item of `servers` in pgtally.yaml, or of a server file, which is a list of such items.',
      serverFields,
    ),
    section('Included servers', 'An item of `servers` in pgtally.yaml may name files instead.', includeFields),
    section(
      'A job that publishes',
      'A document of a job file. Several in one file are separated by `---`.',
      publishFields,
    ),
    section('A job that ingests', 'A document with `ingest` in place of `query`.', ingestFields),
  ]
    .join('\n\n')
    .concat('\n');
}

type Notes = Readonly<Record<string, string>>;

function section(title: string, lead: string, fields: Fields, notes: Notes = {}): string {
  return [`## ${title}`, lead, ...describeFields(fields, '', notes)].join('\n\n');
}

function describeFields(fields: Fields, prefix: string, notes: Notes): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const note = notes[path];
    return [
      `### \`${path}\``,
      facts(field),
      field.description,
      ...(note === undefined ? [] : [note]),
      ...(field.examples ?? []).map((example) => fence(name, field, example)),
      ...describeFields(innerFields(field, path), `${path}.`, notes),
    ];
  });
}

/** Fields of an object that are described below it; those of a server and of the policy have their own place. */
function innerFields(field: Field, path: string): Fields {
  if (path === 'defaults' && field.type === 'object') {
    return Object.fromEntries(Object.entries(field.fields).filter(([name]) => name === 'privileged'));
  }
  if (field.type === 'object') return field.fields;
  if (field.type !== 'either') return {};
  return Object.values(field.of).find((option) => option.type === 'object')?.fields ?? {};
}

function facts(field: Field): string {
  const kind = sentence(kindOf(field));
  if (field.required) return `_${kind}. Required._`;
  if (field.default !== undefined && !isEmptyObject(field.default))
    return `_${kind}. Default: \`${inline(field.default)}\`._`;
  return field.absent === undefined ? `_${kind}._` : `_${kind}. If absent: ${field.absent}._`;
}

function kindOf(shape: Shape): string {
  switch (shape.type) {
    case 'list':
      return `a list of ${pluralOf(kindOf(shape.items))}`;
    case 'map':
      return `a map whose values are ${kindOf(shape.values).replace('; or', ' or')}`;
    case 'object':
      return 'a map of fields';
    case 'either':
      return [...new Set(Object.values(shape.of).map(kindOf))].join('; or ');
    case 'integer':
      return `a whole number from ${shape.minimum} to ${shape.maximum}`;
    case 'duration':
    case 'size': {
      const least = shape.minimum === undefined ? '' : ` of at least ${shape.minimum}`;
      const most = shape.maximum === undefined ? '' : `${least === '' ? ' of' : ' and'} at most ${shape.maximum}`;
      return `a ${shape.type}${least}${most}`;
    }
    case 'percent':
      return 'a percentage';
    case 'text':
      return shape.anyScalar ? 'text or a number' : 'text';
    default:
      return expectation(shape);
  }
}

function pluralOf(kind: string): string {
  return kind.replace('a map', 'maps').replace('a whole number', 'whole numbers').replace('a number', 'numbers');
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function isEmptyObject(json: Json): boolean {
  return json !== null && typeof json === 'object' && !Array.isArray(json) && Object.keys(json).length === 0;
}

function inline(json: Json): string {
  return write(new Document(json)).trim();
}

function fence(name: string, field: Field, example: Json): string {
  const document = new Document({ [name]: example });
  const value = document.get(name, true);
  if (isCollection(value)) value.flow = true;
  if (isScalar(value) && field.type === 'sql' && field.language === 'cron') value.type = 'QUOTE_DOUBLE';
  return `\`\`\`yaml\n${write(document)}\`\`\``;
}

/** As the formatter of the repository writes it: blanks inside braces, none inside brackets. */
function write(document: Document): string {
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  return text.replace(/\[ /g, '[').replace(/ \]/g, ']');
}
