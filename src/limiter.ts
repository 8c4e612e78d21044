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

export type FairLimiter = <T>(key: string, rank: number, task: () => Promise<T>) => Promise<T>;

interface Line {
  running: number;
  waiting: Array<{ rank: number; begin: () => void }>;
}

/**
 * At most `max` tasks of each key at a time: who has many waits for their own. Of those that wait the one with the lowest
 * rank is next, and of its equals the one that came first. So what consists of several tasks is done before more is begun.
 */
export function createFairLimiter(max: number): FairLimiter {
  const lines = new Map<string, Line>();

  function enter(key: string, rank: number): Promise<void> | undefined {
    const line = lines.get(key);
    if (!line) lines.set(key, { running: 1, waiting: [] });
    else if (line.running < max) line.running += 1;
    else
      return new Promise((begin) => {
        const before = line.waiting.findLastIndex((other) => other.rank <= rank);
        line.waiting.splice(before + 1, 0, { rank, begin });
      });
    return undefined;
  }

  function leave(key: string): void {
    const line = lines.get(key)!;
    const next = line.waiting.shift();
    if (next) return next.begin();
    line.running -= 1;
    if (line.running === 0) lines.delete(key);
  }

  return async (key, rank, task) => {
    await enter(key, rank);
    try {
      return await task();
    } finally {
      leave(key);
    }
  };
}
