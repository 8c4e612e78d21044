import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { getOperationAST } from 'graphql';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import type { SubscribePayload } from 'graphql-ws';
import { isAsyncIterable } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Client } from '../auth/client.ts';
import { readBearer } from '../auth/credentials.ts';
import type { Viewer } from '../auth/viewer.ts';
import { RateLimitedError, UnauthenticatedError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { declaredVariables } from '../graphql/declared-variables.ts';
import { noSuchOperation } from '../graphql/error-stages.ts';
import { findTimeout } from '../graphql/deadlines.ts';
import { presentErrors, presentResult } from '../graphql/present-error.ts';
import type { Context } from '../graphql/context.ts';
import type { Logger } from '../logger.ts';
import { NO_METRICS } from '../metrics/metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Places } from '../rate-limits/places.ts';
import type { Connections, LiveConnection } from '../realtime/connections.ts';
import type { ClientReader } from './client-reader.ts';
import { CLOSE } from './close-codes.ts';
import type { Close } from './close-codes.ts';
import { originForm } from './edge.ts';
import type { OriginGuard } from './edge.ts';
import { isTooMuchJson } from './json-limits.ts';
import { sendLastAnswer } from './last-answer.ts';
import { NextFrames } from './next-frames.ts';
import type { OperationPlaces } from './operation-places.ts';
import { SocketOperations } from './socket-operations.ts';
import { closeSocket, createSocketWatch, MAX_MESSAGES_PER_SECOND } from './socket-watch.ts';
import type { WatchedSocket } from './socket-watch.ts';
import { GRAPHQL_PATH } from './yoga.ts';
import type { GraphQLServer } from './yoga.ts';

export interface WebSocketOptions {
  graphql: GraphQLServer;
  isAllowedOrigin: OriginGuard;
  authenticate: (token: string) => Promise<Viewer>;
  readClient: ClientReader;
  /** How many sockets one address may have here. */
  addressSockets: Places;
  operationPlaces: Pick<OperationPlaces, 'during'>;
  connections: Connections;
  createContext: (
    connection: LiveConnection,
    client: Client,
    requestId: string,
    isClientGone: () => boolean,
  ) => Context;
  logger: Logger;
  /** Default: nobody asks. */
  metrics?: Metrics | undefined;
}

export interface WebSocketEndpoint {
  /** Closes every socket with 1012, spread over the time, and resolves when they are gone. Takes no new ones. */
  drain(spreadMs: number): Promise<void>;
  /** How many sockets are open. */
  count(): number;
}

const MAX_FRAME_BYTES = 64 * 1024;
const MAX_OPERATIONS = 50;
/** With those that the client has left and whose work goes on: room for the next while the last one ends, not for more. */
const MAX_RUNNING = 2 * MAX_OPERATIONS;
const MAX_ID_LENGTH = 128;
/** Options that the types of ws do not know yet. */
const RECEIVER_LIMITS = {
  /** Parts of one message; nobody needs more than one. */
  maxFragments: 256,
  /** Beyond our own budget, which closes with a code; this one would just hang up. */
  maxPendingAutoPongs: 2 * MAX_MESSAGES_PER_SECOND,
};
const INIT_TIMEOUT_MS = 3_000;
/** How long a socket whose viewer has lost the right to it stays for the errors of its subscriptions. */
const LAST_WORDS_MS = 500;

/** What graphql-ws keeps for us beside its own state. */
interface Extra {
  socket: WebSocket;
  watched: WatchedSocket;
  /** All that is kept of the request, which would stay as long as the socket. */
  client: Client;
  connection?: LiveConnection;
  operations: SocketOperations;
  requests: number;
}

/**
 * The graphql-transport-ws endpoint. Protocol: graphql-ws, PROTOCOL.md. One operation's error never touches its
 * neighbours on the socket.
 */
export function attachWebSocket(server: Server, options: WebSocketOptions): WebSocketEndpoint {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    ...RECEIVER_LIMITS,
    handleProtocols,
    perMessageDeflate: false,
  });
  const protocol = makeProtocol(options);
  const { metrics = NO_METRICS } = options;
  const watch = createSocketWatch(options.logger, metrics);
  let draining = false;

  function refuse(
    stream: Duplex,
    status: number,
    how: { code?: ErrorCode; headers?: Record<string, string> } = {},
  ): void {
    metrics.requestAnswered('ws', status < 500 ? '4xx' : '5xx');
    if (how.code) metrics.errorPresented(how.code);
    sendLastAnswer(stream, status, how);
  }

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', destroy);
    try {
      upgrade(request, stream, head);
    } catch (error) {
      // Nobody else would catch it, and the process would end.
      options.logger.error({ err: error }, 'an upgrade was not handled');
      stream.destroy();
    }
  });

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    if (originForm(request.url).split('?', 1)[0] !== GRAPHQL_PATH) return refuse(stream, 404);
    if (draining) return refuse(stream, 503);
    if (!options.isAllowedOrigin(request)) return refuse(stream, 403, { code: 'ORIGIN_NOT_ALLOWED' });
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const client = options.readClient(request);
      if (!options.addressSockets.take(client.address)) return turnAway(socket);
      socket.once('close', () => options.addressSockets.giveBack(client.address));
      serve(socket, watch.watch(socket, stream), client, protocol, options.logger);
    });
  }

  // An upgrade to something else, or a handshake that is none: RFC 6455, section 4.4.
  sockets.on('wsClientError', (_error: Error, stream: Duplex) =>
    refuse(stream, 400, { headers: { 'sec-websocket-version': '13' } }),
  );

  return {
    count: () => sockets.clients.size,
    async drain(spreadMs) {
      draining = true;
      await Promise.all([...sockets.clients].map((socket) => closeAt(socket, Math.random() * spreadMs)));
      watch.stop();
    },
  };
}

type Protocol = ReturnType<typeof makeProtocol>;

function makeProtocol(options: WebSocketOptions) {
  const { graphql, authenticate, connections, createContext, operationPlaces, metrics = NO_METRICS } = options;
  const frames = new NextFrames();

  /** What is to be run, or why it is not. */
  async function prepare(extra: Extra, id: string, payload: SubscribePayload) {
    const { connection } = extra;
    extra.requests += 1;
    const requestId = `${extra.requests}-${id.slice(0, 8)}`;
    const options = graphql.presentOptions(requestId);
    if (!connection) return presentErrors([new UnauthenticatedError()], options);
    if (connection.signal.aborted) return presentErrors([connection.signal.reason], options);
    const { wanted, running } = extra.operations;
    if (wanted > MAX_OPERATIONS || running > MAX_RUNNING) return presentErrors([tooManyOperations()], options);
    try {
      const createOnce = async () => ({
        ...createContext(connection, extra.client, requestId, leaving(extra, id)),
        outlet: frames.outlet(id, extra.watched),
      });
      const { schema, execute, subscribe, contextFactory, parse, validate } = graphql.getEnveloped({
        requestId,
        createContext: createOnce,
        params: payload,
      });
      const document = parse(graphql.operations.textOf(payload) ?? payload.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return presentErrors(errors, options);
      const operation = getOperationAST(document, payload.operationName);
      if (!operation) return presentErrors([noSuchOperation()], options);
      // graphql-ws keeps the payload as long as the operation.
      const variables = declaredVariables(operation, payload.variables);
      Object.assign(payload, { variables, extensions: undefined });
      return {
        schema,
        document,
        operationName: payload.operationName,
        variableValues: variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
    } catch (error) {
      return presentErrors([error], options);
    }
  }

  return makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,

    async onConnect({ connectionParams, extra }) {
      try {
        const token = readBearer(connectionParams?.['authorization']);
        // graphql-ws keeps the others as long as the socket.
        if (connectionParams) Reflect.deleteProperty(connectionParams, 'authorization');
        if (token === null) throw new UnauthenticatedError();
        const connection = connections.open(await authenticate(token));
        extra.connection = connection;
        if (extra.socket.readyState !== extra.socket.OPEN) return connection.close();
        connection.signal.addEventListener('abort', () => closeForViewer(extra, connection.signal.reason));
      } catch (error) {
        // Not by `false`, which would leave no choice of code: the socket is closing when graphql-ws goes on.
        closeSocket(extra.socket, closeFor(error));
      }
    },

    async onSubscribe({ extra }, id, payload) {
      const prepared = await prepare(extra, id, payload);
      metrics.requestAnswered('ws', Array.isArray(prepared) ? 'refused' : 'started');
      return prepared;
    },

    async execute(args) {
      const { viewer } = args.contextValue as Context;
      try {
        return await operationPlaces.during(viewer!, () => (args.rootValue as Enveloped).execute(args));
      } catch (error) {
        // An answer as any other: what is thrown here would end the socket.
        return { errors: [error as GraphQLError] };
      }
    },
    subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),

    // What an iteration throws becomes an `error` message, and no other result does.
    onOperation(_context, _id, _payload, _args, result) {
      const timeout = isAsyncIterable(result) ? undefined : findTimeout(result as ExecutionResult);
      return timeout && throwing(timeout);
    },

    onNext: (_context, _id, _payload, args, result) =>
      toJSON(presentResult(result, graphql.presentOptions((args.contextValue as Context).requestId))),

    onError: (_context, id, _payload, errors) =>
      presentErrors(errors, graphql.presentOptions(id.slice(0, 8))).map((error) => withoutHttp(error).toJSON()),

    onClose({ extra }) {
      extra.connection?.close();
    },
  });
}

interface Enveloped {
  execute: (args: unknown) => Promise<ExecutionResult>;
  subscribe: (args: unknown) => Promise<ExecutionResult>;
}

/** Joins a socket to the protocol: messages in, frames out, pings, and a close for everything that goes wrong. */
function serve(socket: WebSocket, watched: WatchedSocket, client: Client, protocol: Protocol, logger: Logger): void {
  let onMessage: ((data: string) => Promise<void>) | undefined;
  const operations = new SocketOperations(handle, () => closeSocket(socket, CLOSE.duplicateId));
  const extra: Extra = { socket, watched, client, operations, requests: 0 };

  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: (text) => watched.send(text),
      // A reason may quote an id: as much of it as a close frame holds, in single bytes.
      close: (code, reason = '') => socket.close(code, reason.replaceAll(/[^ -~]/g, '?').slice(0, 123)),
      onMessage: (callback) => (onMessage = callback),
      // No echo of the payload: it would send back whatever it is sent.
      onPing: () => socket.send('{"type":"pong"}'),
    },
    extra,
  );

  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return;
    if (isBinary) return closeSocket(socket, CLOSE.binary);
    if (!watched.takeMessage()) return closeSocket(socket, CLOSE.flood);
    const text = (data as Buffer).toString();
    const message = readClientMessage(text);
    if (!message) return closeSocket(socket, CLOSE.malformed);
    if (message.type === 'subscribe') return operations.subscribe(message.id, text);
    if (message.type === 'complete') return operations.complete(message.id, text);
    void handle(text);
  });

  function handle(text: string): Promise<void> {
    if (socket.readyState !== socket.OPEN || !onMessage) return Promise.resolve();
    return onMessage(text).catch((error: unknown) => {
      logger.error({ err: error }, 'a socket message was not handled');
      closeSocket(socket, CLOSE.overloaded);
    });
  }

  socket.on('ping', () => {
    if (socket.readyState === socket.OPEN && !watched.takeMessage()) closeSocket(socket, CLOSE.flood);
  });
  // Too large, not UTF-8, a broken frame: ws closes with the right code by itself.
  socket.on('error', (error) => logger.debug({ err: error }, 'a socket broke'));

  socket.once('close', (code, reason) => {
    closed(code, String(reason)).catch((error: unknown) => logger.error({ err: error }, 'a socket was not freed'));
  });
}

type ClientMessage = { type: 'subscribe' | 'complete'; id: string } | { type: 'connection_init' | 'ping' | 'pong' };

/** What only a server may say, and ids without end, are no client's messages; graphql-ws checks the rest. */
function readClientMessage(text: string): ClientMessage | null {
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown } | null;
    if (isTooMuchJson(message)) return null;
    const { type, id } = message ?? {};
    if (type === 'connection_init' || type === 'ping' || type === 'pong') return { type };
    if (type !== 'subscribe' && type !== 'complete') return null;
    return typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH ? { type, id } : null;
  } catch {
    return null;
  }
}

function closeFor(error: unknown): Close {
  if (!(error instanceof UnauthenticatedError)) return CLOSE.overloaded;
  if (error.extensions['reason'] === 'SESSION_REVOKED') return CLOSE.sessionRevoked;
  return error.extensions['reason'] === 'TOKEN_EXPIRED' ? CLOSE.tokenExpired : CLOSE.badToken;
}

/**
 * The subscriptions' own `error` messages go first, and end them for good. Not so when the token has expired: a stock
 * client comes back from that close with a fresh one and subscribes again, unless an error has ended its subscription.
 */
function closeForViewer({ socket, operations }: Extra, reason: unknown): void {
  const code = closeFor(reason);
  if (code === CLOSE.tokenExpired) return closeSocket(socket, code);
  const close = () => {
    clearTimeout(timer);
    closeSocket(socket, code);
  };
  // One that is just reading for an event says its error when it has read.
  const timer = setTimeout(close, LAST_WORDS_MS);
  void operations.idle().then(close);
}

/** By a close code and not by a status of the upgrade, of which a browser tells its page nothing. */
function turnAway(socket: WebSocket): void {
  socket.on('error', () => {});
  closeSocket(socket, CLOSE.overloaded);
}

function closeAt(socket: WebSocket, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) return resolve();
    socket.once('close', () => resolve());
    setTimeout(() => closeSocket(socket, CLOSE.restarting), delayMs);
  });
}

function destroy(this: Duplex): void {
  this.destroy();
}

function tooManyOperations(): RateLimitedError {
  return new RateLimitedError(1, `At most ${MAX_OPERATIONS} operations at a time on one socket.`);
}

/** Whether the client has gone, or left this operation. */
function leaving({ socket, operations }: Extra, id: string): () => boolean {
  const isLeft = operations.leaving(id);
  return () => isLeft() || socket.readyState !== socket.OPEN;
}

function throwing(error: GraphQLError): AsyncIterableIterator<never> {
  return {
    async next() {
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Status and headers mean nothing on a socket. */
function withoutHttp(error: GraphQLError): GraphQLError {
  delete error.extensions['http'];
  return error;
}

function toJSON(result: ExecutionResult): ExecutionResult {
  if (!result.errors) return result;
  return { ...result, errors: result.errors.map((error) => withoutHttp(error).toJSON() as unknown as GraphQLError) };
}
