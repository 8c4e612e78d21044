/**
 * How long to wait before the next attempt: doubled each time, capped, and somewhere in the upper half of that, so that
 * all who lost the same server do not come back in the same moment.
 *
 * @param attempt 0 for the first wait
 */
export function retryDelayMs(
  attempt: number,
  { retryBaseMs, retryCapMs }: RetryDelays,
  random: () => number = Math.random,
): number {
  const full = Math.min(retryCapMs, retryBaseMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + random() / 2);
}

export interface RetryDelays {
  /** The first wait. */
  retryBaseMs: number;
  /** The longest. */
  retryCapMs: number;
}

/** Waits that a kick ends early: the network is back, or somebody looks at the app again. */
export interface Waiting {
  sleep(ms: number): Promise<void>;
  /** As long as the next attempt, the first being 0, is to be waited for; longer where the server has asked for it. */
  backOff(attempt: number, atLeastMs?: number): Promise<void>;
  /** Ends every wait that stands. */
  wake(): void;
}

export function createWaiting(delays: RetryDelays): Waiting {
  const sleepers = new Set<() => void>();

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        sleepers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      sleepers.add(done);
    });
  }

  return {
    sleep,
    backOff: (attempt, atLeastMs = 0) => sleep(Math.max(atLeastMs, retryDelayMs(attempt, delays))),
    wake() {
      for (const done of [...sleepers]) done();
    },
  };
}
