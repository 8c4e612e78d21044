import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Logger } from '../logger.ts';
import { NO_METRICS } from '../metrics/metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { CLOSE } from './close-codes.ts';
import type { Close } from './close-codes.ts';
import type { FrameSink, Written } from './next-frames.ts';

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
const NOTHING = Buffer.alloc(0);
export const MAX_MESSAGES_PER_SECOND = 300;

export interface SocketWatch {
  /** `stream` is what the socket writes to: without extensions each send is written at once, so that order is kept. */
  watch(socket: WebSocket, stream: Duplex): WatchedSocket;
  stop(): void;
}

export class WatchedSocket implements FrameSink {
  pingedAt = performance.now();
  awaitsPong = false;
  /** Messages that the network has not taken yet, and since when it has taken none of them. */
  unsent = 0;
  stalledSince = 0;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  /** A bucket of messages that fills again every second. */
  #messagesLeft = MAX_MESSAGES_PER_SECOND;
  #filledAt = performance.now();

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** To be called for every message that comes in; false when they are beyond all use. */
  takeMessage(): boolean {
    const now = performance.now();
    if (now - this.#filledAt >= 1_000) {
      this.#messagesLeft = MAX_MESSAGES_PER_SECOND;
      this.#filledAt = now;
    }
    this.#messagesLeft -= 1;
    return this.#messagesLeft >= 0;
  }

  /** Resolves when the network has taken the text, or never will. */
  send(text: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState !== this.#socket.OPEN) return resolve();
      this.#sending();
      this.#socket.send(text, () => {
        this.#sent();
        resolve();
      });
    });
  }

  /** Whether the network has taken what came before, and the socket takes more. */
  isFree(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && this.#stream.writableLength === 0;
  }

  /** Writes whole frames, all at once. Refuses while the network has not taken what came before. */
  push(frames: Buffer): Written {
    if (!this.isFree()) return 'refused';
    const stream = this.#stream;
    stream.write(frames);
    if (stream.writableLength === 0) return 'done';
    this.#sending();
    // Behind the frames: its turn comes when the network has taken them.
    stream.write(NOTHING, () => this.#sent());
    return 'waiting';
  }

  #sending(): void {
    if (this.unsent === 0) this.stalledSince = performance.now();
    this.unsent += 1;
  }

  /** Also after a write that failed: it ends in a close, which is where it is dealt with. */
  #sent(): void {
    this.unsent -= 1;
    this.stalledSince = performance.now();
  }
}

/** Finds peers that are dead, that do not read, or that flood, with one timer for all. */
export function createSocketWatch(logger: Logger, metrics: Metrics = NO_METRICS): SocketWatch {
  const all = new Map<WebSocket, WatchedSocket>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [socket, watched] of all) look(socket, watched, now);
  }, LOOK_EVERY_MS);

  function look(socket: WebSocket, watched: WatchedSocket, now: number): void {
    if (socket.readyState !== socket.OPEN) return;
    if (watched.unsent > 0 && now - watched.stalledSince > STALLED_AFTER_MS) {
      metrics.slowSocketClosed();
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

  return {
    watch(socket, stream) {
      const watched = new WatchedSocket(socket, stream);
      all.set(socket, watched);
      socket.once('close', () => all.delete(socket));
      socket.on('pong', () => (watched.awaitsPong = false));
      return watched;
    },
    stop: () => clearInterval(timer),
  };
}

/** A peer that does not answer the close in time is cut off. */
export function closeSocket(socket: WebSocket, [code, reason]: Close, timeoutMs = CLOSE_TIMEOUT_MS): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), timeoutMs).unref();
}
