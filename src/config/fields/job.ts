// The fields of a job file's document: a job that publishes has `query`, a job that ingests has `ingest`.
import type { EitherShape, Fields, ObjectShape } from '../field.ts';
import { commonPolicy, publishPolicy } from './policy.ts';

/** Which servers, as a selector of jobs is written. */
const selector = {
  type: 'either',
  of: {
    name: { type: 'text', format: 'serverGlob' },
    names: { type: 'list', items: { type: 'text', format: 'serverGlob' } },
    labels: {
      type: 'map',
      names: 'label',
      values: {
        type: 'either',
        of: {
          one: { type: 'text', anyScalar: true },
          any: { type: 'list', items: { type: 'text', anyScalar: true } },
        },
      },
    },
  },
} as const satisfies EitherShape;

const name = {
  type: 'text',
  format: 'name',
  absent: "the file's name without `.yaml`, where the file holds one job",
  description: 'The name of the job. Unique in the project; the ledger knows the job by it.',
  examples: ['group-counts'],
} as const;

const description = {
  type: 'text',
  mayBeEmpty: true,
  description: 'What the job is for, shown on the status page.',
  examples: ['Rows per group on every shard'],
} as const;

const schedule = {
  type: 'sql',
  language: 'cron',
  absent: 'the job runs only by hand',
  description:
    'When the job runs: 5 or 6 cron fields, or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. Always in quotes, because `*` and `@` mean something else to YAML.',
  examples: ['*/10 * * * * *', '30 2 * * *', '@hourly'],
} as const;

export const topicFields = {
  name: {
    type: 'text',
    format: 'topic',
    required: true,
    description: 'The name of the topic.',
    examples: ['AGGREGATIONS'],
  },
  partitions: {
    type: 'integer',
    minimum: 1,
    maximum: 100_000,
    absent: "the brokers' default",
    description: 'How many partitions pgtally creates it with.',
    examples: [6],
  },
  replication: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    absent: "the brokers' default",
    description: 'How many replicas pgtally creates it with.',
    examples: [3],
  },
  config: {
    type: 'map',
    names: 'configName',
    values: { type: 'text', anyScalar: true },
    mayBeEmpty: true,
    absent: "the brokers' settings",
    description: 'Settings pgtally creates it with, by their Kafka names.',
    examples: [{ 'cleanup.policy': 'compact', 'retention.ms': 86_400_000 }],
  },
} as const satisfies Fields;

export const publishFields = {
  name,
  description,
  schedule,
  servers: {
    ...selector,
    absent: 'all servers',
    description:
      'The servers the job runs on: a name or glob, a list of them, or labels. Of several labels all must hold; of a list of values any. A name without `/` also stands for all databases of that server.',
    examples: ['shard-1', 'edge-*', ['shard-1', 'edge-*/billing'], { role: 'shard', region: ['eu', 'us'] }],
  },
  query: {
    type: 'sql',
    required: true,
    whenMissing: 'a job needs a `query`, whose rows it publishes, or `ingest`, which reads a topic',
    description:
      'One read statement, run in a read-only transaction. `:slot`, `:window_start` and `:window_end` (timestamptz), `:server` (text) and `:labels` (jsonb) stand for values of the run; a job whose SQL uses the window is an interval job, any other a snapshot job.',
    examples: ['select group_id, count(*) as rows\nfrom main\ngroup by group_id\n'],
  },
  topic: {
    type: 'either',
    of: {
      name: { type: 'text', format: 'topic' },
      settings: { type: 'object', fields: topicFields },
    },
    required: true,
    whenMissing: 'name the topic the rows go to: `topic: AGGREGATIONS`',
    description: 'The topic the rows go to. As a map it also says how `pgtally topics create` makes it.',
    examples: ['AGGREGATIONS', { name: 'AGGREGATIONS', partitions: 6, replication: 3 }],
  },
  key: {
    type: 'either',
    of: { one: { type: 'sql' }, several: { type: 'list', items: { type: 'sql' } } },
    absent: 'records without a key',
    description:
      "The record's key: an SQL expression over the query's columns, cast to text. A list becomes a JSON array of the texts.",
    examples: ['inet_server_addr()', ['tenant', 'group_id']],
  },
  value: {
    type: 'sql',
    absent: '`row_to_json(q.*)`, or the only column where it is json or jsonb',
    description: "The record's value: an SQL expression over `q`, the row. NULL is a tombstone and needs a key.",
    examples: ["json_build_object('group', group_id, 'rows', rows)"],
  },
  headers: {
    type: 'map',
    names: 'header',
    values: { type: 'sql' },
    absent: 'the headers pgtally sets on each record',
    description: "Headers of each record besides pgtally's own, each an SQL expression.",
    examples: [{ database: 'current_database()' }],
  },
  ...commonPolicy,
  ...publishPolicy,
} as const satisfies Fields;

export const ingestDetailFields = {
  topic: {
    type: 'text',
    format: 'topic',
    required: true,
    description: 'The topic that is read.',
    examples: ['PGSHARD'],
  },
  from: {
    type: 'choice',
    of: ['stored', 'beginning', 'end'],
    default: 'stored',
    description:
      'Where a partition begins that the job has not read before: at its beginning (`stored`, `beginning`) or at its end. From then on each run goes on where the last one stood; `pgtally ingest reset` sets that.',
    examples: ['stored'],
  },
  partitions: {
    type: 'either',
    of: {
      all: { type: 'choice', of: ['all'] },
      some: { type: 'list', items: { type: 'integer', minimum: 0, maximum: 2_147_483_647 } },
    },
    default: 'all',
    description: 'Which partitions are read.',
    examples: ['all', [0, 1]],
  },
  limit: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000_000,
    absent: 'to the end as of the start of the run',
    description: 'How many rows of a partition one run writes at most.',
    examples: [100],
  },
  into: {
    type: 'text',
    required: true,
    description: 'The table the rows go to, as SQL names it.',
    examples: ['main', 'app.events'],
  },
  columns: {
    type: 'map',
    names: 'column',
    values: { type: 'sql' },
    required: true,
    whenMissing: 'say what each column gets: `columns: {payload: envelope}`',
    description:
      'Each column and its SQL expression over `topic`, `partition`, `"offset"`, `timestamp`, `key`, `value`, `headers` and `envelope`.',
    examples: [{ group_id: "'P' || partition", payload: 'envelope' }],
  },
  on_error: {
    type: 'choice',
    of: ['stop', 'dead_letter'],
    default: 'stop',
    description:
      'What a message does whose columns fail to convert: stop its partition, or go to the table `pgtally.dead_letters`.',
    examples: ['dead_letter'],
  },
} as const satisfies Fields;

export const ingestFields = {
  name,
  description,
  schedule,
  stream: {
    type: 'boolean',
    default: false,
    description: 'Reads without end instead of on a schedule. Then there is no `schedule` and no `limit`.',
    examples: [true],
  },
  servers: {
    ...selector,
    absent: 'all servers, of which there must be one only',
    description: 'The one server the rows go to.',
    examples: ['warehouse', { role: 'warehouse' }],
  },
  ingest: {
    type: 'object',
    fields: ingestDetailFields,
    required: true,
    description: 'Reads a topic into a table, each message once.',
    examples: [{ topic: 'PGSHARD', into: 'main', columns: { payload: 'envelope' } }],
  },
  ...commonPolicy,
} as const satisfies Fields;

export const publishJob = { type: 'object', fields: publishFields } as const satisfies ObjectShape;
export const ingestJob = { type: 'object', marker: 'ingest', fields: ingestFields } as const satisfies ObjectShape;

/** A document of a job file. */
export const job = { type: 'either', of: { publish: publishJob, ingest: ingestJob } } as const satisfies EitherShape;
