import { readdirSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../support/client.ts';
import type { RawRequest, RawResponse } from '../support/client.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { eventually } from '../support/wait.ts';

const PAGE = '<!doctype html><title>Chat</title><script type="module" src="/assets/app-1a2b3c.js"></script>';
const SCRIPT = `export const words = ${JSON.stringify('violet harbour '.repeat(200))};\n`;
/** More than the buffers between two processes hold. */
const LARGE = 'x'.repeat(32 * 1024 * 1024);

const NAVIGATION = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('a server with an app', () => {
  let cluster: Cluster;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let app: string;
  beforeAll(async () => {
    directory = await temporaryDirectory('web-app');
    app = join(directory.path, 'app');
    await mkdir(join(app, 'assets'), { recursive: true });
    await mkdir(join(app, '.git'));
    const files = {
      '../secret.txt': 'not for the world',
      '.git/config': 'not for the world',
      'index.html': PAGE,
      'icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
      'assets/app-1a2b3c.js': SCRIPT,
      'assets/app-1a2b3c.js.gz': gzipSync(SCRIPT),
      'assets/app-1a2b3c.js.br': brotliCompressSync(SCRIPT),
      'assets/large-4d5e6f.js': LARGE,
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(app, name), content);
    cluster = await startCluster({ nodes: 1, env: { APP_DIR: app } });
  });
  afterAll(async () => {
    await cluster?.stop();
    await directory?.remove();
  });

  const ask = (path: string, request: RawRequest = {}): Promise<RawResponse> =>
    createClient(cluster.node(0)).raw({ method: 'GET', ...request, path });

  it('says where the app is', () => {
    expect(cluster.node(0).output).toMatch(/^ {2}App {6}http:\/\/localhost:\d+$/m);
  });

  it('shows the page at /, and asks for it to be looked up again each time', async () => {
    const first = await ask('/?from=home', { headers: NAVIGATION });
    expect(first).toMatchObject({
      status: 200,
      text: PAGE,
      headers: { 'content-type': 'text/html;charset=utf-8', 'cache-control': 'no-cache' },
    });
    const { etag } = first.headers;
    expect((await ask('/', { headers: { ...NAVIGATION, 'if-none-match': etag! } })).status).toBe(304);
  });

  it('lets what is named by its content be kept for ever', async () => {
    const script = await ask('/assets/app-1a2b3c.js');
    expect(script).toMatchObject({ status: 200, text: SCRIPT });
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script.headers['content-type']).toBe('text/javascript');
    const icon = await ask('/icon.svg');
    expect(icon).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-cache', 'content-type': 'image/svg+xml' },
    });
  });

  it.each([
    ['br, gzip', 'br', brotliCompressSync(SCRIPT)],
    ['gzip', 'gzip', gzipSync(SCRIPT)],
  ])('sends to whom accepts %s what was compressed beside the file', async (accepted, sent, bytes) => {
    const { headers } = await ask('/assets/app-1a2b3c.js', { headers: { 'accept-encoding': accepted } });
    expect(headers).toMatchObject({
      'content-encoding': sent,
      'content-length': String(bytes.length),
      'content-type': 'text/javascript',
      vary: 'Accept-Encoding',
    });
  });

  it('lets the page run its own scripts, and talk to its own server', async () => {
    for (const path of ['/', '/chats/1', '/icon.svg']) {
      const { headers } = await ask(path, { headers: NAVIGATION });
      const policy = headers['content-security-policy'] as string;
      const directives = Object.fromEntries(
        policy.split('; ').map((part) => [part.split(' ')[0]!, part.slice(part.indexOf(' ') + 1)]),
      );
      expect(directives).toMatchObject({
        'default-src': "'self'",
        'connect-src': "'self'",
        'img-src': "'self' https: data:",
        'style-src': "'self' 'unsafe-inline'",
        'frame-ancestors': "'none'",
      });
      expect(directives).not.toHaveProperty('script-src');
      expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
    }
  });

  it.each(['/chats/0190b0de-0000-7000-8000-000000000000/info', '/sign-in?next=%2F', '/v1.2/notes', '/tabs/chats/'])(
    'takes %s for a place in the app when a browser goes there',
    async (path) => {
      expect(await ask(path, { headers: NAVIGATION })).toMatchObject({
        status: 200,
        text: PAGE,
        headers: { 'cache-control': 'no-cache' },
      });
      expect((await ask(path, { headers: { accept: '*/*' } })).status).toBe(404);
    },
  );

  it.each(['/assets/app-000000.js', '/assets/', '/assets'])('has no page in place of %s', async (path) => {
    const expected = path === '/assets' ? 200 : 404;
    expect((await ask(path, { headers: NAVIGATION })).status).toBe(expected);
    expect(await ask(path)).toMatchObject({ status: 404, headers: { 'cache-control': 'no-store' } });
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/%252e%252e/secret.txt',
    '/..\\secret.txt',
    '/%5c..%5csecret.txt',
    '/.git/config',
    '/%2egit/config',
    '/%252egit/config',
    '//.git/config',
    '/icon.svg%00.html',
    '/%ff',
    '/%',
    '/%c0%ae%c0%ae/secret.txt',
  ])('gives nothing away at %s', async (path) => {
    for (const accept of ['*/*', 'text/html']) {
      const { status, text } = await ask(path, { headers: { accept } });
      expect(text).not.toContain('not for the world');
      if (status !== 404) expect({ status, text, accept }).toEqual({ status: 200, text: PAGE, accept: 'text/html' });
    }
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const [path, length] of [['/', PAGE.length] as const, ['/assets/app-1a2b3c.js', SCRIPT.length] as const]) {
      const { status, text, headers } = await ask(path, { method: 'HEAD', headers: NAVIGATION });
      expect({ status, text, length: headers['content-length'] }).toEqual({
        status: 200,
        text: '',
        length: String(length),
      });
    }
    expect((await ask('/nothing.js', { method: 'HEAD' })).status).toBe(404);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('refuses %s', async (method) => {
    const answer = await ask('/', { method, headers: NAVIGATION, body: 'x'.repeat(1000) });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  it('sends files whole, whatever part is asked for', async () => {
    for (const range of ['bytes=0-3', 'bytes=9-3', 'bytes=99999999-', 'bytes=-1', 'lines=x'])
      expect(await ask('/assets/app-1a2b3c.js', { headers: { range } })).toMatchObject({ status: 200, text: SCRIPT });
  });

  it('leaves the API where it is', async () => {
    const body = JSON.stringify({ query: '{ __typename }' });
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    expect((await ask('/graphql', { method: 'POST', headers, body })).json).toEqual({ data: { __typename: 'Query' } });
    expect((await ask('/graphql', { headers: NAVIGATION })).text).toContain('YogaGraphiQL');
    expect((await ask('/livez', { headers: NAVIGATION })).json).toEqual({ status: 'live' });
    expect((await ask('/readyz', { headers: NAVIGATION })).json).toMatchObject({ status: 'ready' });
  });

  it('shows what was built since it has started', async () => {
    const built = join(directory.path, 'built');
    await mkdir(built);
    await writeFile(join(built, 'index.html'), `${PAGE}<p>More than before.`);
    const before = join(directory.path, 'before');
    await rename(app, before);
    try {
      expect((await ask('/', { headers: NAVIGATION })).status).toBe(404);
      await rename(built, app);
      expect((await ask('/', { headers: NAVIGATION })).text).toBe(`${PAGE}<p>More than before.`);
      expect((await ask('/assets/app-1a2b3c.js')).status).toBe(404);
    } finally {
      await rm(app, { recursive: true, force: true });
      await rename(before, app);
    }
  });

  it.runIf(process.platform === 'linux')('outlives a file that cannot be read', async () => {
    await symlink('/proc/self/mem', join(app, 'unreadable.bin'));
    await ask('/unreadable.bin').catch((error: unknown) =>
      expect((error as Error).message).toMatch(/hang up|ECONNRESET/),
    );
    expect((await ask('/')).status).toBe(200);
  });

  it.runIf(process.platform === 'linux')('closes the file when its reader goes away', async () => {
    const openFiles = () => readdirSync(`/proc/${cluster.node(0).pid}/fd`).length;
    const before = openFiles();
    const leavers = Array.from(
      { length: 10 },
      () =>
        new Promise<void>((resolve, reject) => {
          const request = httpRequest(new URL('/assets/large-4d5e6f.js', cluster.node(0).origin), { agent: false });
          request.on('error', reject).on('response', (response) => {
            response.once('readable', () => {
              request.destroy();
              resolve();
            });
          });
          request.end();
        }),
    );
    await Promise.all(leavers);
    await eventually(() => expect(openFiles()).toBeLessThanOrEqual(before + 1));
    expect((await ask('/assets/large-4d5e6f.js')).text.length).toBe(LARGE.length);
  });
});

describe('a server without an app', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
  });
  afterAll(() => cluster?.stop());

  it('says nothing of one, and sends who opens it in a browser to GraphiQL', async () => {
    expect(cluster.node(0).output).not.toMatch(/^ {2}App /m);
    const answer = await createClient(cluster.node(0)).raw({ method: 'GET', path: '/', headers: NAVIGATION });
    expect(answer).toMatchObject({ status: 302, headers: { location: '/graphql' } });
    const other = await createClient(cluster.node(0)).raw({ method: 'GET', path: '/chats/1', headers: NAVIGATION });
    expect(other.status).toBe(404);
  });
});
