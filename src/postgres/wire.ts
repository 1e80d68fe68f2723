// Between a server's byte stream and postgres.js: answers authentication, and takes the data of a
// COPY out of the stream before postgres.js sees it. postgres.js then sees a COPY as a plain statement that ends with
// its CommandComplete, so none of the defects of its COPY streams can occur: a destroyed stream that hangs the
// connection, the end of a COPY that is lost with the socket paused on Node 20, one object a row.
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Failure } from '../model/failure.ts';
import { createDeframer } from './frames.ts';
import type { Login } from './login.ts';

/**
 * Takes the payload of COPY data in order, split anywhere; a chunk is the sink's to keep. Reading pauses while a returned
 * promise is pending.
 */
export interface CopySink {
  write(chunk: Buffer): Promise<void> | undefined;
}

/** What postgres.js is given for a socket: it writes to it and listens to `data`, `close` and `drain`. */
export type PostgresSocket = EventEmitter & { write(data: Buffer, done?: () => void): boolean };

export interface Wire {
  readonly socket: PostgresSocket;
  readonly closed: boolean;
  /** Why it is closed, where it was not the server that closed it. */
  readonly failure: unknown;
  /** From the server's BackendKeyData. */
  readonly backend: { readonly pid: number; readonly secret: number };
  /** The server's reported parameters: `server_version`, `is_superuser` … */
  readonly parameters: ReadonlyMap<string, string>;
  /** As of the last ReadyForQuery: idle, in a transaction, in a failed one. */
  readonly transaction: 'idle' | 'open' | 'failed';
  /** Resolves at the next ReadyForQuery, or when the wire is closed. */
  nextReady(): Promise<void>;
  /** Resolves when the wire is closed. */
  readonly end: Promise<void>;
  /** COPY data goes to `sink` from now on; to nowhere when there is none. `failed` hears of an error of the sink. */
  copyTo(sink: CopySink | undefined, failed?: (error: unknown) => void): void;
  /** Says goodbye (Terminate), so that the server ends its session without a log line. */
  terminate(): void;
  /** Closes at once. The reason is what statements under way are to be told. */
  destroy(reason?: unknown): void;
}

const HEADER = 5;
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
/** CopyFail with an empty reason: nothing here ever writes a COPY. */
const COPY_FAIL = Buffer.from([0x66, 0, 0, 0, 5, 0]);
/** libpq's limit for a message before the login is done: what is longer is not Postgres. */
const MAX_LOGIN_MESSAGE = 30_000;
const MAX_MESSAGE = 0x7fffffff;

const COPY_DONE = 'c'.charCodeAt(0);
const COPY_OUT = 'H'.charCodeAt(0);
const COPY_IN = 'G'.charCodeAt(0);
const AUTHENTICATION = 'R'.charCodeAt(0);
const ERROR = 'E'.charCodeAt(0);
const BACKEND_KEY = 'K'.charCodeAt(0);
const PARAMETER = 'S'.charCodeAt(0);
const READY = 'Z'.charCodeAt(0);
const NEGOTIATE_VERSION = 'v'.charCodeAt(0);
const COMMAND_COMPLETE = 'C'.charCodeAt(0);
/** How a CommandComplete says that it is of a COPY. */
const COPY = 'COPY ';

/** An ErrorResponse after which the server ends the session. */
interface ServerError {
  readonly severity: string;
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** Takes over a connected transport. `strange` makes the failure for an answer that is not Postgres's. */
export function createWire(transport: Socket, login: Login, strange: () => Failure): Wire {
  const socket = Object.assign(new EventEmitter(), {
    write: (data: Buffer, done?: () => void) => transport.write(data, done),
    end: (data: Buffer) => void transport.end(data),
    destroy: () => destroy(),
    // postgres.js pauses only for its own COPY streams, which never exist here.
    pause: () => undefined,
    resume: () => undefined,
  });
  const parameters = new Map<string, string>();
  const backend = { pid: 0, secret: 0 };
  let transaction: Wire['transaction'] = 'idle';
  let loggedIn = false;
  let closed = false;
  let failure: unknown;
  /** What the server said before it closed the connection: postgres.js would only say that it was closed. */
  let fatal: ServerError | undefined;
  let ready: (() => void)[] = [];
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });

  let sink: CopySink | undefined;
  let sinkFailed: (error: unknown) => void = () => undefined;
  /** Counts the sinks, so that the promise of a former one changes nothing. */
  let epoch = 0;

  const frames = createDeframer({
    message: handle,
    payload: deliver,
    limit: () => (loggedIn ? MAX_MESSAGE : MAX_LOGIN_MESSAGE),
    malformed: () => destroy(strange()),
  });

  function destroy(reason?: unknown): void {
    if (closed) return;
    closed = true;
    failure = reason instanceof Failure ? reason : (fatal ?? reason);
    frames.stop();
    transport.destroy();
    wakeReady();
    // Later: postgres.js would go on writing to a socket that was closed inside one of its own handlers.
    setImmediate(() => {
      socket.emit('close', false);
      ended();
    });
  }

  function wakeReady(): void {
    const waiters = ready;
    ready = [];
    for (const resolve of waiters) resolve();
  }

  function deliver(payload: Buffer): boolean {
    if (!sink) return false;
    const mine = epoch;
    let pending: Promise<void> | undefined;
    try {
      pending = sink.write(payload);
    } catch (error) {
      sinkFailed(error);
      return false;
    }
    pending?.then(
      () => mine === epoch && goOn(),
      (error: unknown) => mine === epoch && sinkFailed(error),
    );
    if (!pending || mine !== epoch) return false;
    transport.pause();
    return true;
  }

  function goOn(): void {
    if (!frames.paused || closed) return;
    frames.resume();
    if (!frames.paused) transport.resume();
  }

  function handle(message: Buffer): void {
    switch (message[0]) {
      case COPY_OUT:
      case COPY_DONE:
      case NEGOTIATE_VERSION:
        return;
      case COPY_IN:
        transport.write(COPY_FAIL);
        return;
      case AUTHENTICATION:
        authenticate(message.subarray(HEADER));
        return;
      case ERROR:
        fatal ??= fatalError(message);
        break;
      case BACKEND_KEY:
        backend.pid = message.readUInt32BE(HEADER);
        backend.secret = message.readUInt32BE(HEADER + 4);
        break;
      case PARAMETER: {
        const [name = '', value = ''] = message.toString('utf8', HEADER, message.length - 1).split('\0');
        parameters.set(name, value);
        break;
      }
      case COMMAND_COMPLETE:
        // Nobody asks for those around a COPY, and there are six in the message of a run.
        if (sink && message.toString('latin1', HEADER, HEADER + COPY.length) !== COPY) return;
        break;
      case READY:
        loggedIn = true;
        transaction = message[HEADER] === 0x49 ? 'idle' : message[HEADER] === 0x54 ? 'open' : 'failed';
        socket.emit('data', message);
        wakeReady();
        return;
    }
    socket.emit('data', message);
  }

  function authenticate(body: Buffer): void {
    try {
      login(body)?.then(
        (answer) => answer && !closed && transport.write(answer),
        (error: unknown) => destroy(error),
      );
    } catch (error) {
      destroy(error);
    }
  }

  transport.on('data', (chunk: Buffer) => frames.push(chunk));
  transport.on('drain', () => socket.emit('drain'));
  transport.on('error', (error) => destroy(error));
  transport.on('close', () => destroy());
  transport.resume();

  return {
    socket,
    backend,
    parameters,
    end,
    get closed() {
      return closed;
    },
    get failure() {
      return failure;
    },
    get transaction() {
      return transaction;
    },
    nextReady() {
      if (closed) return Promise.resolve();
      return new Promise((resolve) => ready.push(resolve));
    },
    copyTo(next, failed = () => undefined) {
      epoch++;
      sink = next;
      sinkFailed = failed;
      goOn();
    },
    terminate() {
      if (!closed) transport.end(TERMINATE);
    },
    destroy,
  };
}

/** The fields of an ErrorResponse (Postgres documentation, 55.8) that is FATAL or PANIC; undefined for others. */
function fatalError(message: Buffer): ServerError | undefined {
  const fields = new Map<string, string>();
  for (const field of message.toString('utf8', HEADER).split('\0')) fields.set(field.slice(0, 1), field.slice(1));
  const severity = fields.get('V') ?? fields.get('S') ?? '';
  if (severity !== 'FATAL' && severity !== 'PANIC') return undefined;
  const detail = fields.get('D');
  const hint = fields.get('H');
  return {
    severity,
    code: fields.get('C') ?? '',
    message: fields.get('M') ?? '',
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  };
}
