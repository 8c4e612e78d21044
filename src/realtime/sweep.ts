/** Together with the time a sweep takes, well within the two seconds of promises 3 and 5. */
const EVERY_MS = 800;
const JITTER_MS = 200;

export interface Sweep {
  start(): void;
  /** Does not wait for the next turn: for when everything may have been missed. */
  now(): void;
  stop(): void;
}

/** Runs the tasks again and again, never two rounds at a time. A task that fails is tried in the next round. */
export function createSweep(tasks: ReadonlyArray<() => Promise<void>>, onFailure: (error: unknown) => void): Sweep {
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let again = false;
  let stopped = true;

  async function round() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    clearTimeout(timer);
    const results = await Promise.allSettled(tasks.map((task) => task()));
    running = false;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) onFailure(failed.reason);
    if (stopped) return;
    timer = setTimeout(() => void round(), again ? 0 : EVERY_MS + Math.random() * JITTER_MS);
  }

  return {
    start() {
      stopped = false;
      void round();
    },
    now() {
      if (!stopped) void round();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
