// Whether a cluster as it is can be worked with: brokers that do not answer, requests they do not know, transactions.
import type { InspectedCluster } from '../kafka/inspect-cluster.ts';
import type { Operation } from '../kafka/metadata.ts';
import type { Failure } from '../model/failure.ts';
import type { Problem } from '../model/problem.ts';
import type { KafkaSettings } from '../model/project.ts';

type Complaint = Pick<Problem, 'severity' | 'message' | 'hint'>;

/** The requests without which nothing can be published exactly once, by api key, in the lowest version that will do. */
const NEEDED_REQUESTS: readonly { readonly name: string; readonly key: number; readonly version: number }[] = [
  { name: 'Produce', key: 0, version: 3 },
  { name: 'Fetch', key: 1, version: 4 },
  { name: 'Metadata', key: 3, version: 5 },
  { name: 'FindCoordinator', key: 10, version: 1 },
  { name: 'InitProducerId', key: 22, version: 0 },
  { name: 'AddPartitionsToTxn', key: 24, version: 0 },
  { name: 'EndTxn', key: 26, version: 0 },
];
/** Produce from version 7 on takes zstd (KIP-110). */
const ZSTD = { key: 0, version: 7 };

/** Problems of the brokers and of the addresses in `kafka.brokers`. */
export function judgeCluster(settings: KafkaSettings, { brokers, addresses }: InspectedCluster): Complaint[] {
  const found: Complaint[] = [];
  for (const { nodeId, host, port, failure, versions } of brokers) {
    const broker = `broker ${nodeId} (${host}:${port})`;
    if (failure) {
      const hint = `the cluster says it is there, but it cannot be reached from here by that address: check its advertised.listeners${failure.hint ? `, and ${failure.hint}` : ''}`;
      found.push({ severity: 'error', message: `${broker}: ${withoutPrefix(failure)}`, hint });
      continue;
    }
    const lacking = NEEDED_REQUESTS.filter(({ key, version }) => (versions[key]?.maxVersion ?? -1) < version);
    if (lacking.length > 0) {
      const names = lacking.map(({ name }) => name).join(', ');
      const message = `${broker} does not know requests that pgtally needs: ${names}`;
      found.push({ severity: 'error', message, hint: 'pgtally needs Kafka 1.0 or later' });
    } else if (settings.compression === 'zstd' && (versions[ZSTD.key]?.maxVersion ?? -1) < ZSTD.version) {
      const message = `${broker} does not take zstd`;
      found.push({
        severity: 'error',
        message,
        hint: 'set `kafka.compression` to gzip: zstd needs Kafka 2.1 or later',
      });
    }
  }
  for (const { address, failure } of addresses) {
    if (!failure) continue;
    const message = `${address} in \`kafka.brokers\` does not answer: ${withoutPrefix(failure)}`;
    found.push({ severity: 'warning', message, hint: 'others do; if it is gone for good, take it out' });
  }
  const clusters = new Map(addresses.flatMap(({ address, clusterId }) => (clusterId ? [[clusterId, address]] : [])));
  if (clusters.size > 1) {
    const message = `\`kafka.brokers\` names brokers of ${clusters.size} clusters: ${[...clusters.values()].join(', ')}`;
    found.push({ severity: 'error', message, hint: 'name brokers of one cluster only' });
  }
  return found;
}

/** What a probe of a transactional id says, as a problem; `prefix`: what such ids begin with. */
export function judgeTransactions(
  settings: KafkaSettings,
  prefix: string,
  purpose: string,
  failure: Failure | undefined,
): Complaint[] {
  if (!failure) return [];
  if (failure.code === 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED') {
    const message = `the user may not use transactional ids that begin with \`${prefix}\`, which ${purpose}`;
    const resource = `--transactional-id ${prefix} --resource-pattern-type prefixed`;
    return [{ severity: 'error', message, hint: grantCommand(settings, ['write', 'describe'], resource) }];
  }
  const hint = failure.hint === undefined ? {} : { hint: failure.hint };
  return [{ severity: 'error', message: withoutPrefix(failure), ...hint }];
}

/** The command that grants the user operations on a resource: `--topic T`. */
export function grantCommand(settings: KafkaSettings, operations: readonly Operation[], resource: string): string {
  const names = operations.map((operation) => `--operation ${operationName(operation)}`).join(' ');
  const user = settings.sasl?.username ?? 'NAME';
  const [broker = 'BROKER'] = settings.brokers;
  return `grant it: \`kafka-acls --bootstrap-server ${broker} --add --allow-principal User:${user} ${names} ${resource}\``;
}

/** `describe-configs` → `DescribeConfigs`, as Kafka's tools spell it. */
function operationName(operation: Operation): string {
  return operation.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function withoutPrefix({ message }: Failure): string {
  return message.replace(/^kafka: /, '');
}
