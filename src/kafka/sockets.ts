// The sockets of one client: opened for kafkajs, remembered, and all destroyed when the client closes, so that no half-open
// connection of kafkajs keeps the process alive or makes closing wait for a fetch that is still out.
import { connect as connectPlain, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { KafkaSettings } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import type { KafkajsSocketFactory, KafkajsSocketRequest } from './kafkajs-types.ts';
import { readTlsOptions } from './security.ts';

const KEEP_ALIVE_DELAY: Milliseconds = 60_000;
/** After kafkajs's own connection timer, which reports the timeout but leaves the socket trying. */
const ABANDON_AFTER: Milliseconds = 100;

/** `code` of the error that a socket ends with when we close it ourselves. */
const CLOSED_CODE = 'ECLOSED';
/** Its message, by which kafkajs's log of it is known. */
export const CLOSED_TEXT = 'the connection was closed by pgtally';

export interface Sockets {
  /** kafkajs's `socketFactory`. */
  readonly factory: KafkajsSocketFactory;
  /** Destroys every open socket; requests under way fail. */
  destroy(): void;
}

/** Told how connections go, by `host:port`. */
export interface ConnectionWatch {
  /** Something came from the broker. */
  answered(broker: string): void;
  /** The connection ended with an error, or before anything came. */
  failed(broker: string): void;
}

/** Sockets to brokers under `tls` (absent: plain), each given up when not connected within `connectionTimeout`. */
export function createSockets(
  tls: KafkaSettings['tls'],
  connectionTimeout: Milliseconds,
  watch: ConnectionWatch,
): Sockets {
  const open = new Set<Socket>();
  return {
    factory: (request) => {
      const socket = openSocket(request, tls);
      open.add(socket);
      watchSocket(socket, `${request.host}:${request.port}`, watch);
      const abandon = setTimeout(() => socket.destroy(), connectionTimeout + ABANDON_AFTER);
      abandon.unref();
      socket.once(tls ? 'secureConnect' : 'connect', () => clearTimeout(abandon));
      socket.once('close', () => {
        clearTimeout(abandon);
        open.delete(socket);
      });
      return socket;
    },
    destroy: () => {
      for (const socket of open) socket.destroy(closedError());
    },
  };
}

/** What a socket that we close ends with, so that whoever waits on it fails at once. */
export function closedError(): Error {
  return Object.assign(new Error(CLOSED_TEXT), { code: CLOSED_CODE });
}

function watchSocket(socket: Socket, broker: string, watch: ConnectionWatch): void {
  let over = false;
  socket.once('data', () => {
    over = true;
    watch.answered(broker);
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    over = true;
    if (error.code !== CLOSED_CODE) watch.failed(broker);
  });
  socket.once('close', () => {
    if (!over) watch.failed(broker);
  });
}

function openSocket({ host, port, onConnect }: KafkajsSocketRequest, tls: KafkaSettings['tls']): Socket {
  let socket: Socket;
  try {
    socket = tls
      ? connectTls({ host, port, ...readTlsOptions(tls, host) }, onConnect)
      : connectPlain({ host, port }, onConnect);
  } catch (error) {
    // kafkajs keeps only the text of what a factory throws; an 'error' event keeps its code as well.
    socket = new Socket();
    socket.destroy(error as Error);
  }
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
  // Without it a request behind an unanswered one waits for the broker's delayed acknowledgement (Nagle, 40 ms).
  socket.setNoDelay(true);
  return socket;
}
