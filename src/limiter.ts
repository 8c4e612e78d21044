import { ServiceUnavailableError } from './errors.ts';

export interface Limiter {
  <T>(task: () => Promise<T>): Promise<T>;
  /** How many there are now. */
  count(): { running: number; waiting: number };
}

/**
 * Runs at most `max` tasks at a time; the others wait their turn in order, at most `maxWaiting` of them. One more is
 * refused with ServiceUnavailableError.
 */
export function createLimiter(max: number, maxWaiting = Infinity): Limiter {
  let running = 0;
  const waiting: Array<() => void> = [];
  const run = async <T>(task: () => Promise<T>): Promise<T> => {
    if (running >= max && waiting.length >= maxWaiting) throw new ServiceUnavailableError();
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
  return Object.assign(run, { count: () => ({ running, waiting: waiting.length }) });
}

/** The same for each key by itself: who has many tasks waits for their own. */
export function createFairLimiter(max: number): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const limiters = new Map<string, Limiter>();
  return async (key, task) => {
    let limiter = limiters.get(key);
    if (!limiter) limiters.set(key, (limiter = createLimiter(max)));
    try {
      return await limiter(task);
    } finally {
      if (limiter.count().running === 0) limiters.delete(key);
    }
  };
}
