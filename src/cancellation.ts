/**
 * Whether what is under way is not waited for any more; once it is so, it stays so. Nobody is told: who does the work
 * asks, so that nothing is spent on what ends in time.
 */
export interface Cancellation {
  readonly isCancelled: boolean;
}

/** Of what several wait for at once: cancelled when all of them are. Undefined: one of them never is. */
export function cancelledWithAll(waiting: ReadonlyArray<Cancellation | undefined>): Cancellation | undefined {
  if (waiting.includes(undefined)) return undefined;
  return new CommonCancellation(waiting as readonly Cancellation[]);
}

class CommonCancellation implements Cancellation {
  readonly #waiting: readonly Cancellation[];

  constructor(waiting: readonly Cancellation[]) {
    this.#waiting = waiting;
  }

  get isCancelled(): boolean {
    return this.#waiting.every((one) => one.isCancelled);
  }
}
