// The HTTP server of `start`: one table of routes, who may ask for each, and how answers and errors are sent. What is answered
// is in the handlers, which know nothing of sockets.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from '../model/failure.ts';
import type { Bytes, Milliseconds } from '../model/units.ts';
import { type Access, createGuard, type GuardSettings } from './guard.ts';
import { type Answer, json, type Reply, sendAnswer } from './reply.ts';

export interface StatusRequest {
  /** Of the path's `:names`, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The body as JSON; an empty one is `{}`. Rejects with what is answered 400, 413 or 415. */
  json(): Promise<Readonly<Record<string, unknown>>>;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/api/jobs/:job`: a `:name` stands for one segment. */
  readonly path: string;
  readonly access: Access;
  readonly handle: (request: StatusRequest) => Reply | Promise<Reply>;
}

export interface StatusLog {
  info(msg: string, fields?: Readonly<Record<string, string | number | undefined>>): void;
  warn(msg: string, fields?: Readonly<Record<string, string | number | undefined>>): void;
  error(msg: string, fields?: Readonly<Record<string, string | number | undefined>>): void;
}

export interface StatusServerOptions extends GuardSettings {
  readonly routes: readonly Route[];
  readonly log: StatusLog;
}

export interface StatusServer {
  /** Where it really listens: `http://127.0.0.1:8087`. */
  readonly address: string;
  /** Ends every connection, streams too. */
  close(): Promise<void>;
}

/** A handler throws it to answer with that status. */
export class HttpError extends Error {
  readonly status: number;
  readonly hint: string | undefined;
  constructor(status: number, message: string, hint?: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

const LARGEST_BODY: Bytes = 64 * 1024;
/** For a whole request to come in: bodies are small. */
const REQUEST_LIMIT: Milliseconds = 10_000;

/** Rejects with a Failure of kind `configuration` when the address cannot be listened on. */
export async function createStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const { routes, log } = options;
  const guard = createGuard(options);
  const table = routes.map((route) => ({ route, segments: route.path.split('/') }));

  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const url = new URL(request.url ?? '/', 'http://host');
    const segments = url.pathname.split('/');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const found = table.flatMap(({ route, segments: pattern }) => {
      const params = matchPath(pattern, segments);
      return params ? [{ route, params }] : [];
    });
    const match = found.find(({ route }) => route.method === method);
    const { host, origin, authorization } = request.headers;
    const refusal = guard(match?.route.access ?? 'page', { host, origin, authorization });
    if (refusal) {
      const refused = json({ error: refusal.message, hint: refusal.hint }, refusal.status);
      return refusal.status === 401
        ? { ...refused, headers: { 'www-authenticate': 'Bearer realm="pgtally"' } }
        : refused;
    }
    if (found.length === 0) throw new HttpError(404, `there is nothing at \`${url.pathname}\``);
    if (!match) {
      const allow = found.map(({ route }) => route.method).join(', ');
      return { ...json({ error: `\`${request.method}\` is not for this path` }, 405), headers: { allow } };
    }
    return match.route.handle({ params: match.params, query: url.searchParams, json: () => readJson(request) });
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const reply = await answer(request).catch((error: unknown) => answerError(error, request, log));
      if ('stream' in reply) reply.stream(request, response);
      else await sendAnswer(request, response, reply);
    } catch (error) {
      log.error('a defect in pgtally', { where: `${request.method} ${request.url}`, error: detailOf(error) });
      response.destroy();
    }
  };

  const server = createServer((request, response) => void serve(request, response));
  server.requestTimeout = REQUEST_LIMIT;
  await listen(server, options.listen);
  server.on('error', (error) => log.warn('the status page has trouble', { error: error.message }));
  return {
    address: addressOf(server),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, address: string): Promise<void> {
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, address)));
    server.listen({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function cannotListen(error: NodeJS.ErrnoException, address: string): Failure {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'something listens there already',
    EACCES: 'this user may not listen there',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'the name is not known',
  };
  return new Failure(
    `the status page cannot listen on \`${address}\`: ${reasons[error.code ?? ''] ?? error.message} (\`status.listen\`)`,
    {
      kind: 'configuration',
      ...(error.code === undefined ? {} : { code: error.code }),
      cause: error,
      hint: 'give `status.listen` in pgtally.yaml another port (0 takes any that is free), or end what listens there',
    },
  );
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** The values of the pattern's names, undefined when the path is another one. */
function matchPath(pattern: readonly string[], path: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const given = path[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== given) return undefined;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(given);
    } catch {
      // Not percent-encoding: no path of ours.
      return undefined;
    }
  }
  return params;
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  // A form of another site cannot send this type without asking first (CORS), which we never allow.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw new HttpError(415, 'the body must be JSON', 'send `Content-Type: application/json`');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new HttpError(413, `the body is larger than ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  let parsed: unknown;
  try {
    parsed = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new HttpError(400, 'the body is not a JSON object');
  return parsed as Readonly<Record<string, unknown>>;
}

function answerError(error: unknown, request: IncomingMessage, log: StatusLog): Answer {
  if (error instanceof HttpError) return json({ error: error.message, hint: error.hint }, error.status);
  if (error instanceof Failure) {
    const status = error.kind === 'configuration' ? 400 : 503;
    return json({ error: error.message, hint: error.hint }, status);
  }
  log.error('a defect in pgtally', { where: `${request.method} ${request.url}`, error: detailOf(error) });
  return json({ error: 'a defect in pgtally: its log says more' }, 500);
}

function detailOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
