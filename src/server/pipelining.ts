import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Listener<Response extends ServerResponse> = (request: IncomingMessage, response: Response) => void;

/** More than any client sends ahead that means to read the answers. */
const MAX_AHEAD = 10;

/**
 * Of requests that are sent without waiting for the answers (RFC 9112, section 9.3.2), each is taken when the answer before
 * it has left; a connection that brings too many of them is closed. Node would hand all of them on at once and keep their
 * answers, and Node 20 never tells the end of an answer whose turn had not come when its connection went: what is held
 * until then would be held for ever.
 */
export function oneAtATime<Response extends ServerResponse>(take: Listener<Response>): Listener<Response> {
  const ahead = new WeakMap<Socket, number>();
  return (request, response) => {
    // The connection is its own already.
    if (response.socket) return take(request, response);
    const { socket } = request;
    const waiting = (ahead.get(socket) ?? 0) + 1;
    if (waiting > MAX_AHEAD) return void socket.destroy();
    ahead.set(socket, waiting);
    response.once('socket', () => {
      ahead.set(socket, ahead.get(socket)! - 1);
      take(request, response);
    });
  };
}
