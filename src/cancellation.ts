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
  return {
    get isCancelled() {
      return waiting.every((one) => one!.isCancelled);
    },
  };
}
