// From the fields of pgtally.yaml other than servers and jobs to the project's settings, with the rules between fields.
import { resolve } from 'node:path';
import type {
  KafkaSettings,
  LedgerSettings,
  Limits,
  MetricsSettings,
  SecretSource,
  StatusSettings,
} from '../model/project.ts';
import type { Located } from '../model/source.ts';
import type { Draft, ValueOf } from './field.ts';
import {
  kafkaFields,
  ledgerFields,
  limitFields,
  metricsFields,
  type saslFields,
  statusFields,
} from './fields/project.ts';
import { splitAddress } from './formats.ts';
import type { Problems } from './problems.ts';
import { complete } from './read.ts';

/** `kafka`. Paths start at `folder`. Undefined when something required is missing, which has been reported. */
export function toKafkaSettings(
  draft: Draft<typeof kafkaFields>,
  folder: string,
  problems: Problems,
): KafkaSettings | undefined {
  const fields = complete(kafkaFields, draft);
  checkZstd(draft, problems);
  const tls = draft.tls && toTls(draft.tls, folder, problems);
  const sasl = draft.sasl && toSasl(draft.sasl, folder, problems);
  if (!fields) return undefined;
  return {
    brokers: fields.brokers.value.flatMap((item) => item.value.split(',').map((address) => address.trim())),
    clientId: fields.client_id.value,
    compression: fields.compression.value,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

/** `ledger`. */
export function toLedgerSettings(draft: Draft<typeof ledgerFields>): LedgerSettings | undefined {
  const fields = complete(ledgerFields, draft);
  if (!fields) return undefined;
  const { topic, shards, replication } = fields;
  return {
    topic: topic.value,
    shards: shards.value,
    ...(replication === undefined ? {} : { replication: replication.value }),
  };
}

/** `limits`. */
export function toLimits(draft: Draft<typeof limitFields>, problems: Problems): Limits | undefined {
  const fields = complete(limitFields, draft);
  if (!fields) return undefined;
  const { concurrency, memory, connections, keep, buffer, stop_grace: stopGrace } = fields;
  if (buffer.value > memory.value) {
    problems.error('`buffer` is larger than `memory`', buffer, 'one result must fit into the memory of all');
  }
  return {
    concurrency: concurrency.value,
    memory: memory.value,
    connections: connections.value,
    keep: keep.value,
    buffer: buffer.value,
    stopGrace: stopGrace.value,
  };
}

/** `metrics`. */
export function toMetricsSettings(draft: Draft<typeof metricsFields>): MetricsSettings | undefined {
  const fields = complete(metricsFields, draft);
  return fields && { perServer: fields.per_server.value };
}

/** `status`. */
export function toStatusSettings(draft: Draft<typeof statusFields>, problems: Problems): StatusSettings | undefined {
  const fields = complete(statusFields, draft);
  if (!fields) return undefined;
  const { listen, token, hosts, max_failed_servers: maxFailedServers } = fields;
  const hasToken = token !== undefined && token.value !== '';
  if (!hasToken && !isLoopback(listen.value)) {
    const hint = 'listen on `127.0.0.1`, or set `token`, without which nobody may see the page from elsewhere';
    problems.error(`\`${listen.value}\` is reached from other machines, and there is no \`token\``, listen, hint);
  }
  return {
    listen: listen.value,
    ...(hasToken ? { token: token.value } : {}),
    hosts: hosts.value.map(({ value }) => value),
    maxFailedServers: maxFailedServers.value,
  };
}

function toTls(
  tls: ValueOf<typeof kafkaFields.tls>,
  folder: string,
  problems: Problems,
): KafkaSettings['tls'] | undefined {
  if (tls.as === 'on') return tls.value.value ? {} : undefined;
  const { ca, cert, key, server_name: serverName } = tls.value.value;
  const lonely = cert && !key ? cert : key && !cert ? key : undefined;
  if (lonely) {
    problems.error(
      `TLS has a \`${cert ? 'cert' : 'key'}\` without a \`${cert ? 'key' : 'cert'}\``,
      lonely,
      'a certificate and its private key go together',
    );
  }
  const file = (name: 'ca' | 'cert' | 'key', path: Located<string> | undefined) =>
    path === undefined ? {} : { [name]: resolve(folder, path.value) };
  return {
    ...file('ca', ca),
    ...file('cert', cert),
    ...file('key', key),
    ...(serverName === undefined ? {} : { serverName: serverName.value }),
  };
}

function toSasl(
  draft: Located<Draft<typeof saslFields>>,
  folder: string,
  problems: Problems,
): KafkaSettings['sasl'] | undefined {
  const { mechanism, username, password, password_file: passwordFile } = draft.value;
  if (password && passwordFile) {
    problems.error('`password` and `password_file` are both given', passwordFile, 'keep one of the two');
  }
  if (!password && !passwordFile && !problems.hasErrorIn(draft)) {
    problems.error('`sasl` has no password', draft, 'give it `password` or `password_file`');
  }
  const secret: SecretSource | undefined = password
    ? { value: password.value }
    : passwordFile && { file: resolve(folder, passwordFile.value) };
  return mechanism && username && secret
    ? { mechanism: mechanism.value, username: username.value, password: secret }
    : undefined;
}

/** Node's own zstd came with 22.15 and 23.8. */
function checkZstd({ compression }: Draft<typeof kafkaFields>, problems: Problems): void {
  if (compression?.value !== 'zstd') return;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 23 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15)) return;
  const hint = 'use `gzip`, or a newer Node';
  problems.error(`\`zstd\` needs Node 22.15 or later, and this is ${process.versions.node}`, compression, hint);
}

function isLoopback(listen: string): boolean {
  const host = splitAddress(listen)?.host ?? '';
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
