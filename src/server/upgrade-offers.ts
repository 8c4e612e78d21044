import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export function offersWebSocket({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '').split(',').some((protocol) => protocol.trim().toLowerCase() === 'websocket');
}

/**
 * Lets the request be answered as if it had offered nothing else than HTTP/1.1, which is a server's right (RFC 9110,
 * section 7.8); some clients offer h2c to everybody. Node lets go of a connection with every offer: the server is given it
 * anew, as its `connection` event allows, and on it the same request without the offer.
 */
export function ignoreOffer(server: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  if (stream.destroyed) return;
  // By the name that Node has for it: the answer to the request before, which would be in the way.
  const { _httpMessage: answering } = stream as Duplex & { _httpMessage?: ServerResponse | null };
  if (answering) {
    stream.on('error', destroy);
    answering.once('close', () => {
      stream.off('error', destroy);
      ignoreOffer(server, request, stream, head);
    });
    return;
  }
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let nth = 0; nth < rawHeaders.length; nth += 2)
    if (rawHeaders[nth]!.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[nth]}: ${rawHeaders[nth + 1]}`);
  stream.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', stream);
}

/** Nobody else listens meanwhile. */
function destroy(this: Duplex): void {
  this.destroy();
}
