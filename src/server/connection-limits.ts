import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { RateLimits } from '../rate-limits/rate-limits.ts';
import { customerOf } from './client-reader.ts';

/**
 * Closes what is opened beyond the limits, unread: each connection holds memory, whether or not anything is ever said on
 * it. Not by Node's `maxConnections`: with workers, one that is full would send it round among the others for ever.
 */
export function limitConnections(
  server: Server,
  { connections, addressConnections }: Pick<RateLimits, 'connections' | 'addressConnections'>,
): void {
  server.on('connection', (socket: Socket) => {
    const address = customerOf(socket.remoteAddress ?? '');
    if (!addressConnections.take(address)) return void socket.destroy();
    socket.once('close', () => addressConnections.giveBack(address));
    if (!connections.take('')) return void socket.destroy();
    socket.once('close', () => connections.giveBack(''));
  });
}
