import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { Readable } from 'node:stream';
import sirv from 'sirv';
import { pageHeaders, setHeaders } from './security-headers.ts';

/** A built single-page app, served beside the API that it calls. */
export interface WebApp {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The page runs what was built and nothing else, talks to this server alone, and shows pictures of any secure host. */
const HEADERS = pageHeaders({
  'img-src': "'self' https: data:",
  // Components set their own styles as they run.
  'style-src': "'self' 'unsafe-inline'",
});

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
  });

  return {
    handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, { allow: 'GET, HEAD' });
      const path = readPath(request.url);
      if (path === null) return refuse(response, 404);
      // Parts of files are for films, and a range that makes no sense would be a fault of ours.
      delete request.headers.range;
      // Also on a 304, whose headers take the place of those that the browser has kept.
      setHeaders(response, HEADERS);
      response.setHeader('cache-control', path.startsWith(HASHED) ? FOR_EVER : ASK_AGAIN);
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
