import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from '../logger.ts';
import { checkHead, isAllowedOrigin, readBody, Refusal, sendRefusal, setCorsHeaders } from './edge.ts';
import type { Health } from './health.ts';
import { GRAPHQL_PATH } from './yoga.ts';
import type { GraphQLServer, ServerContext } from './yoga.ts';

export interface HttpServerOptions {
  graphql: GraphQLServer;
  corsOrigins: readonly string[];
  graphiql: boolean;
  health: Health;
  createContext: (request: IncomingMessage, requestId: string) => ServerContext['createContext'];
  logger: Logger;
}

/** For the whole of the headers, and of the request: far more than an honest phone on a bad network needs. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

export function createHttpServer(options: HttpServerOptions): Server {
  const origins = new Set(options.corsOrigins);
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 2_000 },
    (request, response) => {
      handle(request, response).catch((error: unknown) => {
        if (request.socket.destroyed) return options.logger.debug({ err: error }, 'a client went away');
        options.logger.error({ err: error }, 'unexpected error');
        if (response.headersSent) response.destroy();
        else sendRefusal(response, new Refusal(500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.'));
      });
    },
  );
  return server;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0];
    response.setHeader('x-content-type-options', 'nosniff');
    if (options.health.handle(path, request, response)) return;
    if (path !== GRAPHQL_PATH) return notFound(request, response, options.graphiql);
    return handleGraphQL(request, response);
  }

  async function handleGraphQL(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAllowedOrigin(request, origins))
      return sendRefusal(response, new Refusal(403, 'ORIGIN_NOT_ALLOWED', 'This origin may not call.'));
    setCorsHeaders(request, response);
    if (request.method === 'OPTIONS') return void response.writeHead(204, { allow: 'GET, POST' }).end();
    const isPage = options.graphiql && request.method === 'GET' && request.headers.accept?.includes('text/html');
    const refusal = isPage ? null : checkHead(request);
    if (refusal) return sendRefusal(response, refusal);
    if (request.method === 'POST') {
      const body = await readBody(request);
      if (body instanceof Refusal) return sendRefusal(response, body);
      // Yoga takes a body that was read already; an empty one it would wait for.
      if (body.length === 0) return sendRefusal(response, new Refusal(400, 'BAD_REQUEST', 'The body is empty.'));
      Object.assign(request, { body });
    }
    const requestId = randomUUID();
    response.setHeader('x-request-id', requestId);
    await options.graphql(request, response, { requestId, createContext: options.createContext(request, requestId) });
  }
}

function notFound(request: IncomingMessage, response: ServerResponse, graphiql: boolean): void {
  if (graphiql && request.method === 'GET' && request.url === '/')
    return void response.writeHead(302, { location: GRAPHQL_PATH }).end();
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found. The API is at /graphql.\n');
}
