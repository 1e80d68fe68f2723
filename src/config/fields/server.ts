// The fields of one entry under `servers` of pgtally.yaml, and of one entry of a server file.
import type { Fields, ListShape, ObjectShape } from '../field.ts';

export const tlsFields = {
  mode: {
    type: 'choice',
    of: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'],
    absent: "the URL's `sslmode`, else `PGSSLMODE`, else `verify-full` where `ca` is given, else `prefer`",
    description: 'How far the connection is protected, with the meaning `sslmode` has in libpq.',
    examples: ['verify-full'],
  },
  ca: {
    type: 'text',
    format: 'file',
    absent: '`PGSSLROOTCERT`, else the authorities Node trusts',
    description: 'The file of the authorities that may have signed the certificate of the server.',
    examples: ['certs/ca.pem'],
  },
  cert: {
    type: 'text',
    format: 'file',
    absent: '`PGSSLCERT`, else none',
    description: 'The file of the certificate that is shown to the server.',
    examples: ['certs/pgtally.pem'],
  },
  key: {
    type: 'text',
    format: 'file',
    absent: '`PGSSLKEY`, else none',
    description: 'The file of the private key of `cert`.',
    examples: ['certs/pgtally.key'],
  },
} as const satisfies Fields;

export const serverFields = {
  name: {
    type: 'text',
    format: 'serverName',
    required: true,
    description: 'The name of the server. Unique in the project; with `for` it holds each variable: `edge-{n}`.',
    examples: ['shard-1'],
  },
  url: {
    type: 'text',
    required: true,
    whenMissing: 'for example `url: postgres://pgtally@10.0.0.1:5432/app`',
    description:
      'Where it is: `postgres://user@host:port/database`. Parameters may be `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `application_name` and `options`. The value of a variable in the user or password part is taken as it is, without percent-encoding.',
    examples: ['postgres://pgtally@10.0.0.1:5432/app'],
  },
  password: {
    type: 'text',
    secret: true,
    mayBeEmpty: true,
    absent: '`password_file` or `passfile`, else `PGPASSWORD`, else the file `PGPASSFILE` or `~/.pgpass`',
    description: 'The password. An empty one is none.',
    examples: [`\${SHARD_PASSWORD}`],
  },
  password_file: {
    type: 'text',
    format: 'file',
    description: 'A file whose text is the password; read again when it changes.',
    examples: ['/run/secrets/shard-1'],
  },
  passfile: {
    type: 'text',
    format: 'file',
    description: 'A password file in the form of `~/.pgpass`.',
    examples: ['pgpass'],
  },
  tls: {
    type: 'object',
    fields: tlsFields,
    description: 'Encryption and certificates. Paths start at the folder of the file they stand in.',
    examples: [{ mode: 'verify-full', ca: 'certs/ca.pem' }],
  },
  labels: {
    type: 'map',
    names: 'label',
    values: { type: 'text', anyScalar: true },
    mayBeEmpty: true,
    description: 'Labels by which jobs choose servers. SQL has them as `:labels`.',
    examples: [{ role: 'shard', region: 'eu' }],
  },
  for: {
    type: 'map',
    names: 'variable',
    values: { type: 'text', format: 'range' },
    description:
      'Makes a server of each number of a range, or of each combination of several: `{n}` stands for the number in `name`, `url`, `labels` and `databases`. `001..200` keeps the zeros.',
    examples: [{ n: '1..200' }, { rack: '1..4', n: '01..20' }],
  },
  databases: {
    type: 'list',
    items: { type: 'text', format: 'database' },
    absent: 'the database of the URL',
    description: 'Databases of the server, each a target of its own named `server/database`.',
    examples: [['app', 'billing']],
  },
} as const satisfies Fields;

export const includeFields = {
  include: {
    type: 'text',
    format: 'glob',
    required: true,
    description: 'Files that hold lists of servers. The path starts at the folder of pgtally.yaml.',
    examples: ['servers/*.yaml'],
  },
} as const satisfies Fields;

export const server = { type: 'object', fields: serverFields } as const satisfies ObjectShape;
export const include = { type: 'object', marker: 'include', fields: includeFields } as const satisfies ObjectShape;

/** A server file: a list of servers. */
export const serverList = { type: 'list', items: server, mayBeEmpty: true } as const satisfies ListShape;
