// The fields of pgtally.yaml.
import type { Fields, ObjectShape } from '../field.ts';
import { policy } from './policy.ts';
import { include, server } from './server.ts';

export const kafkaTlsFields = {
  ca: {
    type: 'text',
    format: 'file',
    absent: 'the authorities Node trusts',
    description: 'The file of the authorities that may have signed the certificates of the brokers.',
    examples: ['certs/ca.pem'],
  },
  cert: {
    type: 'text',
    format: 'file',
    description: 'The file of the certificate that is shown to the brokers.',
    examples: ['certs/pgtally.pem'],
  },
  key: {
    type: 'text',
    format: 'file',
    description: 'The file of the private key of `cert`.',
    examples: ['certs/pgtally.key'],
  },
  server_name: {
    type: 'text',
    format: 'host',
    absent: "each broker's host",
    description: 'The name the certificates of the brokers must be for.',
    examples: ['kafka.internal'],
  },
} as const satisfies Fields;

export const saslFields = {
  mechanism: {
    type: 'choice',
    of: ['plain', 'scram-sha-256', 'scram-sha-512'],
    required: true,
    description: 'How the password is proved.',
    examples: ['scram-sha-512'],
  },
  username: { type: 'text', required: true, description: 'The user.', examples: ['pgtally'] },
  password: {
    type: 'text',
    secret: true,
    absent: '`password_file`',
    description: 'The password.',
    examples: [`\${KAFKA_PASSWORD}`],
  },
  password_file: {
    type: 'text',
    format: 'file',
    description: 'A file whose text is the password; read again when it changes.',
    examples: ['/run/secrets/kafka'],
  },
} as const satisfies Fields;

export const kafkaFields = {
  brokers: {
    type: 'list',
    items: { type: 'text', format: 'brokers' },
    required: true,
    whenMissing: 'for example `brokers: [localhost:9092]`',
    description:
      'Addresses of brokers to start from. One item may hold several with commas between, so that one variable can name all.',
    examples: [['localhost:9092'], ['kafka-1:9092', 'kafka-2:9092']],
  },
  client_id: {
    type: 'text',
    format: 'clientId',
    default: 'pgtally',
    description: 'What pgtally calls itself to the brokers, for their logs and quotas.',
    examples: ['pgtally-eu'],
  },
  compression: {
    type: 'choice',
    of: ['none', 'gzip', 'lz4', 'zstd'],
    default: 'none',
    description:
      'How record batches are compressed. `lz4` takes out the headers that records repeat and leaves keys and values as they are: ' +
      'the fastest of all for large results, but consumers on kafkajs need a codec for it. `gzip` and `zstd` make them smallest; ' +
      '`zstd` needs Node 22.15 or later.',
    examples: ['gzip'],
  },
  tls: {
    type: 'either',
    of: { on: { type: 'boolean' }, files: { type: 'object', fields: kafkaTlsFields } },
    default: false,
    description: 'Whether connections are encrypted; as a map, with which files.',
    examples: [true, { ca: 'certs/ca.pem', cert: 'certs/pgtally.pem', key: 'certs/pgtally.key' }],
  },
  sasl: {
    type: 'object',
    fields: saslFields,
    absent: 'no authentication',
    description: 'How pgtally proves to the brokers who it is.',
    examples: [{ mechanism: 'scram-sha-512', username: 'pgtally', password: `\${KAFKA_PASSWORD}` }],
  },
} as const satisfies Fields;

export const defaultsFields = {
  ...policy,
  privileged: {
    type: 'choice',
    of: ['warn', 'refuse'],
    default: 'warn',
    description: 'What happens on a server where the role is a superuser or may write: a warning, or no run at all.',
    examples: ['refuse'],
  },
} as const satisfies Fields;

export const ledgerFields = {
  topic: {
    type: 'text',
    format: 'topic',
    default: 'pgtally.ledger',
    description: 'The topic that remembers what ran. `.history` and `.replicas` are added for its two companions.',
    examples: ['team-a.ledger'],
  },
  shards: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    default: 8,
    description: 'Its partitions: over how many replicas of pgtally the work can be spread.',
    examples: [16],
  },
  replication: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    absent: '3, or the number of brokers where that is less',
    description: 'Its replicas.',
    examples: [3],
  },
} as const satisfies Fields;

export const limitFields = {
  concurrency: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description: 'How many runs are under way at a time.',
    examples: [128],
  },
  memory: {
    type: 'size',
    minimum: '1 MiB',
    default: '64 MiB',
    description: 'How much of results is held in memory at a time; above it runs wait or stream.',
    examples: ['256 MiB'],
  },
  connections: {
    type: 'integer',
    minimum: 1,
    maximum: 100_000,
    default: 2000,
    description: 'How many connections to servers are open at a time.',
    examples: [500],
  },
  keep: {
    type: 'duration',
    maximum: '1d',
    default: '60s',
    description: 'A connection is kept while its next slot is nearer than this, else closed.',
    examples: ['5m'],
  },
  buffer: {
    type: 'size',
    minimum: '64 KiB',
    default: '8 MiB',
    description: 'A result up to this size is complete before its Kafka transaction opens; a larger one streams.',
    examples: ['1 MiB'],
  },
  stop_grace: {
    type: 'duration',
    maximum: '10s',
    default: '1s',
    description: 'How long SQL that is running at a stop may go on before it is cancelled.',
    examples: ['5s'],
  },
} as const satisfies Fields;

export const statusFields = {
  listen: {
    type: 'text',
    format: 'listen',
    default: '127.0.0.1:8087',
    description: 'Where the status page and the metrics are served. An address that is not loopback needs a `token`.',
    examples: ['127.0.0.1:9000'],
  },
  token: {
    type: 'text',
    secret: true,
    mayBeEmpty: true,
    absent: 'none: every action is off',
    description: 'What one must give to run or pause a job from the page. An empty one is none.',
    examples: [`\${PGTALLY_TOKEN:-}`],
  },
  hosts: {
    type: 'list',
    items: { type: 'text', format: 'host' },
    mayBeEmpty: true,
    default: [],
    description: 'Host names the page may be asked for by, besides the address it listens on.',
    examples: [['pgtally.internal']],
  },
  max_failed_servers: {
    type: 'percent',
    default: '10%',
    description: "`/health` answers 503 where a job's last three slots failed on more of its servers than this.",
    examples: ['25%'],
  },
} as const satisfies Fields;

export const metricsFields = {
  per_server: {
    type: 'choice',
    of: ['auto', 'on', 'off'],
    default: 'auto',
    description:
      'Whether metrics of runs have a series for each server of a job. `auto`: as long as this process runs at most 5,000 (job, server)s; above it, and with `off`, there is one for each job.',
    examples: ['off'],
  },
} as const satisfies Fields;

export const projectFields = {
  kafka: {
    type: 'object',
    fields: kafkaFields,
    required: true,
    whenMissing: 'for example `kafka: {brokers: [localhost:9092]}`',
    description: 'The Kafka cluster.',
    examples: [{ brokers: ['localhost:9092'] }],
  },
  servers: {
    type: 'list',
    items: { type: 'either', of: { server, include } },
    mayBeEmpty: true,
    default: [],
    description: 'The Postgres servers, one an item, or files that list them.',
    examples: [[{ name: 'shard-1', url: 'postgres://pgtally@10.0.0.1:5432/app' }]],
  },
  jobs: {
    type: 'either',
    of: {
      glob: { type: 'text', format: 'glob' },
      globs: { type: 'list', items: { type: 'text', format: 'glob' } },
    },
    default: 'jobs/*.yaml',
    description: 'The job files: a path or glob, or a list of them. `**` stands for folders of any depth.',
    examples: ['jobs/**/*.yaml', ['jobs/*.yaml', 'team-a/*.yaml']],
  },
  defaults: {
    type: 'object',
    fields: defaultsFields,
    sparse: true,
    description: 'What a job has where it says nothing else.',
    examples: [{ timezone: 'UTC', timeout: '30s', retries: 5 }],
  },
  ledger: {
    type: 'object',
    fields: ledgerFields,
    default: {},
    description: 'What ran: one Kafka topic.',
    examples: [{ topic: 'pgtally.ledger', shards: 8 }],
  },
  limits: {
    type: 'object',
    fields: limitFields,
    default: {},
    description: 'Limits of one process.',
    examples: [{ concurrency: 64, memory: '64 MiB', connections: 2000, keep: '60s' }],
  },
  metrics: {
    type: 'object',
    fields: metricsFields,
    default: {},
    description: 'What `/metrics` tells.',
    examples: [{ per_server: 'off' }],
  },
  status: {
    type: 'object',
    fields: statusFields,
    default: {},
    description: 'The status page, the metrics and the health checks.',
    examples: [{ listen: '127.0.0.1:8087', token: `\${PGTALLY_TOKEN:-}` }],
  },
} as const satisfies Fields;

/** pgtally.yaml. */
export const project = { type: 'object', fields: projectFields } as const satisfies ObjectShape;
