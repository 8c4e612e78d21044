import { setTimeout as sleep } from 'node:timers/promises';
import { RETRY_MS } from './patience.ts';

export interface LiveCursorOptions<Item> {
  /** What stands behind the position, a batch at a time; none: wait for `wake`. Moves the position past what it answers. */
  read: () => Promise<Item[]>;
  /** Whether a failed read is worth another try: the database is away, and will be back. */
  isTransient: (error: unknown) => boolean;
  /** What an item waits for before the consumer is given it, who then has work to do. Default: nothing. */
  breathe?: () => Promise<void> | undefined;
  /** Asked when the next item has waited: whether it is to be given to nobody any more. Default: never. */
  isOutdated?: () => boolean;
  /** Called for each item that the consumer takes. */
  onTaken?: () => void;
  /** Called once, when nothing will be read any more. */
  onEnd: () => void;
}

/**
 * One subscriber's place in a feed: a position, not a queue. It reads only when its consumer asks, so a slow consumer
 * costs one batch of memory and gets everything in the end.
 *
 * Unlike an async generator's, its `return` works while `next` is waiting, so that a subscriber who leaves a silent
 * room is let go at once.
 */
export class LiveCursor<Item> implements AsyncIterableIterator<Item> {
  readonly #options: LiveCursorOptions<Item>;
  #batch: Item[] = [];
  #next = 0;
  #news = false;
  #ended = false;
  #error: { reason: unknown } | undefined;
  #wakeUp: (() => void) | undefined;
  #release: (() => void) | undefined;
  #onAsked: (() => void) | undefined;

  constructor(options: LiveCursorOptions<Item>) {
    this.#options = options;
  }

  /** Calls must not overlap, as in `for await`. */
  async next(): Promise<IteratorResult<Item, undefined>> {
    this.#onAsked?.();
    for (;;) {
      if (this.#error) {
        const { reason } = this.#error;
        this.#error = undefined;
        throw reason;
      }
      if (this.#ended) return { value: undefined, done: true };
      if (this.#next < this.#batch.length) {
        const turn = this.#options.breathe?.();
        if (turn) {
          await turn;
          if (this.#ended) continue;
        }
        const item = this.#batch[this.#next++]!;
        if (turn && this.#options.isOutdated?.()) continue;
        this.#options.onTaken?.();
        return { value: item, done: false };
      }
      this.#news = false;
      await this.#fill();
      if (this.#batch.length > 0 || this.#news || this.#ended) continue;
      // Here most of a subscriber's life is spent, and no other function waits with it.
      await new Promise<void>((resolve) => (this.#wakeUp = resolve));
      this.#wakeUp = undefined;
    }
  }

  async #fill(): Promise<void> {
    try {
      const batch = await this.#options.read();
      if (this.#ended) return;
      this.#batch = batch;
      this.#next = 0;
    } catch (error) {
      if (!this.#options.isTransient(error)) return this.fail(error);
      await sleep(RETRY_MS, undefined, { ref: false });
      this.#news = true;
    }
  }

  /** There may be something to read. */
  wake(): void {
    this.#news = true;
    this.#wakeUp?.();
  }

  /** Ends the cursor with an error, in place of what was read but not yet taken. */
  fail(reason: unknown): void {
    if (this.#ended) return;
    this.#error = { reason };
    this.#end();
  }

  /**
   * Puts the cursor on a line: the line's end is the cursor's, and the cursor's end lets go of the line, which is told
   * each time that the consumer is done with an item and asks for the next.
   */
  holdOn(line: { signal: AbortSignal; release: () => void; onAsked?: () => void }): this {
    this.#onAsked = line.onAsked;
    const abort = () => this.fail(line.signal.reason);
    this.#release = () => {
      line.signal.removeEventListener('abort', abort);
      line.release();
    };
    if (this.#ended) this.#release();
    else if (line.signal.aborted) abort();
    else line.signal.addEventListener('abort', abort);
    return this;
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#end();
    return { value: undefined, done: true };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#batch = [];
    this.#next = 0;
    this.#release?.();
    this.#options.onEnd();
    this.#wakeUp?.();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
