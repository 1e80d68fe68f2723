// How an answer goes over the wire: its headers, its entity tag, and compressed where the browser takes that.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Bytes } from '../model/units.ts';

export interface Answer {
  /** Default 200. */
  readonly status?: number;
  /** The content type. */
  readonly type: string;
  readonly body: string | PackedBody;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The handler writes to the response by itself, as long as it likes. */
export interface Stream {
  readonly stream: (request: IncomingMessage, response: ServerResponse) => void;
}

export type Reply = Answer | Stream;

/** A body that is answered often: compressed once. */
export interface PackedBody {
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly tag: string;
}

/** Below this a body does not get smaller. */
const WORTH_COMPRESSING: Bytes = 860;
const compress = promisify(gzip);

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) };
}

export async function packBody(plain: Buffer): Promise<PackedBody> {
  return { plain, gzipped: await compress(plain, { level: 9 }), tag: tagOf(plain) };
}

/** Sends the answer; 304 without a body where the client has it already. */
export async function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  const { status = 200, body } = answer;
  const plain = typeof body === 'string' ? Buffer.from(body) : body.plain;
  const tag = typeof body === 'string' ? tagOf(plain) : body.tag;
  const headers: Record<string, string | number> = {
    ...SECURITY_HEADERS,
    'content-type': answer.type,
    // Kept, but asked about each time: the entity tag says whether it changed.
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    ...answer.headers,
  };
  if (status === 200) headers.etag = tag;
  if (status === 200 && request.headers['if-none-match'] === tag) {
    response.writeHead(304, headers).end();
    return;
  }
  const zipped = takesGzip(request) && plain.length >= WORTH_COMPRESSING;
  const sent = zipped ? (typeof body === 'string' ? await compress(plain) : body.gzipped) : plain;
  if (zipped) headers['content-encoding'] = 'gzip';
  headers['content-length'] = sent.length;
  response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : sent);
}

/** The headers of a stream of server-sent events (WHATWG HTML, 9.2). */
export function eventStreamHeaders(zipped: boolean): Record<string, string> {
  return {
    ...SECURITY_HEADERS,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // A proxy that waits for the end of the answer would show nothing at all.
    'x-accel-buffering': 'no',
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
  };
}

export function takesGzip(request: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\b)/i.test(String(request.headers['accept-encoding'] ?? ''));
}

function tagOf(body: Buffer): string {
  return `"${createHash('sha1').update(body).digest('base64url')}"`;
}
