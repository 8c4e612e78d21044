import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../../test/support/wait.ts';
import type { Dialect } from './dialects.ts';
import { LostMessageError } from './samples.ts';
import type { ClientSocket } from './websocket.ts';
import { openWebSocket } from './websocket.ts';

/** Clients who listen to one chat of one server. Each counts what it is given. */
export interface Audience {
  readonly size: number;
  /** Deliveries so far, of all together. */
  readonly received: number;
  /** When the first and the last delivery since the last `expect` came, by `performance.now()`. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Resolves as soon as so many more deliveries have come than by now. @throws LostMessageError when they do not. */
  expect(deliveries: number): Promise<void>;
  close(): void;
}

const OPENING_AT_A_TIME = 50;
const DEADLINE_MS = 30_000;

export async function gatherAudience(port: number, dialects: readonly Dialect[]): Promise<Audience> {
  const sockets: ClientSocket[] = [];
  let received = 0;
  let expected = Infinity;
  let firstAt = NaN;
  let lastAt = NaN;
  let onExpected = () => {};
  let failure: Error | undefined;

  function deliver() {
    if (Number.isNaN(firstAt)) firstAt = performance.now();
    received += 1;
    if (received < expected) return;
    lastAt = performance.now();
    onExpected();
  }

  async function join(dialect: Dialect): Promise<void> {
    const id = randomUUID();
    let lastSeq: number | undefined;
    await within(
      new Promise<void>((resolve, reject) => {
        const fail = (error: Error) => {
          failure ??= error;
          reject(error);
        };
        const onText = (text: string, socket: ClientSocket) => {
          const seq = dialect.readSeq(text, id);
          if (seq === undefined) {
            const reply = dialect.reply(text, id);
            for (const said of reply?.say ?? []) socket.send(said);
            if (reply?.isDone) resolve();
            return;
          }
          if (seq !== (lastSeq ?? seq - 1) + 1)
            return fail(new LostMessageError(`a subscriber was given message ${seq} after ${lastSeq}`));
          lastSeq = seq;
          deliver();
        };
        const onLost = (reason: string) => fail(new LostMessageError(`a subscriber was cut off: ${reason}`));
        openWebSocket({ port, path: dialect.path, subprotocol: dialect.subprotocol, onText, onLost }).then((opened) => {
          sockets.push(opened);
          for (const said of dialect.greeting ?? []) opened.send(said);
          if (!dialect.greeting) resolve();
        }, reject);
      }),
      DEADLINE_MS,
      'the place of a subscriber',
    );
  }

  for (let from = 0; from < dialects.length; from += OPENING_AT_A_TIME)
    await Promise.all(dialects.slice(from, from + OPENING_AT_A_TIME).map(join));
  // Nothing tells that a subscription is live; whoever is asked from the beginning misses nothing, others need a moment.
  await sleep(1_000);

  return {
    size: dialects.length,
    get received() {
      return received;
    },
    get firstAt() {
      return firstAt;
    },
    get lastAt() {
      return lastAt;
    },
    async expect(deliveries) {
      expected = received + deliveries;
      firstAt = NaN;
      const arrived = new Promise<void>((resolve) => (onExpected = resolve));
      await within(arrived, DEADLINE_MS, 'the deliveries').catch((error: Error) => {
        const missing = `${expected - received} of ${deliveries} deliveries are missing`;
        throw failure ?? new LostMessageError(`${missing}: ${error.message}`);
      });
      if (failure) throw failure;
    },
    close() {
      for (const socket of sockets) socket.close();
    },
  };
}

/** A client who speaks in a chat. */
export interface Speaker {
  /** Resolves with the answer, where the server gives one. Under an id that was used before it is the same message. */
  say(body: string, id?: string): Promise<void>;
  close(): void;
}

/** Several who take turns: a server may allow one of them only so much. */
export async function gatherSpeakers(port: number, dialect: Dialect, count = 16): Promise<Speaker> {
  const speakers = await Promise.all(Array.from({ length: count }, () => openSpeaker(port, dialect)));
  let turn = 0;
  return {
    say: (...message) => speakers[(turn += 1) % count]!.say(...message),
    close() {
      for (const { close } of speakers) close();
    },
  };
}

/** To say one thing at a time. */
export async function openSpeaker(port: number, dialect: Dialect): Promise<Speaker> {
  let onAnswer: (() => void) | undefined;
  let onError: ((error: Error) => void) | undefined;
  let socket: ClientSocket | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    onError = reject;
    const onText = (text: string, socket: ClientSocket) => {
      try {
        if (dialect.isAnswer?.(text)) return onAnswer?.();
        const reply = dialect.reply(text);
        for (const said of reply?.say ?? []) socket.send(said);
        if (reply?.isDone) resolve();
      } catch (error) {
        onError?.(error as Error);
      }
    };
    const onLost = (reason: string) => onError?.(new LostMessageError(`a sender was cut off: ${reason}`));
    openWebSocket({ port, path: dialect.path, subprotocol: dialect.subprotocol, onText, onLost }).then((opened) => {
      socket = opened;
      for (const said of dialect.greeting ?? []) opened.send(said);
      if (!dialect.greeting) resolve();
    }, reject);
  });
  await ready;
  return {
    async say(body, id = randomUUID()) {
      const answered = new Promise<void>((resolve, reject) => {
        onAnswer = resolve;
        onError = reject;
      });
      for (const said of dialect.send(id, body)) socket?.send(said);
      if (dialect.isAnswer) await answered;
    },
    close: () => socket?.close(),
  };
}
