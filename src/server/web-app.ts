import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { Readable } from 'node:stream';
import sirv from 'sirv';

/** A built single-page app, served beside the API that it calls. */
export interface WebApp {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The page runs what was built and nothing else, talks to this server alone, and shows pictures of any secure host. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  // With the scheme and port of the page, also for WebSockets.
  "connect-src 'self'",
  "img-src 'self' https: data:",
  // Components set their own styles as they run.
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'referrer-policy': 'same-origin',
};

const PAGE = '/index.html';
/** What the bundler names by its content: another content has another address. */
const HASHED = '/assets/';
const FOR_EVER = 'public, max-age=31536000, immutable';
/** Asked for again each time, and mostly answered with 304. */
const ASK_AGAIN = 'no-cache';

/**
 * Serves the files of a directory that holds an index.html: compressed where `file.br` or `file.gz` lies beside `file`.
 * Whatever else a browser is sent to is a place inside the app, and gets the page; a script or picture that is not
 * there is 404.
 */
export function createWebApp(directory: string): WebApp {
  const files = sirv(directory, {
    // Looks for itself at each request: a list made at the start would be wrong once the app is built again.
    dev: true,
    etag: true,
    brotli: true,
    gzip: true,
    extensions: [],
    setHeaders(response, path) {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      response.setHeader('cache-control', path.startsWith(HASHED) ? FOR_EVER : ASK_AGAIN);
    },
  });

  return {
    handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, { allow: 'GET, HEAD' });
      const path = readPath(request.url);
      if (path === null) return refuse(response, 404);
      // Parts of files are for films, and a range that makes no sense would be a fault of ours.
      delete request.headers.range;
      response.once('pipe', (file: Readable) => closeWith(response, file));
      if (path === '/') request.url = PAGE;
      files(request, response, () => {
        if (!isNavigation(path, request)) return refuse(response, 404);
        request.url = PAGE;
        files(request, response, () => refuse(response, 404));
      });
    },
  };
}

/** Null for what names no file: dots at the beginning of a name lead out of the directory, or to what is kept hidden. */
function readPath(url = '/'): string | null {
  try {
    const path = decodeURI(url.split(/[?#]/, 1)[0]!);
    return path.startsWith('/') && !/[/\\]\.|\0/.test(path) ? path : null;
  } catch {
    return null;
  }
}

/** An address that was typed, opened from a link, or loaded again. Scripts and pictures ask for anything but a page. */
function isNavigation(path: string, { headers }: IncomingMessage): boolean {
  return !path.startsWith(HASHED) && headers.accept !== undefined && headers.accept.includes('text/html');
}

/** A file that cannot be read ends the answer, not the process; a client that leaves does not keep the file open. */
function closeWith(response: ServerResponse, file: Readable): void {
  file.once('error', () => response.destroy());
  finished(response, () => file.destroy());
}

function refuse(response: ServerResponse, status: 404 | 405, headers: Record<string, string> = {}): void {
  const text = status === 404 ? 'Not found.' : 'This is for GET.';
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers });
  response.end(`${text} The API is at /graphql.\n`);
}
