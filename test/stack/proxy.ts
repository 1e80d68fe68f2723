// A TCP proxy for faults: latency, a slow line, silence, cut connections; for Kafka also lost, late and held replies by
// kind of request. A broker must advertise the proxy's address on a listener of its own (`advertised` of
// ListenerOptions), or its clients go round it after their first question.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { delayedPipe, type Line, type PipePiece } from './delayed-pipe.ts';
import {
  API_KEYS,
  type ApiName,
  frameSplitter,
  replyCorrelationId,
  requestApiKey,
  requestCorrelationId,
} from './kafka-frames.ts';

export interface FaultOptions {
  readonly api: ApiName;
  /**
   * `drop-reply`: the broker does the work, the client never hears of it. `cut-reply`: as that, and the connection is
   * cut. `cut-request`: cut before the broker sees it. `hold-reply`: the reply, and all behind it on its connection,
   * waits for `end()`. `delay-reply`: it comes `delay` ms later.
   */
  readonly action: 'drop-reply' | 'cut-reply' | 'cut-request' | 'hold-reply' | 'delay-reply';
  readonly delay?: number;
  /** How often it strikes. Default: until `end()`. */
  readonly times?: number;
  /** Of each occasion, 0 to 1. Default 1. */
  readonly probability?: number;
}

export interface Fault {
  /** How often it has struck. */
  hits(): number;
  /** Resolves when it has struck for the first time. */
  readonly struck: Promise<void>;
  /** No more of it; what it holds goes on. */
  end(): void;
}

export interface FaultProxy {
  /** `host:port` for clients. */
  readonly address: string;
  /** Where connections go, `host:port`: a proxy exists before the server that advertises it. */
  forwardTo(address: string): void;
  /** Milliseconds each way. */
  setLatency(milliseconds: number): void;
  /** Bytes a second each way; undefined: no limit. */
  setRate(bytesPerSecond: number | undefined): void;
  /** Nothing moves, and nobody is told, until the function returned is called. */
  freeze(): () => void;
  /** Cuts every connection. */
  cut(): void;
  /** Cuts every connection and every new one, until the function returned is called. */
  refuse(): () => void;
  addFault(options: FaultOptions): Fault;
  /** Requests of a kind that have passed. */
  requests(api: ApiName): number;
  stop(): Promise<void>;
}

type ActiveFault = FaultOptions & { readonly apiKey: number; strike(): boolean; readonly ended: Promise<void> };

/** A proxy on a free port of 127.0.0.1. `kafka`: it reads frames; `bytes`: it does not (Postgres, TLS), and has no faults. */
export async function startProxy(protocol: 'kafka' | 'bytes'): Promise<FaultProxy> {
  const line: Line = { latency: 0, rate: undefined, open: Promise.resolve() };
  const sockets = new Set<Socket>();
  const faults = new Set<ActiveFault>();
  const requests = new Map<number, number>();
  let target: string | undefined;
  let refusing = false;

  const server = createServer((client) => {
    if (refusing || target === undefined) return void client.destroy();
    const [host, port] = target.split(':');
    const broker = connect({ host: host ?? '', port: Number(port) });
    tie(client, broker, sockets);
    const up = delayedPipe(client, broker, line);
    const down = delayedPipe(broker, client, line);
    if (protocol === 'kafka') relayFrames(client, broker, up, down, faults, requests);
    else {
      client.on('data', (bytes: Buffer) => up({ bytes }));
      broker.on('data', (bytes: Buffer) => down({ bytes }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    forwardTo: (address) => {
      target = address;
    },
    setLatency: (milliseconds) => {
      line.latency = milliseconds;
    },
    setRate: (bytesPerSecond) => {
      line.rate = bytesPerSecond;
    },
    freeze: () => {
      const { promise, resolve } = openable();
      line.open = promise;
      return resolve;
    },
    cut,
    refuse: () => {
      refusing = true;
      cut();
      return () => {
        refusing = false;
      };
    },
    addFault: (options) => addFault(faults, options),
    requests: (api) => requests.get(API_KEYS[api]) ?? 0,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}

/** Both ends of a connection end together. */
function tie(client: Socket, broker: Socket, sockets: Set<Socket>): void {
  for (const [socket, other] of [
    [client, broker],
    [broker, client],
  ] as const) {
    socket.setNoDelay(true);
    sockets.add(socket);
    // A reset is an end like any other here.
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
  }
}

function relayFrames(
  client: Socket,
  broker: Socket,
  up: (piece: PipePiece) => void,
  down: (piece: PipePiece) => void,
  faults: ReadonlySet<ActiveFault>,
  requests: Map<number, number>,
): void {
  const asked = new Map<number, number>();
  const striking = (apiKey: number | undefined, onRequest: boolean): ActiveFault | undefined =>
    [...faults].find(
      (fault) => fault.apiKey === apiKey && (fault.action === 'cut-request') === onRequest && fault.strike(),
    );

  client.on(
    'data',
    frameSplitter((bytes) => {
      const apiKey = requestApiKey(bytes);
      requests.set(apiKey, (requests.get(apiKey) ?? 0) + 1);
      asked.set(requestCorrelationId(bytes), apiKey);
      if (striking(apiKey, true)) client.destroy();
      else up({ bytes });
    }),
  );
  broker.on(
    'data',
    frameSplitter((bytes) => {
      const id = replyCorrelationId(bytes);
      const fault = striking(asked.get(id), false);
      asked.delete(id);
      if (fault?.action === 'drop-reply') return;
      if (fault?.action === 'cut-reply') client.destroy();
      else if (fault?.action === 'hold-reply') down({ bytes, gate: fault.ended });
      else down({ bytes, delay: fault?.delay ?? 0 });
    }),
  );
}

function addFault(faults: Set<ActiveFault>, options: FaultOptions): Fault {
  let hits = 0;
  const struck = openable();
  const ended = openable();
  const fault: ActiveFault = {
    ...options,
    apiKey: API_KEYS[options.api],
    ended: ended.promise,
    strike: () => {
      if (hits >= (options.times ?? Number.POSITIVE_INFINITY) || Math.random() >= (options.probability ?? 1))
        return false;
      hits++;
      struck.resolve();
      return true;
    },
  };
  faults.add(fault);
  return {
    hits: () => hits,
    struck: struck.promise,
    end: () => {
      faults.delete(fault);
      ended.resolve();
    },
  };
}

/** A promise and what resolves it (`Promise.withResolvers` of Node 22). */
function openable(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
