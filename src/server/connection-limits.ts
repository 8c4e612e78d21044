import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../logger.ts';
import type { RateLimits } from '../rate-limits/rate-limits.ts';
import { customerOf } from './client-reader.ts';

/**
 * Closes what is opened beyond the limits, unread: each connection holds memory, whether or not anything is ever said on
 * it. Not by Node's `maxConnections`: with workers, one that is full would send it round among the others for ever.
 */
export function limitConnections(
  server: Server,
  { connections, addressConnections }: Pick<RateLimits, 'connections' | 'addressConnections'>,
  logger: Logger,
): void {
  server.on('connection', (socket: Socket) => {
    try {
      limit(socket);
    } catch (error) {
      // Nobody else would catch it, and the process would end.
      logger.error({ err: error }, 'a connection was not handled');
      socket.destroy();
    }
  });

  function limit(socket: Socket): void {
    const address = customerOf(socket.remoteAddress ?? '');
    if (!addressConnections.take(address)) return void socket.destroy();
    socket.once('close', () => addressConnections.giveBack(address));
    if (!connections.take('')) return void socket.destroy();
    socket.once('close', () => connections.giveBack(''));
  }
}
