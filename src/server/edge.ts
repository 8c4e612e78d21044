import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode } from '../errors.ts';

/** The largest request body, in bytes. */
export const MAX_BODY_BYTES = 100 * 1024;

/** A header that a form or a link cannot send, so that its presence proves a script of an allowed origin. */
export const CSRF_HEADERS = ['x-graphql-yoga-csrf', 'apollo-require-preflight', 'x-apollo-operation-name'];

/** A request that is turned away before any GraphQL. */
export class Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly headers: Record<string, string>;

  constructor(status: number, code: ErrorCode, message: string, headers: Record<string, string> = {}) {
    this.status = status;
    this.code = code;
    this.message = message;
    this.headers = headers;
  }
}

export function sendRefusal(response: ServerResponse, { status, code, message, headers }: Refusal): void {
  const body = JSON.stringify({ errors: [{ message, extensions: { code } }] });
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(body);
}

/** Whether a browser page of this origin may call: it is listed, or it was served from this very host. */
export function isAllowedOrigin(request: IncomingMessage, origins: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  // Native apps and servers send none; only browsers do, and theirs cannot be left out.
  if (origin === undefined || origins.has(origin)) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** Answers CORS for an allowed origin (Fetch standard); tokens travel in headers, so no credentials are let through. */
export function setCorsHeaders(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  response.setHeader('vary', 'Origin');
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'retry-after, www-authenticate, x-request-id');
  if (request.method !== 'OPTIONS') return;
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? '*');
  response.setHeader('access-control-max-age', '7200');
}

/**
 * What a request must be before its body is read. A POST must be JSON, which no form can send; a GET must carry a
 * header that no link can send.
 */
export function checkHead(request: IncomingMessage): Refusal | null {
  const { method, headers } = request;
  if (method === 'GET') {
    if (CSRF_HEADERS.some((name) => headers[name])) return null;
    return new Refusal(
      403,
      'CSRF_PREVENTED',
      `A GET needs a header that a link cannot send, such as ${CSRF_HEADERS[1]}.`,
    );
  }
  if (method !== 'POST')
    return new Refusal(405, 'BAD_REQUEST', 'Use POST, or GET for queries.', { allow: 'GET, POST' });
  const [mediaType, ...parameters] = (headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (mediaType !== 'application/json' || (charset && !/^charset="?utf-?8"?$/.test(charset)))
    return new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send application/json in UTF-8.');
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge();
  return null;
}

/** The whole body, whatever the client says of its length. Rejects when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<Buffer | Refusal> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return tooLarge();
    chunks.push(chunk);
  }
  const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (!isUtf8(body)) return new Refusal(400, 'BAD_REQUEST', 'The body is not UTF-8.');
  return body;
}

function tooLarge(): Refusal {
  return new Refusal(413, 'REQUEST_ENTITY_TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`, {
    connection: 'close',
  });
}
