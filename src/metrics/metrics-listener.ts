import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetricsAddress {
  port: number;
  host: string;
}

export interface Exposition {
  contentType: string;
  text: string;
}

export interface MetricsListener {
  readonly port: number;
  /** Takes no more questions; those under way are cut off. */
  close(): Promise<void>;
}

const PATH = '/metrics';
/** Figures are for no browser: `server/security-headers.ts` says more of each. */
const HEADERS = new Headers({
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
});
/** For a whole question, and for one that never comes. */
const TIMEOUT_MS = 10_000;

/**
 * Answers Prometheus at `/metrics`, and nobody anywhere else: no cookie, no CORS, no body is read.
 *
 * @throws EADDRINUSE and the like, with the name of the setting.
 */
export async function listenForScrapes(
  { port, host }: MetricsAddress,
  read: () => Promise<Exposition>,
): Promise<MetricsListener> {
  const server = createServer(
    { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS },
    (request, response) => void answer(request, response),
  );

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeaders(HEADERS);
    if ((request.url ?? '').split('?', 1)[0] !== PATH) return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    try {
      const { contentType, text } = await read();
      const headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(text) };
      response.writeHead(200, headers).end(text);
    } catch {
      response.writeHead(500).end();
    }
  }

  server.listen({ port, host });
  await once(server, 'listening').catch((error: Error) => {
    error.message = `METRICS_PORT: ${error.message}`;
    throw error;
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}
