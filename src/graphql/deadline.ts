import type { Cancellation } from '../cancellation.ts';

/** From when an operation is taken until it is answered. Subscriptions last as long as they like. */
const ANSWER_WITHIN_MS = 10_000;

/** How long one operation is waited for: until its time is over, or its client has gone. */
export class Deadline implements Cancellation {
  readonly takenAt = performance.now();
  readonly #isClientGone: () => boolean;
  #isPast = false;

  constructor(isClientGone: () => boolean) {
    this.#isClientGone = isClientGone;
  }

  get isCancelled(): boolean {
    return this.#isPast || this.#isClientGone();
  }

  /** Whether its time is over now, or was before. */
  passes(now: number): boolean {
    return (this.#isPast ||= now - this.takenAt >= ANSWER_WITHIN_MS);
  }
}
