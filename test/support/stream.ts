import { GraphQLRequestError } from './document.ts';
import type { ExecutionResult, ResponseError } from './document.ts';
import { Inbox } from './inbox.ts';
import { deferred } from './wait.ts';

export type StreamEnd =
  /** The server has no more, or the test closed the stream. */
  | { kind: 'complete' }
  /** The server ended this subscription, and said why. */
  | { kind: 'error'; errors: readonly ResponseError[] }
  /** The connection went; the code is the WebSocket's, and 0 for server-sent events. */
  | { kind: 'closed'; code: number; reason: string };

/** The connection of a stream or a socket is gone. */
export class ConnectionClosedError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string) {
    super(`the connection closed: ${code} ${reason}`);
    this.code = code;
    this.reason = reason;
  }
}

/** What a transport does with a stream. */
export interface StreamSink {
  /** A result came. One without `data` ends the subscription. */
  receive(result: ExecutionResult): void;
  /** Nothing more comes. The first end counts. */
  finish(end: StreamEnd): void;
}

/** The results of one subscription, kept until the test takes them. */
export class Stream<Data> implements StreamSink {
  /** All data received so far, taken or not. */
  readonly collected: Data[] = [];
  readonly #end = deferred<StreamEnd>();
  readonly #inbox = new Inbox<Data>();
  readonly #close: () => void | Promise<void>;

  constructor(close: () => void | Promise<void>) {
    this.#close = close;
  }

  /** Never rejects. */
  get end(): Promise<StreamEnd> {
    return this.#end.promise;
  }

  /**
   * The next result's data. Rejects with GraphQLRequestError when that result is an error or the server ended the
   * subscription with one, with ConnectionClosedError, or when nothing comes in time.
   */
  async next(deadlineMs = 10_000): Promise<Data> {
    return this.#inbox.next(deadlineMs).catch((error: Error) => {
      if (!(error instanceof GraphQLRequestError)) error.message += ` (${this.collected.length} came before)`;
      throw error;
    });
  }

  /** The next `count` results' data, within one deadline. */
  async take(count: number, deadlineMs = 10_000): Promise<Data[]> {
    const deadline = Date.now() + deadlineMs;
    const taken: Data[] = [];
    while (taken.length < count) taken.push(await this.next(Math.max(1, deadline - Date.now())));
    return taken;
  }

  /** Unsubscribes, as a client does that has seen enough. */
  async close(): Promise<void> {
    await this.#close();
    await this.end;
  }

  receive(result: ExecutionResult): void {
    if (result.errors !== undefined && !('data' in result))
      return this.finish({ kind: 'error', errors: result.errors });
    if (result.errors !== undefined) return this.#inbox.pushError(new GraphQLRequestError(result.errors, result));
    this.collected.push(result.data as Data);
    this.#inbox.push(result.data as Data);
  }

  finish(end: StreamEnd): void {
    this.#end.resolve(end);
    this.#inbox.close(() => {
      if (end.kind === 'error') return new GraphQLRequestError(end.errors);
      if (end.kind === 'closed') return new ConnectionClosedError(end.code, end.reason);
      return new Error('the subscription is complete');
    });
  }
}
