import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import type { TestBrowser } from '../support/browser.ts';
import { startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { APP_DIR } from '../support/stage.ts';

/** An empty page of an origin of its own. */
async function servePage(): Promise<{ origin: string; close(): void }> {
  const server: Server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>Elsewhere</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('what the headers mean to a browser', () => {
  let listed: Awaited<ReturnType<typeof servePage>>;
  let foreign: Awaited<ReturnType<typeof servePage>>;
  let cluster: Cluster;
  let browser: TestBrowser;
  beforeAll(async () => {
    [listed, foreign] = await Promise.all([servePage(), servePage()]);
    cluster = await startCluster({ nodes: 1, env: { CORS_ORIGINS: listed.origin, APP_DIR, GRAPHIQL: 'on' } });
    browser = await openBrowser({
      // What is refused below, in the browser's words; nothing that the page or the app itself does.
      allowConsole: [/CORS policy|ERR_FAILED|ERR_BLOCKED_BY_RESPONSE|frame-ancestors|403 \(Forbidden\)/],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
    listed?.close();
    foreign?.close();
  });

  it('GraphiQL works under its policy', async () => {
    const query = '{ __typename }';
    const page = await browser.openPhone(`${cluster.node(0).url}?${new URLSearchParams({ query }).toString()}`);
    await page.getByRole('button', { name: /execute query/i }).click();
    await page.getByLabel('Result Window').getByText('"Query"').waitFor();
  });

  it('a page of a listed origin reads the API, and a foreign one does not', async () => {
    const call = async (origin: string) => {
      const page = await browser.openPhone(origin);
      return page.evaluate(async (url) => {
        const headers = { 'content-type': 'application/json' };
        const body = JSON.stringify({ query: '{ __typename }' });
        const answer = await fetch(url, { method: 'POST', headers, body }).catch(() => null);
        return answer && ((await answer.json()) as object);
      }, cluster.node(0).url);
    };
    expect(await call(listed.origin)).toEqual({ data: { __typename: 'Query' } });
    expect(await call(foreign.origin)).toBeNull();
  });

  it.each(['/livez', '/'])('no page of another origin has %s as a picture or a script', async (path) => {
    const page = await browser.openPhone(listed.origin);
    const isBlocked = await page.evaluate(
      (url) =>
        fetch(url, { mode: 'no-cors' }).then(
          () => false,
          () => true,
        ),
      `${cluster.node(0).origin}${path}`,
    );
    expect(isBlocked).toBe(true);
  });

  it('nobody frames the app', async () => {
    const page = await browser.openPhone(foreign.origin);
    await page.evaluate(
      (url) => {
        const frame = document.createElement('iframe');
        frame.src = url;
        document.body.append(frame);
        return new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
      },
      `${cluster.node(0).origin}/`,
    );
    expect(page.frames().map((frame) => frame.url())).toEqual([`${foreign.origin}/`, 'chrome-error://chromewebdata/']);
  });
});
