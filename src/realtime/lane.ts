import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metrics } from '../metrics/metrics.ts';
import type { Listener } from './chat-feed.ts';
import { Pieces } from './pieces.ts';
import type { Tail } from './tail.ts';

/** Where a subscriber is handed answers that were made for many. */
export interface Outlet {
  /** Whether what came before has been taken. */
  isFree(): boolean;
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
  /** What each answer waits for before it is made. */
  breathe: () => Promise<void> | undefined;
  /** Whether the listener was found among the members that the feed's head names. */
  mayHear: (listener: Listener<Message>) => boolean;
  /** The answers could not be made; the listeners read for themselves. */
  onFailure: (error: unknown) => void;
  metrics: Metrics;
  /** The last listener has gone. */
  onEmpty: () => void;
  /** Who was the first to ask. */
  openedBy: string;
}

/** Messages answered together. */
const BATCH = 100;

/** How many are handed something in one turn of the event loop, for which everybody else waits: some milliseconds. */
const HANDED_IN_A_TURN = 250;

/**
 * The listeners of one feed who asked the same. Those who have everything wait here, and each message is answered once
 * for all of them. They are visited in rounds, some in each turn of the event loop, and handed what they lack by then in
 * one piece: what is written while a round is under way goes out with it. Who has not taken the last piece goes on by
 * its own position, and is back once it has caught up.
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
  /** Of the round that is under way. */
  #pieces: Pieces<Message> | null = null;

  constructor(options: LaneOptions<Message>) {
    this.#options = options;
  }

  get openedBy(): string {
    return this.#options.openedBy;
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
    let round: IterableIterator<Listener<Message>> | null = null;
    /** What everybody who waits has been given when the round is over. */
    let upTo = 0;
    for (;;) {
      const messages = this.#waiting > 0 ? tail.after(this.#position, BATCH) : [];
      if (messages?.length === 0) break;
      const pieces = messages && (await this.#answer(messages));
      if (pieces) {
        const lacking = pieces.behind(this.#position);
        if (!lacking) {
          // All have left while it was made, and whoever came then has it.
          round = null;
          continue;
        }
        upTo = Math.min(round ? upTo : Infinity, lacking.upTo);
        round ??= this.#listeners.values();
        const isOver = this.#handOut(round, pieces);
        if (!isOver) {
          await nextTurn();
          continue;
        }
        this.#position = Math.max(this.#position, upTo);
      } else {
        this.#position = Math.max(this.#position, messages ? tail.keyOf(messages.at(-1)!) : tail.end);
        for (const listener of this.#listeners) if (listener.waitsInLane) this.#sendAway(listener);
      }
      round = null;
    }
    this.#pieces = null;
    this.#running = false;
  }

  /** Messages that were answered before are not answered again, unless they have changed since. */
  async #answer(messages: readonly Message[]): Promise<Pieces<Message> | null> {
    const known = this.#pieces;
    if (known?.areOf(messages)) return known;
    try {
      const answers = await Promise.all(messages.map(async (message) => known?.find(message) ?? this.#make(message)));
      if (answers.some((answer) => answer === null)) return null;
      this.#pieces = new Pieces(messages, answers as string[], this.#options.tail.keyOf);
      return this.#pieces;
    } catch (error) {
      this.#options.onFailure(error);
      return null;
    }
  }

  /** Null also when there is nobody left to make it for: who has come since reads for themself. */
  async #make(message: Message): Promise<string | null> {
    const turn = this.#options.breathe();
    if (turn) {
      await turn;
      if (this.#waiting === 0) return null;
    }
    return this.#options.answer(message);
  }

  /** Hands some of the round what they lack. True: there are no more. */
  #handOut(round: Iterator<Listener<Message>>, pieces: Pieces<Message>): boolean {
    const { ready, isOver } = this.#findReady(round, pieces);
    let taken = 0;
    for (const listener of ready) {
      const piece = listener.waitsInLane ? pieces.behind(listener.position) : null;
      if (!piece) continue;
      try {
        if (listener.outlet!.push(piece.answers)) {
          listener.position = piece.upTo;
          taken += piece.answers.length;
        } else this.#sendAway(listener);
      } catch (error) {
        listener.cursor.fail(error);
      }
    }
    this.#options.metrics.delivered('shared', taken);
    return isOver;
  }

  /**
   * Of those who lack something, some who can be handed it. What is known of each of thousands lies anywhere in memory, and
   * to fetch it costs as much as the rest: before anything is written, the processor fetches that of several at a time.
   */
  #findReady(round: Iterator<Listener<Message>>, pieces: Pieces<Message>) {
    const ready: Array<Listener<Message>> = [];
    let seen = 0;
    for (let step = round.next(); !step.done; step = round.next()) {
      const listener = step.value;
      if (!listener.waitsInLane || !pieces.behind(listener.position)) continue;
      try {
        if (this.#options.mayHear(listener) && listener.outlet?.isFree()) ready.push(listener);
        else this.#sendAway(listener);
      } catch (error) {
        listener.cursor.fail(error);
      }
      seen += 1;
      if (seen === HANDED_IN_A_TURN) return { ready, isOver: false };
    }
    return { ready, isOver: true };
  }

  #sendAway(listener: Listener<Message>): void {
    this.leave(listener);
    listener.cursor.wake();
  }
}
