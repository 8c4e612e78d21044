import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

const LOOK_EVERY_MS = 2_000;
/** For what all connections together may keep. */
const WEIGH_EVERY_MS = 250;
/** Bytes that wait for slow readers, in answers and in the frames of sockets. */
const MAX_UNSENT = 256 * 1024 ** 2;
/** As long as a WebSocket has (`socket-watch.ts`). */
const STALLED_AFTER_MS = 15_000;

/**
 * Of the socket's handle. Both figures in bytes: what it was ever given, and what of that the network has not taken.
 * Node's own timeouts look at the second; what a socket tells in public is the same before and in the midst of one large
 * write, so that who reads such an answer slowly could not be told from who does not read.
 */
interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/** What the network had taken of a connection when it was last seen to take something, and when that was. */
interface Progress {
  taken: number;
  at: number;
}

/**
 * Cuts off clients that take nothing of their answers over HTTP, event streams among them, with one timer for all: what
 * nobody reads would be kept for ever. Who reads slowly stays, at some 100 KB/s or more (the network takes nothing until
 * a third of what the system keeps on the way, on Linux up to 4 MB, has been read), and as long as all that waits for slow
 * readers is not too much for the process: then those go for whom most is kept. Sockets have a watch of their own for the
 * former.
 */
export function watchAnswers(server: Server, logger: Logger, metrics: Metrics): { stop(): void } {
  const sockets = new Set<Socket>();
  const upgraded = new Set<Socket>();
  const waiting = new WeakMap<Socket, Progress>();

  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      upgraded.delete(socket);
    });
  });
  server.on('upgrade', ({ socket }) => {
    sockets.delete(socket);
    if (!socket.destroyed) upgraded.add(socket);
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const socket of sockets) look(socket, now);
  }, LOOK_EVERY_MS);
  const scales = setInterval(weigh, WEIGH_EVERY_MS);

  function weigh(): void {
    const unsent = new Map<Socket, number>();
    let total = 0;
    const add = (socket: Socket) => {
      const bytes = socket.writableLength;
      if (bytes === 0) return;
      total += bytes;
      unsent.set(socket, bytes);
    };
    sockets.forEach(add);
    upgraded.forEach(add);
    if (total <= MAX_UNSENT) return;
    for (const [socket, bytes] of [...unsent].toSorted(([, a], [, b]) => b - a)) {
      cutOff(socket, { event: 'answer.too_heavy', bytes }, 'cut off a client for which too much is kept');
      total -= bytes;
      if (total <= MAX_UNSENT) return;
    }
  }

  function cutOff(socket: Socket, what: object, message: string): void {
    metrics.slowSocketClosed();
    logger.info(what, message);
    socket.destroy();
  }

  function look(socket: Socket, now: number): void {
    if (socket.writableLength === 0) return void waiting.delete(socket);
    const taken = takenOf(socket);
    const progress = waiting.get(socket);
    if (progress?.taken !== taken) return void waiting.set(socket, { taken, at: now });
    if (now - progress.at <= STALLED_AFTER_MS) return;
    cutOff(socket, { event: 'answer.stalled' }, 'cut off a client that takes no answer');
  }

  return {
    stop() {
      clearInterval(timer);
      clearInterval(scales);
    },
  };
}

function takenOf(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { _handle?: Handle | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}
