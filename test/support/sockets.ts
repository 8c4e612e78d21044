import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createClient as createWsClient } from 'graphql-ws';
import type { CloseEvent as WsCloseEvent } from 'ws';
import WebSocket from 'ws';
import { toParams } from './document.ts';
import type { ExecutionResult, Operation, ResponseError, VariablesOf } from './document.ts';
import { Inbox } from './inbox.ts';
import { ConnectionClosedError, Stream } from './stream.ts';
import type { StreamEnd, StreamSink } from './stream.ts';
import { deferred } from './wait.ts';

export interface Closed {
  code: number;
  reason: string;
}

/** A graphql-ws connection that the server has acknowledged. It never reconnects. */
export interface Socket {
  /**
   * Nothing tells when a subscription is live: to miss nothing, ask with `afterSeq`, or send until something comes.
   */
  subscribe<Data, Variables>(operation: Operation<Data, Variables>, ...variables: VariablesOf<Variables>): Stream<Data>;
  readonly closed: Promise<Closed>;
  close(): Promise<void>;
}

/** @throws ConnectionClosedError with the close code, when the server does not acknowledge. */
export async function openSocket(
  node: { wsUrl: string },
  connectionParams: Record<string, unknown> = {},
): Promise<Socket> {
  const streams = new Set<StreamSink>();
  let closedWith: Closed | undefined;
  const closed = deferred<Closed>();
  const connected = deferred();
  const client = createWsClient({
    url: node.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => {},
    on: {
      connected: () => connected.resolve(),
      closed: (event) => {
        const { code, reason } = event as WsCloseEvent;
        closedWith = { code, reason };
        for (const stream of streams) stream.finish({ kind: 'closed', code, reason });
        closed.resolve(closedWith);
      },
    },
  });
  await Promise.race([connected.promise, closed.promise]);
  if (closedWith !== undefined) throw new ConnectionClosedError(closedWith.code, closedWith.reason);

  return {
    closed: closed.promise,
    subscribe<Data, Variables>(operation: Operation<Data, Variables>, ...[variables]: VariablesOf<Variables>) {
      // The client would connect again.
      if (closedWith !== undefined) throw new ConnectionClosedError(closedWith.code, closedWith.reason);
      const stream = new Stream<Data>(() => unsubscribe());
      streams.add(stream);
      const finish = (end: StreamEnd) => {
        streams.delete(stream);
        stream.finish(end);
      };
      const unsubscribe = client.subscribe(toParams(operation, variables), {
        next: (result) => stream.receive(result as ExecutionResult),
        complete: () => finish({ kind: 'complete' }),
        error: (error) => {
          if (Array.isArray(error)) return finish({ kind: 'error', errors: error as ResponseError[] });
          const { code = 0, reason = String(error) } = error as Partial<Closed>;
          finish({ kind: 'closed', code, reason });
        },
      });
      return stream;
    },
    async close() {
      await client.dispose();
      await closed.promise;
    },
  };
}

/** A WebSocket that speaks no protocol of its own: each frame is the test's. */
export interface RawSocket {
  /** Anything that is neither text nor bytes goes as JSON. */
  send(message: string | Buffer | object): void;
  /** The next message, as JSON where it is JSON. Rejects with ConnectionClosedError once closed. */
  nextMessage(deadlineMs?: number): Promise<unknown>;
  readonly closed: Promise<Closed>;
  close(code?: number, reason?: string): void;
  /** To pause it, terminate it, or count its bytes. */
  readonly socket: WebSocket;
}

/** The upgrade was answered with an HTTP response. */
export class UpgradeRefusedError extends Error {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;

  constructor(response: IncomingMessage, body: string) {
    super(`the upgrade was refused: ${response.statusCode} ${body}`);
    this.status = response.statusCode!;
    this.headers = response.headers;
    this.body = body;
  }
}

export interface RawSocketOptions {
  /** Default `graphql-transport-ws`; null: none. */
  protocol?: string | string[] | null;
  headers?: Record<string, string>;
  path?: string;
}

/** @throws UpgradeRefusedError when the server does not upgrade. */
export async function rawSocket(node: { wsUrl: string }, options: RawSocketOptions = {}): Promise<RawSocket> {
  const { protocol = 'graphql-transport-ws', headers = {}, path } = options;
  const url = path === undefined ? node.wsUrl : new URL(path, node.wsUrl);
  const socket = new WebSocket(url, protocol ?? [], { headers });
  const inbox = new Inbox<unknown>();
  socket.on('message', (data: Buffer, isBinary) => inbox.push(isBinary ? data : parsed(data.toString())));
  const closed = new Promise<Closed>((resolve) => {
    socket.once('close', (code, bytes) => {
      const reason = bytes.toString();
      inbox.close(() => new ConnectionClosedError(code, reason));
      resolve({ code, reason });
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.on('error', reject);
    socket.once('unexpected-response', (request, response: IncomingMessage) => {
      void readAll(response).then((body) => {
        request.destroy();
        reject(new UpgradeRefusedError(response, body));
      }, reject);
    });
  });
  return {
    socket,
    closed,
    send: (message) =>
      socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message)),
    nextMessage: (deadlineMs = 10_000) => inbox.next(deadlineMs),
    close: (code, reason) => socket.close(code, reason),
  };
}

async function readAll(response: IncomingMessage): Promise<string> {
  let body = '';
  response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  await once(response, 'end');
  return body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
