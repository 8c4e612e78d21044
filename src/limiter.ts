import type { Cancellation } from './cancellation.ts';
import { ServiceUnavailableError, TimeoutError } from './errors.ts';

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

/** Who asks for a turn. */
export interface Turn {
  /** Those with the lowest are next, and of equals the one that came first. */
  rank: number;
  /** Undefined: it is always waited for. */
  cancellation: Cancellation | undefined;
}

/** @throws TimeoutError when the turn is not waited for any more by when it comes: the task has not begun. */
export type FairLimiter = <T>(key: string, turn: Turn, task: () => Promise<T> | T) => Promise<T>;

interface Waiting extends Turn {
  begin: () => void;
  refuse: (error: TimeoutError) => void;
}

interface Line {
  running: number;
  waiting: Waiting[];
}

/**
 * At most `max` tasks of each key at a time: who has many waits for their own. By the ranks, what consists of several
 * tasks is done before more is begun. Whoever has left the line keeps no place in it for longer than until the next comes.
 */
export function createFairLimiter(max: number): FairLimiter {
  const lines = new Map<string, Line>();

  function enter(key: string, turn: Turn): Promise<void> | undefined {
    const line = lines.get(key);
    if (!line) lines.set(key, { running: 1, waiting: [] });
    else if (line.running < max) line.running += 1;
    else
      return new Promise((begin, refuse) => {
        line.waiting = line.waiting.filter(isWaitedFor);
        const before = line.waiting.findLastIndex(({ rank }) => rank <= turn.rank);
        line.waiting.splice(before + 1, 0, { ...turn, begin, refuse });
      });
    return undefined;
  }

  function leave(key: string): void {
    const line = lines.get(key)!;
    line.waiting = line.waiting.filter(isWaitedFor);
    const next = line.waiting.shift();
    if (next) return next.begin();
    line.running -= 1;
    if (line.running === 0) lines.delete(key);
  }

  return async (key, turn, task) => {
    if (turn.cancellation?.isCancelled) throw new TimeoutError();
    await enter(key, turn);
    try {
      return await task();
    } finally {
      leave(key);
    }
  };
}

function isWaitedFor({ cancellation, refuse }: Waiting): boolean {
  if (!cancellation?.isCancelled) return true;
  refuse(new TimeoutError());
  return false;
}
