import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { GraphQLRequestError, toParams } from './document.ts';
import type { ExecutionResult, Operation, VariablesOf } from './document.ts';
import { openSocket } from './sockets.ts';
import type { Socket } from './sockets.ts';
import { Stream } from './stream.ts';
import type { StreamSink } from './stream.ts';

export { GraphQLRequestError };
export { openSocket, rawSocket } from './sockets.ts';
export type { Stream };

export type Transport = 'ws' | 'sse';

export interface RawRequest {
  method?: string;
  /** Only these, and what HTTP needs. */
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  /** Default `/graphql`. */
  path?: string;
}

export interface RawResponse {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Undefined where the text is not JSON. */
  json: any;
}

/** One viewer at one node. */
export interface Client {
  /**
   * The operation's data.
   *
   * @throws GraphQLRequestError when the response holds any error, also beside data.
   */
  request<Data, Variables>(operation: Operation<Data, Variables>, ...variables: VariablesOf<Variables>): Promise<Data>;
  /** Any HTTP request, as it is: nothing is added, not even the token. */
  raw(request: RawRequest): Promise<RawResponse>;
  /**
   * Resolves once the server has taken the connection; over a socket of its own, or by server-sent events. Nothing
   * tells when the subscription itself is live: to miss nothing, ask with `afterSeq`, or send until something comes.
   */
  subscribe<Data, Variables>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    options?: { transport?: Transport },
  ): Promise<Stream<Data>>;
  /** A socket for several subscriptions. */
  openSocket(): Promise<Socket>;
}

export interface ClientOptions {
  /** The access token, or how to get the newest. Absent: nobody. */
  token?: string | (() => string | undefined);
  headers?: Record<string, string>;
}

export function createClient(
  node: { url: string; wsUrl: string; origin: string },
  options: ClientOptions = {},
): Client {
  const authorization = (): Record<string, string> => {
    const token = typeof options.token === 'function' ? options.token() : options.token;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  };

  const post = (accept: string, params: object, signal?: AbortSignal) =>
    fetch(node.url, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json', ...authorization(), ...options.headers },
      body: JSON.stringify(params),
      ...(signal && { signal }),
    });

  async function subscribeByEvents<Data>(params: object): Promise<Stream<Data>> {
    const abort = new AbortController();
    const response = await post('text/event-stream', params, abort.signal);
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) throw await refusal(response);
    const stream = new Stream<Data>(() => {
      stream.finish({ kind: 'complete' });
      abort.abort();
    });
    void readEvents(response.body!, stream);
    return stream;
  }

  return {
    async request(operation, ...[variables]) {
      const response = await post(
        'application/graphql-response+json, application/json',
        toParams(operation, variables),
      );
      if (!/json/.test(response.headers.get('content-type') ?? '')) throw await refusal(response);
      const result = (await response.json()) as ExecutionResult;
      if (result.errors !== undefined)
        throw new GraphQLRequestError(result.errors, { status: response.status, data: result.data });
      return result.data as never;
    },
    raw: (request) => send(new URL(node.origin), request),
    async subscribe(operation, variables, { transport = 'ws' } = {}) {
      if (transport === 'sse') return subscribeByEvents(toParams(operation, variables));
      const socket = await openSocket(node, authorization());
      const stream = socket.subscribe(operation, ...([variables] as VariablesOf<typeof variables>));
      void stream.end.then(() => socket.close());
      return stream;
    },
    openSocket: () => openSocket(node, authorization()),
  };
}

async function refusal(response: Response): Promise<Error> {
  const text = await response.text();
  try {
    const { errors } = JSON.parse(text) as ExecutionResult;
    if (errors !== undefined) return new GraphQLRequestError(errors, { status: response.status });
  } catch {
    // Not from GraphQL: told as it is.
  }
  return new Error(`HTTP ${response.status} ${response.headers.get('content-type')}: ${text}`);
}

/** The distinct connections mode of GraphQL over server-sent events. */
async function readEvents(body: ReadableStream<Uint8Array>, stream: StreamSink): Promise<void> {
  let rest = '';
  try {
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
      rest = events.pop()!;
      for (const event of events) receiveEvent(event, stream);
    }
    stream.finish({ kind: 'closed', code: 0, reason: 'the response ended without complete' });
  } catch (error) {
    stream.finish({ kind: 'closed', code: 0, reason: (error as Error).message });
  }
}

function receiveEvent(event: string, stream: StreamSink): void {
  const fields = event.split(/\r?\n/).map((line) => /^(\w*): ?(.*)$/s.exec(line));
  const valuesOf = (name: string) => fields.flatMap((field) => (field?.[1] === name ? [field[2]] : [])).join('\n');
  const name = valuesOf('event');
  if (name === 'next') stream.receive(JSON.parse(valuesOf('data')) as ExecutionResult);
  if (name === 'complete') stream.finish({ kind: 'complete' });
}

/** By hand, because fetch corrects what a test wants wrong, and a URL the dots in a path. */
function send(
  { hostname, port }: URL,
  { method = 'POST', path = '/graphql', headers = {}, body }: RawRequest,
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode!, headers: response.headers, text, json: parsed(text) });
      });
    });
    request.on('error', reject).end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
