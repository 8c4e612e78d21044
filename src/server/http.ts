import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from '../logger.ts';
import type { Metrics, RequestOutcome } from '../metrics/metrics.ts';
import { BoundedRequest } from './bounded-request.ts';
import {
  checkHead,
  drainBody,
  EVENT_STREAM,
  namesOneHost,
  originForm,
  presetCorsHeaders,
  readBody,
  Refusal,
  sendRefusal,
} from './edge.ts';
import type { OriginGuard } from './edge.ts';
import { sendGraphiQL } from './graphiql.ts';
import type { Health } from './health.ts';
import { keptBody } from './kept-body.ts';
import { answerClientError } from './last-answer.ts';
import { oneAtATime } from './pipelining.ts';
import { answerPlainPost, readPlainPost } from './plain-post.ts';
import { createRequestIds } from './request-ids.ts';
import { SecuredResponse } from './secured-response.ts';
import { strictTransport } from './security-headers.ts';
import type { WebApp } from './web-app.ts';
import { GRAPHQL_PATH } from './yoga.ts';
import type { GraphQLServer, ServerContext } from './yoga.ts';

export interface HttpServerOptions {
  graphql: GraphQLServer;
  isAllowedOrigin: OriginGuard;
  graphiql: boolean;
  health: Health;
  /** With which anybody can check our access tokens. Empty: the keys are secret. */
  publicKeys: readonly object[];
  /** At every path that is not the API's; undefined: there is no app to serve. */
  webApp: WebApp | undefined;
  /** How many proxies in front are believed. */
  trustProxy: number;
  createContext: (
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ) => ServerContext['createContext'];
  logger: Logger;
  metrics: Metrics;
}

/** For the whole of the headers, and of the request: far more than an honest phone on a bad network needs. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/**
 * For a connection between two requests. Longer than the 60 s of the usual proxies, so that it is the client's side that
 * closes: a request that crosses the server's closing on its way is lost with a reset.
 */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** A JSON Web Key Set (RFC 7517), where OpenID Connect has taught everybody to look for it. */
const JWKS_PATH = '/.well-known/jwks.json';
const JWKS_MAX_AGE_S = 300;

export function createHttpServer(options: HttpServerOptions): Server {
  const { metrics } = options;
  const take = oneAtATime(answer);
  const nextRequestId = createRequestIds();
  const server = createServer(
    {
      IncomingMessage: BoundedRequest,
      ServerResponse: SecuredResponse,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 2_000,
    },
    take,
  );
  // No limit: Node would drop those beyond 2,000 in silence, and a client could push out what the proxy says after them.
  // The size of all of them is bounded (16 KB).
  server.maxHeadersCount = 0;
  // Whether to go on is said where the body is read: whom we refuse need not send it.
  server.on('checkContinue', take);
  server.on('clientError', answerClientError);
  // Of expectations there is but that one: RFC 9110, section 10.1.1.
  const refuseExpectation = oneAtATime((request, response: SecuredResponse) => {
    presetForTls(request, response);
    drainBody(request);
    response.writeHead(417).end();
  });
  server.on('checkExpectation', refuseExpectation);
  return server;

  function answer(request: IncomingMessage, response: SecuredResponse): void {
    handle(request, response).catch((error: unknown) => {
      if (request.socket.destroyed) {
        metrics.requestAnswered('http', 'aborted');
        return options.logger.debug({ err: error }, 'a client went away');
      }
      options.logger.error({ err: error }, 'unexpected error');
      if (response.headersSent) response.destroy();
      else refuse(response, new Refusal(500, 'INTERNAL_SERVER_ERROR', 'Unexpected error.'));
      metrics.requestAnswered('http', '5xx');
    });
  }

  function presetForTls({ headers }: IncomingMessage, response: SecuredResponse): void {
    const strict = strictTransport(headers, options.trustProxy);
    if (strict !== undefined) response.preset('strict-transport-security', strict);
  }

  async function handle(request: IncomingMessage, response: SecuredResponse): Promise<void> {
    request.url = originForm(request.url);
    const path = request.url.split('?', 1)[0];
    presetForTls(request, response);
    if (path !== GRAPHQL_PATH || request.method !== 'POST') drainBody(request);
    if (options.health.handle(path, request, response)) return;
    if (path === GRAPHQL_PATH) {
      await handleGraphQL(request, response);
      return metrics.requestAnswered(isEventStream(response) ? 'sse' : 'http', outcomeOf(response));
    }
    if (path === JWKS_PATH && options.publicKeys.length > 0) return sendPublicKeys(request, response);
    if (options.webApp) return options.webApp.handle(request, response);
    return notFound(request, response, options.graphiql);
  }

  function sendPublicKeys(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    const headers = { 'content-type': 'application/jwk-set+json', 'cache-control': `max-age=${JWKS_MAX_AGE_S}` };
    response.writeHead(200, headers).end(JSON.stringify({ keys: options.publicKeys }));
  }

  function refuse(response: ServerResponse, refusal: Refusal): void {
    metrics.errorPresented(refusal.code);
    sendRefusal(response, refusal);
  }

  async function handleGraphQL(request: IncomingMessage, response: SecuredResponse): Promise<void> {
    if (!options.isAllowedOrigin(request))
      return refuse(response, new Refusal(403, 'ORIGIN_NOT_ALLOWED', 'This origin may not call.'));
    presetCorsHeaders(request, response);
    if (!namesOneHost(request))
      return refuse(response, new Refusal(400, 'BAD_REQUEST', 'Host names one host, with or without a port.'));
    if (request.method === 'OPTIONS') return void response.writeHead(204, { allow: 'GET, POST' }).end();
    const isPage = options.graphiql && request.method === 'GET' && request.headers.accept?.includes('text/html');
    const refusal = isPage ? null : checkHead(request);
    if (refusal) return refuse(response, refusal);
    if (isPage) return sendGraphiQL(response);
    const requestId = nextRequestId();
    response.preset('x-request-id', requestId);
    const context = { requestId, createContext: options.createContext(request, response, requestId) };
    if (request.method === 'POST') {
      if (request.headers.expect !== undefined) response.writeContinue();
      const body = await readBody(request);
      if (body instanceof Refusal) return refuse(response, body);
      // Yoga takes a body that was read already; an empty one it would wait for.
      if (body.length === 0) return refuse(response, new Refusal(400, 'BAD_REQUEST', 'The body is empty.'));
      const plain = readPlainPost(request.headers.accept, body);
      if (plain instanceof Refusal) return refuse(response, plain);
      if (plain && (await answerPlainPost(options.graphql, plain, context, response))) return;
      Object.assign(request, { body: keptBody(body, options.graphql.operations) });
    }
    // HTTP 1.0 may have none, and Yoga would make one of this machine's address, with which it may be no URL.
    request.headers.host ??= 'localhost';
    await options.graphql(request, response, context);
  }
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type')).startsWith(EVENT_STREAM);
}

function outcomeOf({ statusCode }: ServerResponse): RequestOutcome {
  return `${Math.floor(statusCode / 100)}xx` as RequestOutcome;
}

function notFound(request: IncomingMessage, response: ServerResponse, graphiql: boolean): void {
  if (graphiql && request.method === 'GET' && request.url === '/')
    return void response.writeHead(302, { location: GRAPHQL_PATH }).end();
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found. The API is at /graphql.\n');
}
