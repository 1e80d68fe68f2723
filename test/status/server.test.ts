import { request } from 'node:http';
import { createServer } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStatusServer, HttpError, type Route } from '../../src/status/server.ts';
import { testProject } from '../cli/project.ts';

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const LONG = 'row '.repeat(1000);
const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/', access: 'page', handle: () => ({ type: 'text/html', body: LONG }) },
  {
    method: 'GET',
    path: '/servers/:name',
    access: 'read',
    handle: ({ params, query }) => ({ type: 'text/plain', body: `${params.name} ${query.get('q')}` }),
  },
  {
    method: 'POST',
    path: '/echo',
    access: 'action',
    handle: async (asked) => ({ type: 'text/plain', body: JSON.stringify(await asked.json()) }),
  },
  {
    method: 'GET',
    path: '/none',
    access: 'page',
    handle: () => Promise.reject(new HttpError(404, 'there is no such job', 'look at the list')),
  },
  { method: 'GET', path: '/broken', access: 'page', handle: () => Promise.reject(new TypeError('secret detail')) },
];

async function serve(): Promise<{ url: string; errors: string[] }> {
  const errors: string[] = [];
  const server = await createStatusServer({
    listen: '127.0.0.1:0',
    token: 'secret',
    hosts: [],
    routes: ROUTES,
    log: { info: () => undefined, warn: () => undefined, error: (_, fields) => errors.push(String(fields?.error)) },
  });
  onTestFinished(() => server.close());
  return { url: server.address, errors };
}

function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: options.method ?? 'GET', headers: options.headers ?? {} }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.once('error', reject);
    sent.end(options.body);
  });
}

const POST = { method: 'POST', headers: { authorization: 'Bearer secret', 'content-type': 'application/json' } };

describe('the HTTP server of `start`', () => {
  test('names in a path are decoded, and a query is read', async () => {
    const { url } = await serve();
    const answer = await ask(`${url}/servers/edge-1%2Fbilling?q=a%20b`);
    expect([answer.status, answer.body.toString()]).toEqual([200, 'edge-1/billing a b']);
    expect((await ask(`${url}/servers/%zz`)).status).toBe(404);
  });

  test('what is long is compressed for who takes it, and not sent again to who has it', async () => {
    const { url } = await serve();
    const plain = await ask(url);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const zipped = await ask(url, { headers: { 'accept-encoding': 'br, gzip' } });
    expect(gunzipSync(zipped.body).toString()).toBe(LONG);
    expect(zipped.body.length).toBeLessThan(plain.body.length / 10);
    const again = await ask(url, { headers: { 'if-none-match': String(zipped.headers.etag) } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    expect(
      (await ask(url, { headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding'],
    ).toBeUndefined();
  });

  test('HEAD has the headers of GET and no body', async () => {
    const { url } = await serve();
    const head = await ask(url, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(LONG.length), 0]);
  });

  test('every answer forbids scripts, styles and frames of others', async () => {
    const { url } = await serve();
    for (const path of ['/', '/none', '/nowhere']) {
      const { headers } = await ask(url + path);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'/);
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });

  test('what is not there is 404, another method 405, and neither tells more', async () => {
    const { url } = await serve();
    expect((await ask(`${url}/nowhere`)).status).toBe(404);
    const wrong = await ask(url, { method: 'POST' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET']);
    const none = await ask(`${url}/none`);
    expect([none.status, JSON.parse(none.body.toString())]).toEqual([
      404,
      { error: 'there is no such job', hint: 'look at the list' },
    ]);
  });

  test('a defect is 500 without its details, which are in the log', async () => {
    const { url, errors } = await serve();
    const broken = await ask(`${url}/broken`);
    expect(broken.status).toBe(500);
    expect(broken.body.toString()).not.toContain('secret detail');
    expect(errors.join('\n')).toContain('secret detail');
  });

  test('a body must be a JSON object of moderate size, sent as JSON', async () => {
    const { url } = await serve();
    const post = async (body: string, type = 'application/json') =>
      (await ask(`${url}/echo`, { ...POST, headers: { ...POST.headers, 'content-type': type }, body })).status;
    expect(await post('{"note":"x"}')).toBe(200);
    expect(await post('')).toBe(200);
    expect(await post('{"note":')).toBe(400);
    expect(await post('[1]')).toBe(400);
    expect(await post('note=x', 'application/x-www-form-urlencoded')).toBe(415);
    expect(await post('{}', 'text/plain')).toBe(415);
    expect(await post(JSON.stringify({ note: 'x'.repeat(70_000) }))).toBe(413);
  });

  test('an action without the token is 401, from a foreign page 403, and for a foreign name 403', async () => {
    const { url } = await serve();
    const post = async (headers: Record<string, string>) =>
      (await ask(`${url}/echo`, { ...POST, headers: { ...POST.headers, ...headers }, body: '{}' })).status;
    expect(await post({})).toBe(200);
    expect(await post({ authorization: 'Bearer wrong' })).toBe(401);
    expect(await post({ origin: 'https://evil.example' })).toBe(403);
    expect(await post({ host: 'evil.example' })).toBe(403);
  });
});

describe('pgtally start', () => {
  test('ends with exit 2 and names the setting when the address of the page is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise((resolve) => taken.close(() => resolve())));
    const { port } = taken.address() as { port: number };
    const project = await testProject({ jobs: {}, settings: `status: {listen: "127.0.0.1:${port}"}\n` });
    const { code, stderr } = await project.pgtally('start');
    expect(code).toBe(2);
    expect(stderr).toContain(
      `error: the status page cannot listen on \`127.0.0.1:${port}\`: something listens there already (\`status.listen\`)\nhint: `,
    );
  });

  test('answers probes on the address it logs while Kafka cannot be reached', async () => {
    const project = await testProject({ jobs: {}, brokers: '127.0.0.1:1' });
    const daemon = project.start('start');
    const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/, 20_000);
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    expect((await daemon.stop()).code).toBe(0);
  });
});
