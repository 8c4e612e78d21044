import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import type { RawRequest } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { registerPerson } from '../support/people.ts';
import type { Person } from '../support/people.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { exchange, readHead } from '../support/wire.ts';

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
};
/** A policy for what is no page: were it shown as one, nothing of it would run, load or be framed. */
const DATA = {
  ...ALWAYS,
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};
const NOT_KEPT = { 'cache-control': 'no-store' };
const NAVIGATION = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const CSRF = { 'apollo-require-preflight': '1' };
const ORIGIN = 'capacitor://localhost';
const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const directives = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(
    (headers['content-security-policy'] as string)
      .split('; ')
      .map((part) => [part.split(' ')[0]!, part.slice(part.indexOf(' ') + 1)]),
  );

/** What a page may never do, whatever else it may. */
const STRICT = { 'object-src': "'none'", 'base-uri': "'none'", 'frame-ancestors': "'none'", 'connect-src': "'self'" };

function expectNoTraces(headers: IncomingHttpHeaders) {
  for (const name of ['server', 'x-powered-by', 'via', 'x-aspnet-version']) expect(headers).not.toHaveProperty(name);
  expect(JSON.stringify(headers)).not.toMatch(/node|yoga|express|graphql-ws|v?\d+\.\d+\.\d+/i);
}

let cluster: Cluster;
let ann: Person;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, env: { JWT_PRIVATE_KEY: PEM, TRUST_PROXY: '1' } });
  ann = await registerPerson(cluster);
});
afterAll(() => cluster?.stop());

const ask = (request: RawRequest) => createClient(cluster.node(0)).raw(request);
const post = (query: string, headers: Record<string, string> = {}): RawRequest => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ query }),
});
const search = (query: string) => `/graphql?${new URLSearchParams({ query }).toString()}`;

const answers: [name: string, status: number, request: (now: { ann: Person }) => RawRequest][] = [
  ['a query', 200, () => post('{ __typename }')],
  ['what somebody alone may see', 200, (now) => post('{ me { email } }', authorization(now.ann))],
  ['a query by Yoga', 200, () => ({ ...post('{ __typename }'), body: '{"query":"{ __typename }","other":null}' })],
  ['a query by GET', 200, () => ({ method: 'GET', path: search('{ __typename }'), headers: CSRF })],
  ['a query as a stream', 200, () => post('{ __typename }', { accept: 'text/event-stream' })],
  [
    'a preflight',
    204,
    () => ({ method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-method': 'POST' } }),
  ],
  ['a document that cannot be parsed', 400, () => post('{', { accept: 'application/graphql-response+json' })],
  ['no JSON', 400, () => ({ ...post(''), body: '{' })],
  ['a bad token', 401, () => post('{ __typename }', { authorization: 'Bearer x' })],
  ['a foreign origin', 403, () => post('{ __typename }', { origin: 'https://evil.example' })],
  ['a GET that a link could send', 403, () => ({ method: 'GET', path: search('{ __typename }') })],
  ['a method', 405, () => ({ method: 'PUT' })],
  ['a media type that nobody has', 406, () => post('{ __typename }', { accept: 'image/png' })],
  ['a body that is too large', 413, () => post('x'.repeat(200_000))],
  ['a form', 415, () => post('{ __typename }', { 'content-type': 'text/plain' })],
  ['an expectation that nobody meets', 417, () => post('{ __typename }', { expect: 'coffee' })],
  ['a path that is none', 404, () => ({ method: 'GET', path: '/nothing' })],
  ['the way to GraphiQL', 302, () => ({ method: 'GET', path: '/' })],
  ['/livez', 200, () => ({ method: 'GET', path: '/livez' })],
  ['/readyz', 200, () => ({ method: 'GET', path: '/readyz' })],
  ['a probe that writes', 405, () => ({ method: 'POST', path: '/readyz' })],
];

function authorization({ accessToken }: Person) {
  return { authorization: `Bearer ${accessToken}` };
}

describe('an answer', () => {
  it.each(answers)('is data, and kept by nobody: %s', async (_name, status, request) => {
    const answer = await ask(request({ ann }));
    expect(answer).toMatchObject({ status, headers: { ...DATA, ...NOT_KEPT } });
    expectNoTraces(answer.headers);
    expect(answer.headers).not.toHaveProperty('strict-transport-security');
  });

  it('that is a live stream is kept by nobody', async () => {
    const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
      const request = httpRequest(cluster.node(0).url, {
        method: 'POST',
        agent: false,
        headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...authorization(ann) },
      });
      request.on('error', reject).on('response', (response) => {
        resolve(response.headers);
        request.destroy();
      });
      request.end(JSON.stringify({ query: 'subscription { chatUpdated { id } }' }));
    });
    expect(headers).toMatchObject({ ...DATA, ...NOT_KEPT, 'content-type': 'text/event-stream' });
  });

  it('with the public keys may be kept for a while', async () => {
    const answer = await ask({ method: 'GET', path: '/.well-known/jwks.json' });
    expect(answer).toMatchObject({ status: 200, headers: { ...DATA, 'cache-control': 'max-age=300' } });
  });

  it.each([
    ['what is no HTTP', 'hello\r\n\r\n', 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    ['chunk extensions without end', chunkExtensions(), 413],
    ['an upgrade elsewhere', upgrade({ path: '/nothing' }), 404],
    ['an upgrade of a foreign page', upgrade({ origin: 'https://evil.example' }), 403],
    ['an upgrade to something else', upgrade({ to: 'h2c' }), 400],
    ['a handshake of long ago', upgrade({ version: '7' }), 400],
  ])('on a connection that ends with it: %s', async (_name, bytes, status) => {
    const head = readHead(await exchange(cluster.node(0), bytes));
    expect(head).toMatchObject({ status, headers: { ...DATA, ...NOT_KEPT, connection: 'close' } });
    expectNoTraces(head.headers);
  });

  it.each([
    ['https', true],
    ['HTTPS', true],
    ['http, https', true],
    ['https, http', false],
    ['http', false],
    ['', false],
    ['httpsx', false],
  ])('whose proxy says that it was asked for by %j is told to stay with TLS: %s', async (proto, isTold) => {
    const { headers } = await ask(post('{ __typename }', { 'x-forwarded-proto': proto }));
    expect(headers['strict-transport-security']).toBe(isTold ? 'max-age=31536000' : undefined);
  });

  it('is told so, too, when the client has sent thousands of headers before the one of the proxy', async () => {
    const many = 'a:\r\n'.repeat(3_000);
    const head = `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${many}X-Forwarded-Proto: https\r\n\r\n`;
    const { status, headers } = readHead(await exchange(cluster.node(0), head));
    expect({ status, told: headers['strict-transport-security'] }).toEqual({ status: 200, told: 'max-age=31536000' });
  });

  it('still shows pages of listed origins what they asked for', async () => {
    const { headers } = await ask(post('{ __typename }', { origin: ORIGIN }));
    expect(headers).toMatchObject({ ...DATA, 'access-control-allow-origin': ORIGIN });
  });
});

describe('GraphiQL', () => {
  it('runs its own script and no other', async () => {
    const { status, headers } = await ask({ method: 'GET', path: '/graphql', headers: NAVIGATION });
    expect({ status, headers }).toMatchObject({
      status: 200,
      headers: { ...ALWAYS, ...NOT_KEPT, 'cross-origin-opener-policy': 'same-origin' },
    });
    expect(directives(headers)).toMatchObject({ ...STRICT, 'default-src': "'self'" });
    expect(directives(headers)['script-src']).toMatch(/^'sha256-[\w+/]{43}='$/);
    expectNoTraces(headers);
  });
});

describe('an app', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let place: Cluster;
  beforeAll(async () => {
    directory = await temporaryDirectory('security-headers');
    await mkdir(join(directory.path, 'assets'));
    await writeFile(join(directory.path, 'index.html'), '<!doctype html><title>Chat</title>');
    await writeFile(join(directory.path, 'assets/app-1a2b3c.js'), 'export {};');
    // Nobody in front of it is believed.
    place = await startCluster({ nodes: 1, env: { APP_DIR: directory.path } });
  });
  afterAll(async () => {
    await place?.stop();
    await directory?.remove();
  });

  const open = (path: string, headers: Record<string, string> = {}) =>
    createClient(place.node(0)).raw({ method: 'GET', path, headers: { ...NAVIGATION, ...headers } });

  it('runs what was built, whatever part of it is asked for', async () => {
    for (const [path, kept] of [
      ['/', 'no-cache'],
      ['/chats/1', 'no-cache'],
      ['/assets/app-1a2b3c.js', 'public, max-age=31536000, immutable'],
      ['/assets/nothing.js', 'no-store'],
    ] as const) {
      const { headers } = await open(path, { 'x-forwarded-proto': 'https' });
      expect(headers).toMatchObject({ ...ALWAYS, 'cache-control': kept, 'cross-origin-opener-policy': 'same-origin' });
      expect(directives(headers)).toMatchObject({ ...STRICT, 'default-src': "'self'" });
      expect(headers).not.toHaveProperty('strict-transport-security');
      expectNoTraces(headers);
    }
  });

  it('that the browser has already keeps its policy', async () => {
    const first = await open('/');
    const again = await open('/', { 'if-none-match': first.headers.etag! });
    expect(again.status).toBe(304);
    for (const name of ['content-security-policy', 'cache-control', 'cross-origin-opener-policy'])
      expect(again.headers[name]).toBe(first.headers[name]);
  });

  it('leaves the API and the probes as they are', async () => {
    for (const path of ['/livez', '/graphql/nothing', '/graphql?query=%7B__typename%7D']) {
      const { headers } = await createClient(place.node(0)).raw({ method: 'GET', path, headers: CSRF });
      expect(headers).toMatchObject({ ...ALWAYS, ...NOT_KEPT });
    }
  });
});

function chunkExtensions(): string {
  const head =
    'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
  return `${head}2;${'x'.repeat(20_000)}\r\n`;
}

function upgrade({ path = '/graphql', origin = ORIGIN, to = 'websocket', version = '13' } = {}): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n` +
    `Sec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
  );
}
