import { STATUS_CODES } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../errors.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** What its client is given to read it, and what went before. */
const LAST_ANSWER_MS = 10_000;

/**
 * An answer on a connection that the HTTP server has let go of, or could make nothing of; it is the last one there. A
 * code makes it one of GraphQL's.
 */
export function sendLastAnswer(
  stream: Duplex,
  status: number,
  { code, headers = {} }: { code?: ErrorCode | undefined; headers?: Record<string, string> | undefined } = {},
): void {
  const text = STATUS_CODES[status]!;
  const body = code ? JSON.stringify({ errors: [{ message: text, extensions: { code } }] }) : text;
  const all = {
    ...SECURITY_HEADERS,
    ...headers,
    connection: 'close',
    'content-type': code ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  // A peer that keeps its side open would keep the socket for ever.
  stream.once('finish', () => stream.destroy());
  // So would one that reads nothing: behind an answer that waits for it, this one does not leave. The watch of answers
  // does not look at a socket that was to be upgraded.
  const timer = setTimeout(() => stream.destroy(), LAST_ANSWER_MS).unref();
  stream.once('close', () => clearTimeout(timer));
  stream.end(`HTTP/1.1 ${status} ${text}\r\n${head.join('')}\r\n${body}`);
}

/** Everything else that cannot be read is 400. As Node does it. */
const STATUS_OF: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** For what is no HTTP, or too slow, or too much of it. */
export function answerClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
  // The answer to the request before, by the name that Node has for it: nothing may come in the middle of it.
  const { _httpMessage: answering } = stream as Duplex & { _httpMessage?: ServerResponse | null };
  if (!stream.writable || answering?.headersSent) return void stream.destroy(error);
  sendLastAnswer(stream, STATUS_OF[error.code ?? ''] ?? 400);
}
