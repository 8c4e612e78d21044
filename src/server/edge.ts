import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { finished } from 'node:stream';
import type { ErrorCode } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { rememberLast } from '../remember-last.ts';
import { createSparingLog } from '../sparing-log.ts';
import type { SecuredResponse } from './secured-response.ts';

/** The largest request body, in bytes. */
export const MAX_BODY_BYTES = 100 * 1024;
/** In how many pieces a body may come: chunks, or what the network brings at a time. Each costs the same, however small. */
const MAX_PIECES = 5_000;
/** Of a body that nobody reads; as many pieces of it as of one that is taken. */
const MAX_DRAINED_BYTES = 16 * 1024 ** 2;

/** What anybody may have written into a log, in characters. */
const LOGGED_ORIGIN = 200;

/** Of a request's target, what is behind the host; a proxy may send the whole (RFC 9112, section 3.2.2). */
export function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return rest === target || rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Whether the request says once, in HTTP 1.0 at most once, which host it is for (RFC 9112, section 3.2). Yoga makes a URL
 * of it; where that fails, its answer would be a stack trace.
 */
export function namesOneHost({ headers, rawHeaders }: IncomingMessage): boolean {
  if (headers.host === undefined) return true;
  // Node keeps the first, and a proxy may have looked at another. Names and values by turns.
  let named = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]!.length === 4 && rawHeaders[at]!.toLowerCase() === 'host') named += 1;
  return named === 1 && isHost(headers.host);
}

/** With or without a port, and nothing else that a URL has. */
const isHost = rememberLast((host: string) => !/[\s/\\?#@]/.test(host) && URL.canParse(`http://${host}`));

/** A header that a form or a link cannot send, so that its presence proves a script of an allowed origin. */
export const CSRF_HEADERS = ['x-graphql-yoga-csrf', 'apollo-require-preflight', 'x-apollo-operation-name'];

const RESULT_TYPES = ['application/graphql-response+json', 'application/json'];
export const EVENT_STREAM = 'text/event-stream';

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

/**
 * The whole answer goes out at once, but ends only after what the client is still sending was read and dropped: a
 * connection that closes before would meet the client with a reset in place of the answer. Who goes on for too long has
 * had the time to read it.
 */
export function sendRefusal(response: ServerResponse, { status, code, message, headers }: Refusal): void {
  const body = Buffer.from(JSON.stringify({ errors: [{ message, extensions: { code } }] }));
  const type = 'application/json; charset=utf-8';
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, ...headers });
  response.write(body);
  finished(response.req, { writable: false }, () => response.end());
  drainBody(response.req);
}

/**
 * Of what nobody reads. Node would do so by itself once the answer has left, as long as a request may take, and chunks of
 * one byte would keep it busy all that time.
 */
export function drainBody(request: IncomingMessage): void {
  let size = 0;
  let pieces = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    pieces += 1;
    if (size > MAX_DRAINED_BYTES || pieces > MAX_PIECES) request.socket.destroy();
  });
}

/** Whether a browser's page may call. Those that may not are told of in the log. */
export type OriginGuard = (request: IncomingMessage) => boolean;

/**
 * @param allowed the origins of other pages that may call.
 * @param trustsNames whether the page may, too, that a host with a name served, whatever the name. Otherwise that must be
 * an IP address or localhost: with a name of its own that leads to this machine (DNS rebinding), any page could call.
 */
export function createOriginGuard(
  { allowed, trustsNames }: { allowed: readonly string[]; trustsNames: boolean },
  logger: Logger,
): OriginGuard {
  const origins = new Set(allowed);
  const logRefused = createSparingLog((origin: string, heldBack) =>
    logger.info({ event: 'security.origin_refused', origin, heldBack }, 'a page of a foreign origin was refused'),
  );

  /** It is listed, or it was served from this very host. */
  function isAllowed({ origin, host }: IncomingHttpHeaders): boolean {
    // Native apps and servers send none; only browsers do, and theirs cannot be left out.
    if (origin === undefined || origins.has(origin)) return true;
    if (origin !== `http://${host}` && origin !== `https://${host}`) return false;
    return URL.canParse(origin) && new URL(origin).origin === origin && (trustsNames || isNameless(new URL(origin)));
  }

  return ({ headers }) => {
    if (isAllowed(headers)) return true;
    logRefused(String(headers.origin).slice(0, LOGGED_ORIGIN));
    return false;
  };
}

/** Nobody can make another address of it than it is. */
function isNameless({ hostname }: URL): boolean {
  return isIP(hostname.replaceAll(/[[\]]/g, '')) !== 0 || /^(.+\.)?localhost$/.test(hostname);
}

/** Answers CORS for an allowed origin (Fetch standard); tokens travel in headers, so no credentials are let through. */
export function presetCorsHeaders(request: IncomingMessage, response: SecuredResponse): void {
  const { origin } = request.headers;
  response.preset('vary', 'Origin');
  if (origin === undefined) return;
  response.preset('access-control-allow-origin', origin);
  response.preset('access-control-expose-headers', 'retry-after, www-authenticate, x-request-id');
  if (request.method !== 'OPTIONS') return;
  response.preset('access-control-allow-methods', 'GET, POST');
  response.preset('access-control-allow-headers', request.headers['access-control-request-headers'] ?? '*');
  response.preset('access-control-max-age', '7200');
}

/**
 * What a request must be before its body is read. A POST must be JSON, which no form can send; a GET must carry a
 * header that no link can send.
 */
export function checkHead(request: IncomingMessage): Refusal | null {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'POST')
    return new Refusal(405, 'BAD_REQUEST', 'Use POST, or GET for queries.', { allow: 'GET, POST' });
  const csrf = 'A GET needs a header that a link cannot send, such as';
  if (method === 'GET' && !CSRF_HEADERS.some((name) => headers[name]))
    return new Refusal(403, 'CSRF_PREVENTED', `${csrf} ${CSRF_HEADERS[1]}.`);
  if (method === 'GET' && !isEncodedUtf8(request.url))
    return new Refusal(400, 'BAD_REQUEST', 'The address is not UTF-8, or not encoded.');
  // Before the operation runs: a mutation whose answer nobody can read must not take place.
  if (!acceptsAnAnswer(headers.accept))
    return new Refusal(406, 'NOT_ACCEPTABLE', `Accept ${RESULT_TYPES.join(', ')} or ${EVENT_STREAM}.`);
  return method === 'GET' ? null : checkBodyHead(headers);
}

/** As for a body: what is none would be taken for something else. */
function isEncodedUtf8(url = ''): boolean {
  try {
    // Used, or the bundler would take the call for one without an effect.
    return decodeURIComponent(url) !== '';
  } catch {
    return false;
  }
}

function checkBodyHead(headers: IncomingHttpHeaders): Refusal | null {
  if (!isJson(headers['content-type']))
    return new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send application/json in UTF-8.');
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge();
  return null;
}

const isJson = rememberLast((contentType: string | undefined) => {
  const [mediaType, ...parameters] = (contentType ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return mediaType === 'application/json' && (!charset || /^charset="?utf-?8"?$/.test(charset));
});

const acceptsAnAnswer = rememberLast((accept: string | undefined) => accepts(accept, [...RESULT_TYPES, EVENT_STREAM]));

/** Whether an Accept header has room for one of the media types, in UTF-8. An absent one has room for all. */
export function accepts(accept: string | null | undefined, mediaTypes: readonly string[]): boolean {
  if (!accept) return true;
  const ranges = accept.toLowerCase().replaceAll(/\s/g, '').split(',');
  return ranges.some((range) => {
    const [wanted = '', ...parameters] = range.split(';');
    if (parameters.some((parameter) => /^(q=0(\.0*)?|charset=(?!"?utf-?8"?$).*)$/.test(parameter))) return false;
    return mediaTypes.some((type) => ['*/*', `${type.split('/')[0]}/*`, type].includes(wanted));
  });
}

/**
 * The whole body, whatever the client says of its length. Rejects when the client goes away. It is kept in one piece: a
 * piece for each chunk weighs hundreds of times what a chunk of one byte holds.
 */
export function readBody(request: IncomingMessage): Promise<Buffer | Refusal> {
  return new Promise((resolve, reject) => {
    let body = NOTHING;
    let size = 0;
    let pieces = 0;

    function take(chunk: Buffer): void {
      pieces += 1;
      if (size + chunk.length > MAX_BODY_BYTES) return stop(tooLarge());
      if (pieces > MAX_PIECES)
        return stop(new Refusal(400, 'BAD_REQUEST', `A request body comes in at most ${MAX_PIECES} pieces.`));
      // Mostly it is all of it.
      if (size === 0) body = chunk;
      else {
        if (size + chunk.length > body.length) body = grown(body, size + chunk.length);
        chunk.copy(body, size);
      }
      size += chunk.length;
    }

    function stop(refusal: Refusal): void {
      request.off('data', take);
      body = NOTHING;
      resolve(refusal);
    }

    function finish(): void {
      const whole = body.subarray(0, size);
      resolve(isUtf8(whole) ? whole : new Refusal(400, 'BAD_REQUEST', 'The body is not UTF-8.'));
      // An event stream keeps its request, which keeps who listens to it, and with them what they have made of it.
      request.off('data', take).off('end', finish).off('error', reject).on('error', ignore);
    }

    request.on('data', take).on('end', finish).on('error', reject);
  });
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Of a request that was read. */
function ignore(): void {}

/** Twice as large, or as large as it must be: what comes in many pieces is copied few times. */
function grown(body: Buffer, size: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * body.length, size), MAX_BODY_BYTES));
  body.copy(larger);
  return larger;
}

function tooLarge(): Refusal {
  return new Refusal(413, 'REQUEST_ENTITY_TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`);
}
