/** How a key stands. */
export interface Count {
  consumedPoints: number;
  /** Until its window ends. */
  msBeforeNext: number;
}

/** Points by key, each within a window that begins with the first of them; as rate-limiter-flexible calls it. */
export interface Counters {
  penalty(key: string, points: number): Promise<Count>;
  reward(key: string, points: number): Promise<Count | null>;
  /** Begins the window anew. */
  set(key: string, points: number, seconds: number): Promise<unknown>;
  get(key: string): Promise<Count | null>;
}

interface Window {
  points: number;
  endsAt: number;
}

/** Of some 150 bytes each. */
export const MAX_KEYS = 50_000;

/**
 * Counts in this process, within bounded memory: whoever comes with addresses or e-mails without end makes the oldest
 * windows end early, and nothing grow. A key whose points were all given back is forgotten, so that attempts which cost
 * nothing push nobody out. OWASP ASVS 5, 15.2.2.
 *
 * Without timers: all windows are of one length, so that they end in the order in which they began.
 */
export function createMemoryCounters(windowSeconds: number, maxKeys = MAX_KEYS): Counters & { size(): number } {
  const windows = new Map<string, Window>();

  function begin(key: string, points: number, now: number): Window {
    windows.delete(key);
    for (const [oldest, { endsAt }] of windows) {
      if (endsAt > now && windows.size < maxKeys) break;
      windows.delete(oldest);
    }
    const window = { points, endsAt: now + windowSeconds * 1000 };
    windows.set(key, window);
    return window;
  }

  /** Undefined: it never began, or has ended. */
  function standing(key: string, now: number): Window | undefined {
    const window = windows.get(key);
    return window && window.endsAt > now ? window : undefined;
  }

  return {
    async penalty(key, points) {
      const now = performance.now();
      const window = standing(key, now);
      if (!window) return toCount(begin(key, points, now), now);
      window.points += points;
      return toCount(window, now);
    },
    async reward(key, points) {
      const now = performance.now();
      const window = standing(key, now);
      if (!window) return null;
      window.points -= points;
      if (window.points <= 0) windows.delete(key);
      return toCount(window, now);
    },
    async set(key, points) {
      begin(key, points, performance.now());
    },
    async get(key) {
      const now = performance.now();
      const window = standing(key, now);
      return window ? toCount(window, now) : null;
    },
    size: () => windows.size,
  };
}

function toCount({ points, endsAt }: Window, now: number): Count {
  return { consumedPoints: points, msBeforeNext: endsAt - now };
}
