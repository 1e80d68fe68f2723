import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { Field, Fields, Json, Shape } from '../../src/config/field.ts';
import { ingestDetailFields, ingestFields, publishFields, topicFields } from '../../src/config/fields/job.ts';
import {
  defaultsFields,
  kafkaFields,
  kafkaTlsFields,
  ledgerFields,
  limitFields,
  projectFields,
  saslFields,
  statusFields,
} from '../../src/config/fields/project.ts';
import { includeFields, serverFields, tlsFields } from '../../src/config/fields/server.ts';
import { nodeOfJson } from '../../src/config/node.ts';
import { gatherProblems } from '../../src/config/problems.ts';
import { readValue } from '../../src/config/read.ts';
import { referencePage } from '../../src/config/reference.ts';
import { jobSchema, projectSchema, serversSchema } from '../../src/config/schema.ts';
import { CONFIG, JOB, load } from './folder.ts';

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const validate = {
  job: ajv.compile(jobSchema()),
  project: ajv.compile(projectSchema()),
  servers: ajv.compile(serversSchema()),
};

const INGEST = 'servers: warehouse\ningest: {topic: T, into: t, columns: {a: value}}\n';
const HEAD = 'kafka: {brokers: [a:1]}\n';
const SERVER = '- {name: a, url: postgres://u@h/d}\n';

/** What one document can say: the schema and the loader must be of one mind about each. */
const documents: Record<keyof typeof validate, { right: string[]; wrong: string[] }> = {
  job: {
    right: [
      JOB,
      `${JOB}key: [a, b]\nvalue: q.a\nheaders: {a: b}\nnull_key: allow\n`,
      `${JOB}schedule: "@hourly"\ntimezone: Europe/Berlin\ndescription: ""\n`,
      `${JOB}servers: {role: [shard, 1], region: eu}\n`,
      `${JOB}servers: [shard-1, "ware*"]\n`,
      `${JOB}delay: 1h30m\ntimeout: 500ms\nretries: 0\nconcurrency: 1\n`,
      'query: select 1\ntopic: {name: T, partitions: 1, replication: 1, config: {cleanup.policy: compact, retention.ms: 1}}\n',
      INGEST,
      `${INGEST}stream: true\n`,
      'servers: warehouse\ningest: {topic: T, into: t, columns: {a: value}, partitions: [0], limit: 1, from: end, on_error: stop}\n',
    ],
    wrong: [
      'topic: T\n',
      'query: select 1\n',
      '[]\n',
      `${JOB}schedul: x\n`,
      `${JOB}name: a b\n`,
      `${JOB}key: 1\n`,
      `${JOB}key: []\n`,
      `${JOB}key: {a: b}\n`,
      `${JOB}value: true\n`,
      `${JOB}value: null\n`,
      `${JOB}value: "  "\n`,
      `${JOB}headers: {pgtally-x: a}\n`,
      `${JOB}headers: {}\n`,
      `${JOB}timeout: 30\n`,
      `${JOB}timeout: 30 s\n`,
      `${JOB}retries: -1\n`,
      `${JOB}retries: 1.5\n`,
      `${JOB}retries: "5"\n`,
      `${JOB}overlap: queu\n`,
      `${JOB}servers: 5\n`,
      `${JOB}servers: {role: []}\n`,
      `${JOB}description: 1\n`,
      `${JOB}description:\n`,
      `${JOB}stream: true\n`,
      `${JOB}${INGEST}`,
      `${INGEST}splay: 1s\n`,
      'servers: warehouse\ningest: {topic: T, into: t}\n',
      'servers: warehouse\ningest: {topic: T, into: t, columns: {a: value}, partitions: some}\n',
      'servers: warehouse\ningest: {topic: T, into: t, columns: {a: value}, limit: 0}\n',
      'query: select 1\ntopic: a b\n',
      'query: select 1\ntopic: ..\n',
      'query: select 1\ntopic: {partitions: 1}\n',
      'query: select 1\ntopic: {name: T, partition: 1}\n',
    ],
  },
  project: {
    right: [
      HEAD,
      `${HEAD}servers: []\njobs: [a/*.yaml, b/*.yaml]\ndefaults: {timeout: 1s, privileged: refuse}\n`,
      'kafka: {brokers: [a:1], tls: true, sasl: {mechanism: plain, username: u, password: p}}\n',
      'kafka: {brokers: [a:1], tls: {ca: x}, compression: gzip}\n',
      `${HEAD}ledger: {shards: 1, replication: 1}\nlimits: {memory: 1 GiB, buffer: 64KiB, keep: 0s}\n`,
      `${HEAD}status: {listen: "[::1]:0", token: "", hosts: [], max_failed_servers: 12.5%}\n`,
      `${HEAD}ledger: {shards: "\${N:-8}"}\nkafka_: 1\n`.replace('kafka_: 1\n', ''),
      `${HEAD}limits: {keep: "\${N:-8s}", memory: "\${N:-8 MiB}"}\n`,
      `${HEAD}servers: [{include: x/*.yaml}, {name: a, url: postgres://u@h/d}]\n`,
    ],
    wrong: [
      '{}\n',
      'kafka: {}\n',
      'kafka: {brokers: []}\n',
      'kafka: {brokers: a:1}\n',
      'kafka: {brokers: [a:1], tls: yes}\n',
      'kafka: {brokers: [a:1], sasl: {mechanism: md5, username: u, password: p}}\n',
      `${HEAD}defaults: {topic: T}\n`,
      `${HEAD}defaults:\n`,
      `${HEAD}timezone: UTC\n`,
      `${HEAD}ledger: {shards: 0}\n`,
      `${HEAD}ledger: {shards: "8"}\n`,
      `${HEAD}limits: {memory: 64}\n`,
      `${HEAD}status: {max_failed_servers: 10}\n`,
      `${HEAD}status: {listen: 8087}\n`,
      `${HEAD}servers: {name: a}\n`,
      `${HEAD}servers: [{include: x/*.yaml, name: a}]\n`,
      `${HEAD}servers: [{name: a}]\n`,
    ],
  },
  servers: {
    right: [
      '[]\n',
      SERVER,
      `${SERVER}- {name: "b-{n}", for: {n: 1..3}, url: "postgres://u@h{n}/d", databases: [a, b], labels: {x: 1, y: true}}\n`,
      '- {name: a, url: postgres://u@h/d, password: "", tls: {mode: verify-full, ca: c}}\n',
      '- {name: a, url: postgres://u@h/d, labels: {}}\n',
    ],
    wrong: [
      'name: a\n',
      '- {name: a}\n',
      '- {url: postgres://u@h/d}\n',
      '- {name: a, url: postgres://u@h/d, password: 1}\n',
      '- {name: a, url: postgres://u@h/d, tls: {mode: allow}}\n',
      '- {name: a, url: postgres://u@h/d, labels: {x: [a]}}\n',
      '- {name: a, url: postgres://u@h/d, for: {n: 5}}\n',
      '- {name: a, url: postgres://u@h/d, databases: []}\n',
      '- {include: x/*.yaml}\n',
    ],
  },
};

describe.each(Object.keys(documents) as (keyof typeof validate)[])('the schema of a %s file', (kind) => {
  it.each(documents[kind].right)('accepts what the loader accepts: %j', (text) => {
    expect(validate[kind](parse(text)), JSON.stringify(validate[kind].errors)).toBe(true);
    expect(errorsOf(kind, text)).toEqual([]);
  });

  it.each(documents[kind].wrong)('refuses what the loader refuses: %j', (text) => {
    expect(validate[kind](parse(text))).toBe(false);
    expect(errorsOf(kind, text)).not.toEqual([]);
  });

  it('says only what JSON Schema knows', () => {
    const strict = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, strictTypes: false });
    expect(() =>
      strict.compile({ job: jobSchema, project: projectSchema, servers: serversSchema }[kind]()),
    ).not.toThrow();
  });
});

function errorsOf(kind: keyof typeof validate, text: string): string[] {
  const files = {
    job: { 'jobs/a.yaml': text },
    project: { 'pgtally.yaml': text },
    servers: { 'pgtally.yaml': `${HEAD}servers: [{include: s.yaml}]\n`, 's.yaml': text },
  }[kind];
  return load({ 'pgtally.yaml': CONFIG, ...files })
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ message }) => message);
}

const objects: Readonly<Record<string, Fields>> = {
  projectFields,
  kafkaFields,
  kafkaTlsFields,
  saslFields,
  defaultsFields,
  ledgerFields,
  limitFields,
  statusFields,
  serverFields,
  tlsFields,
  includeFields,
  publishFields,
  topicFields,
  ingestFields,
  ingestDetailFields,
};

const fields = Object.entries(objects).flatMap(([object, list]) =>
  Object.entries<Field>(list).map(([name, field]) => ({ path: `${object}.${name}`, name, field })),
);

describe.each(fields)('the field $path', ({ name, field }) => {
  it('is described in whole sentences and has an example', () => {
    expect(field.description).toMatch(/^[A-Z`].*[.]$/s);
    expect(field.examples ?? []).not.toEqual([]);
  });

  it('loads each of its examples, and its default', () => {
    const values = [...(field.examples ?? []), ...(field.default === undefined ? [] : [field.default])];
    for (const value of values) expect(readProblems(field, value, name)).toEqual([]);
  });
});

function readProblems(shape: Shape, value: Json, name: string): string[] {
  const problems = gatherProblems();
  const env = { KAFKA_PASSWORD: 'x', SHARD_PASSWORD: 'x' };
  const place = { file: { path: 'x', text: '' }, span: { start: 0, end: 0 } };
  readValue(shape, nodeOfJson(value, place), () => name, { problems, variables: env });
  return problems.all.map(({ message }) => message);
}

describe('the reference page', () => {
  it('shows every field, and examples that are YAML of that field', () => {
    const page = referencePage();
    for (const { name } of fields) expect(page).toContain(`${name}\``);
    const blocks = [...page.matchAll(/### `([\w.]+)`\n(?:(?!### )[\s\S])*?```yaml\n([\s\S]*?)```/g)];
    expect(blocks.length).toBeGreaterThan(60);
    for (const [, path, text] of blocks) {
      const [document] = parseAllDocuments(text ?? '');
      expect(document?.errors).toEqual([]);
      expect(Object.keys(document?.toJS() as object)).toEqual([path?.split('.').at(-1)]);
    }
  });
});
