import type { WebSocket } from 'ws';
import type { Logger } from '../logger.ts';
import { CLOSE } from './close-codes.ts';
import type { Close } from './close-codes.ts';

const LOOK_EVERY_MS = 2_000;
/** Together with the looks between, a dead peer is found within 25 s. */
const PING_EVERY_MS = 9_000;
const PONG_WITHIN_MS = 12_000;
/** A peer that takes nothing for so long is not slow, it is stuck: it comes back and resumes. */
const STALLED_AFTER_MS = 15_000;
/** How long a stalled peer has to read what is on its way and, behind that, why it was closed. */
const STALLED_CLOSE_MS = 10_000;
/** How long any other peer may take to answer a close. */
const CLOSE_TIMEOUT_MS = 1_000;
export const MAX_MESSAGES_PER_SECOND = 300;

export interface WatchedSocket {
  /** To be called for every message that comes in; false when they are beyond all use. */
  takeMessage(): boolean;
  /** Resolves when the network has taken the text, or never will. */
  send(text: string): Promise<void>;
}

export interface SocketWatch {
  watch(socket: WebSocket): WatchedSocket;
  stop(): void;
}

interface Watched {
  pingedAt: number;
  awaitsPong: boolean;
  /** Messages that the network has not taken yet, and since when it has taken none of them. */
  unsent: number;
  stalledSince: number;
}

/** Finds peers that are dead, that do not read, or that flood, with one timer for all. */
export function createSocketWatch(logger: Logger): SocketWatch {
  const all = new Map<WebSocket, Watched>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [socket, watched] of all) look(socket, watched, now, logger);
  }, LOOK_EVERY_MS);

  return {
    watch(socket) {
      const watched: Watched = { pingedAt: performance.now(), awaitsPong: false, unsent: 0, stalledSince: 0 };
      all.set(socket, watched);
      socket.once('close', () => all.delete(socket));
      socket.on('pong', () => (watched.awaitsPong = false));
      const takeMessage = createBudget(MAX_MESSAGES_PER_SECOND);
      return {
        takeMessage,
        send: (text) =>
          new Promise((resolve) => {
            if (socket.readyState !== socket.OPEN) return resolve();
            if (watched.unsent === 0) watched.stalledSince = performance.now();
            watched.unsent += 1;
            // A send that fails ends in a close, which is where it is dealt with.
            socket.send(text, () => {
              watched.unsent -= 1;
              watched.stalledSince = performance.now();
              resolve();
            });
          }),
      };
    },
    stop: () => clearInterval(timer),
  };
}

function look(socket: WebSocket, watched: Watched, now: number, logger: Logger): void {
  if (socket.readyState !== socket.OPEN) return;
  if (watched.unsent > 0 && now - watched.stalledSince > STALLED_AFTER_MS) {
    logger.info({ event: 'socket.stalled', code: CLOSE.overloaded[0] }, 'closed a socket that takes nothing');
    return closeSocket(socket, CLOSE.overloaded, STALLED_CLOSE_MS);
  }
  if (watched.awaitsPong) {
    if (now - watched.pingedAt > PONG_WITHIN_MS) socket.terminate();
  } else if (now - watched.pingedAt > PING_EVERY_MS) {
    watched.awaitsPong = true;
    watched.pingedAt = now;
    socket.ping();
  }
}

/** A peer that does not answer the close in time is cut off. */
export function closeSocket(socket: WebSocket, [code, reason]: Close, timeoutMs = CLOSE_TIMEOUT_MS): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), timeoutMs).unref();
}

/** A bucket that fills again every second. */
function createBudget(perSecond: number): () => boolean {
  let left = perSecond;
  let since = performance.now();
  return () => {
    const now = performance.now();
    if (now - since >= 1_000) {
      left = perSecond;
      since = now;
    }
    left -= 1;
    return left >= 0;
  };
}
