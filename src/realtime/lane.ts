import type { Metrics } from '../metrics/metrics.ts';
import type { Listener } from './chat-feed.ts';
import type { Tail } from './tail.ts';

/** Where a subscriber is handed answers that were made for many. */
export interface Outlet {
  /** At once, in their order. False: what came before has not been taken, and nothing was handed over. */
  push(answers: readonly string[]): boolean;
}

/** What a subscriber has in common with others, and how they are given it. */
export interface Share<Message> {
  /** Subscribers of one feed that have the same key are given the same answers. */
  readonly key: string;
  /** Called for the first of them alone. What it makes keeps nothing of that one, who may leave before the others. */
  readonly createAnswer: () => Answer<Message>;
  readonly outlet: Outlet;
}

/** What everybody with the key is told of the message, ready to be sent; null: not the same for all. */
export type Answer<Message> = (message: Message) => Promise<string | null>;

export interface LaneOptions<Message> {
  tail: Tail<Message>;
  answer: Answer<Message>;
  /** Whether the listener was found among the members that the feed's head names. */
  mayHear: (listener: Listener<Message>) => boolean;
  /** The answers could not be made; the listeners read for themselves. */
  onFailure: (error: unknown) => void;
  metrics: Metrics;
  /** The last listener has gone. */
  onEmpty: () => void;
}

/** Messages answered together. */
const BATCH = 100;

/** About what a reader is given in one piece, and so what waits in memory for one that has stopped reading. */
const PIECE_CHARACTERS = 64 * 1024;

/**
 * The listeners of one feed who asked the same. Those who have everything wait here, and each message is answered once
 * for all of them; what came meanwhile is answered together and leaves in one piece. Who has not taken the last piece
 * goes on by its own position, and is back once it has caught up.
 *
 * Nobody is handed anything but here and by their own cursor, and never by both at once: a listener waits here only
 * while its cursor has nothing to read.
 */
export class Lane<Message> {
  readonly #listeners = new Set<Listener<Message>>();
  readonly #options: LaneOptions<Message>;
  /** Whoever waits has been given everything up to here; some have more. */
  #position = 0;
  #waiting = 0;
  #running = false;

  constructor(options: LaneOptions<Message>) {
    this.#options = options;
  }

  add(listener: Listener<Message>): void {
    this.#listeners.add(listener);
  }

  remove(listener: Listener<Message>): void {
    this.leave(listener);
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#options.onEmpty();
  }

  /** From now on the listener, who has everything that the tail holds, is handed what comes. */
  join(listener: Listener<Message>): void {
    const { end } = this.#options.tail;
    if (!this.#running || this.#waiting === 0) this.#position = end;
    listener.position = Math.max(listener.position, end);
    listener.waitsInLane = true;
    this.#waiting += 1;
  }

  /** From now on the listener reads for itself. */
  leave(listener: Listener<Message>): void {
    if (!listener.waitsInLane) return;
    listener.waitsInLane = false;
    this.#waiting -= 1;
  }

  /** The tail may hold something new. What comes in the same turn of the event loop is answered together. */
  wake(): void {
    if (this.#running || this.#waiting === 0) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const { tail } = this.#options;
    for (;;) {
      const messages = this.#waiting > 0 ? tail.after(this.#position, BATCH) : [];
      if (messages?.length === 0) break;
      const answers = messages && (await this.#answer(messages));
      if (answers) this.#handOut(messages, answers);
      else {
        this.#position = Math.max(this.#position, messages ? tail.keyOf(messages.at(-1)!) : tail.end);
        for (const listener of this.#listeners) if (listener.waitsInLane) this.#sendAway(listener);
      }
    }
    this.#running = false;
  }

  async #answer(messages: readonly Message[]): Promise<string[] | null> {
    try {
      const answers = await Promise.all(messages.map(this.#options.answer));
      return answers.every((answer) => answer !== null) ? answers : null;
    } catch (error) {
      this.#options.onFailure(error);
      return null;
    }
  }

  #handOut(messages: readonly Message[], answers: readonly string[]): void {
    let piece: string[] = [];
    let characters = 0;
    for (const [index, answer] of answers.entries()) {
      piece.push(answer);
      characters += answer.length;
      if (characters < PIECE_CHARACTERS && index < answers.length - 1) continue;
      this.#deliver(piece, this.#options.tail.keyOf(messages[index]!));
      piece = [];
      characters = 0;
    }
  }

  #deliver(piece: readonly string[], upTo: number): void {
    let taken = 0;
    for (const listener of this.#listeners) {
      if (!listener.waitsInLane || listener.position >= upTo) continue;
      // Who came to wait while the answers were made may have a part of them, and whoever is no member any more none.
      const isNext = listener.position <= this.#position && this.#options.mayHear(listener);
      try {
        if (isNext && listener.outlet?.push(piece)) {
          listener.position = upTo;
          taken += piece.length;
        } else this.#sendAway(listener);
      } catch (error) {
        listener.cursor.fail(error);
      }
    }
    this.#options.metrics.delivered('shared', taken);
    this.#position = Math.max(this.#position, upTo);
  }

  #sendAway(listener: Listener<Message>): void {
    this.leave(listener);
    listener.cursor.wake();
  }
}
