// Connections for requests of our own: one socket a broker, found through metadata, made when first needed, all destroyed at
// once by close. Producers and group consumers do not come through here: kafkajs keeps their connections itself.
import type { Socket } from 'node:net';
import { Failure } from '../model/failure.ts';
import type { Milliseconds } from '../model/units.ts';
import type { KafkaClient } from './client.ts';
import { codeFailure } from './errors.ts';
import { loadKafkajs } from './kafkajs.ts';
import type { KafkajsConnection, KafkajsSocketFactory } from './kafkajs-types.ts';
import { type BrokerAddress, type ClusterMetadata, metadataRequest } from './metadata.ts';
import type { ApiVersions, RequestMaker } from './protocols.ts';
import { closedError } from './sockets.ts';

export interface Cluster {
  /**
   * Metadata of the named topics, of all, or (`[]`) of none; also how brokers become known to `request`.
   * Rejects with a Failure when no broker answers.
   */
  metadata(topics: readonly string[] | 'all'): Promise<ClusterMetadata>;
  /** Sends a request to the broker of that id, known from `metadata`, or to any that answers. Rejects with a Failure. */
  request<Answer>(node: number | 'any', make: RequestMaker<Answer>): Promise<Answer>;
  /** `host:port` of a known broker; `broker 3` for another. */
  addressOf(node: number): string;
  /** Destroys the sockets; whatever waits for an answer fails at once. Nothing of it keeps the process alive. */
  close(): void;
}

export interface ClusterOptions {
  /** Default: the client's. */
  readonly requestTimeout?: Milliseconds;
}

interface Peer {
  readonly connection: KafkajsConnection;
  readonly versions: ApiVersions;
}

const SASL_AUTHENTICATE = 36;

/** A cluster reached with the client's settings; nothing is connected until the first call. */
export function newCluster(client: KafkaClient, options: ClusterOptions = {}): Cluster {
  const seeds = client.brokers.map(splitAddress);
  const brokers = new Map<number, BrokerAddress>();
  const peers = new Map<string, Promise<Peer>>();
  const sockets = new Set<Socket>();
  const failedAt = new Map<string, number>();
  let closed = false;

  const socketFactory: KafkajsSocketFactory = (request) => {
    const socket = client.connectionOptions.socketFactory(request);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (closed) socket.destroy(closedError());
    return socket;
  };

  /** The one connection to an address, made anew when it was lost; callers at the same time share it. */
  const peerAt = async (address: Address): Promise<Peer> => {
    if (closed) throw closedError();
    const name = nameOf(address);
    const existing = peers.get(name);
    if (existing) {
      const peer = await existing;
      if (peer.connection.isConnected()) return peer;
      if (peers.get(name) === existing) peers.delete(name);
      return peerAt(address);
    }
    const { Connection } = loadKafkajs().internals;
    const { host, port } = address;
    const connection = new Connection({ ...client.connectionOptions, ...options, host, port, socketFactory });
    const opening = openPeer(connection);
    peers.set(name, opening);
    opening.catch(() => {
      if (peers.get(name) === opening) peers.delete(name);
    });
    return opening;
  };

  const send = async <Answer>(address: Address, make: RequestMaker<Answer>): Promise<Answer> => {
    const { connection, versions } = await peerAt(address);
    return connection.send(make(versions));
  };

  /** Known brokers and the configured addresses: those with a connection first, those that failed last at the end. */
  const candidates = (): Address[] => {
    const all = new Map([...seeds, ...brokers.values()].map((address) => [nameOf(address), address]));
    const rank = (name: string): number => (peers.has(name) ? -1 : (failedAt.get(name) ?? 0));
    return [...all].sort(([a], [b]) => rank(a) - rank(b)).map(([, address]) => address);
  };

  const request = async <Answer>(node: number | 'any', make: RequestMaker<Answer>): Promise<Answer> => {
    const failures: Failure[] = [];
    const known = node === 'any' ? candidates() : [brokers.get(node)].filter((broker) => broker !== undefined);
    for (const address of known) {
      try {
        return await send(address, make);
      } catch (error) {
        failures.push(client.failure(error, ''));
        failedAt.set(nameOf(address), performance.now());
        if (closed) break;
      }
    }
    throw mostTelling(failures, known);
  };

  return {
    request,
    metadata: async (topics) => {
      const metadata = await request('any', metadataRequest(topics));
      brokers.clear();
      for (const broker of metadata.brokers) brokers.set(broker.nodeId, broker);
      return metadata;
    },
    addressOf: (node) => {
      const broker = brokers.get(node);
      return broker ? nameOf(broker) : `broker ${node}`;
    },
    close: () => {
      closed = true;
      for (const socket of sockets) socket.destroy(closedError());
      peers.clear();
    },
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

function splitAddress(broker: string): Address {
  const colon = broker.lastIndexOf(':');
  return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
}

/** Connects, learns the broker's versions and authenticates, in the order kafkajs's Broker does it. */
async function openPeer(connection: KafkajsConnection): Promise<Peer> {
  await connection.connect();
  try {
    const versions = await askVersions(connection);
    connection.setVersions(versions);
    connection.setSupportAuthenticationProtocol(SASL_AUTHENTICATE in versions);
    await connection.authenticate();
    return { connection, versions };
  } catch (error) {
    await connection.disconnect();
    throw error;
  }
}

/** ApiVersions (key 18) in the highest version that kafkajs and the broker share; a broker refuses one it does not know. */
async function askVersions(connection: KafkajsConnection): Promise<ApiVersions> {
  const { requests } = loadKafkajs().internals;
  const definition = requests.ApiVersions;
  if (!definition) throw new Error('kafkajs has no ApiVersions request');
  let refusal: unknown;
  for (const version of definition.versions.map(Number).sort((a, b) => b - a)) {
    try {
      const { apiVersions } = await connection.send<{
        apiVersions: { apiKey: number; minVersion: number; maxVersion: number }[];
      }>(definition.protocol({ version })({}));
      return Object.fromEntries(apiVersions.map(({ apiKey, ...range }) => [apiKey, range]));
    } catch (error) {
      if ((error as { type?: string }).type !== 'UNSUPPORTED_VERSION') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** Of what several brokers said, what a person must act on: a refused password says more than a broker that is down. */
function mostTelling(failures: readonly Failure[], asked: readonly Address[]): Failure {
  const final = failures.find((failure) => !failure.retryable);
  const [first, second] = failures;
  if (final || !first) return final ?? codeFailure('BROKER_NOT_AVAILABLE', '');
  if (!second) return first;
  const names = asked.map(nameOf).join(', ');
  return new Failure(`kafka: none of ${names} answers: ${first.message.replace(/^kafka: /, '')}`, {
    kind: first.kind,
    retryable: true,
    cause: first,
    ...(first.code === undefined ? {} : { code: first.code }),
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}
