import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createMemoryCounters } from './memory-counters.ts';
import type { Count, Counters } from './memory-counters.ts';
import type { RedisCounters } from './redis-counters.ts';

/** So many points for each key, within so many seconds from the first one on. */
export interface Allowance {
  points: number;
  seconds: number;
}

export interface Taken {
  isOver: boolean;
  /** No attempt for this key was over before it, in the same window. */
  isFirstOver: boolean;
  /** Until the window ends, and all points are there again. Whole, 1 or more. */
  secondsLeft: number;
}

/** Counts points by key: in Redis while it answers, in this process, within bounds, while it does not. Never rejects. */
export interface Quota {
  take(key: string, points: number): Promise<Taken>;
  giveBack(key: string, points: number): Promise<void>;
  /** Remembers the key for a whole window. */
  mark(key: string): Promise<void>;
  isMarked(key: string): Promise<boolean>;
}

export function createQuota(
  prefix: string,
  { points: limit, seconds }: Allowance,
  redis: RedisCounters | undefined,
): Quota {
  const here = createMemoryCounters(seconds);
  const everywhere: Counters | undefined =
    redis && new RateLimiterRedis({ keyPrefix: prefix, points: limit, duration: seconds, storeClient: redis.client });

  function count<T>(how: (counter: Counters) => Promise<T>): Promise<T> {
    const countHere = () => how(here);
    return redis && everywhere ? redis.ask(() => how(everywhere), countHere) : countHere();
  }

  return {
    async take(key, points) {
      return toTaken(await count((counter) => counter.penalty(key, points)), points, limit);
    },
    giveBack: async (key, points) => void (await count((counter) => counter.reward(key, points))),
    mark: async (key) => void (await count((counter) => counter.set(key, 1, seconds))),
    isMarked: async (key) => (await count((counter) => counter.get(key))) !== null,
  };
}

function toTaken({ consumedPoints, msBeforeNext }: Count, points: number, limit: number): Taken {
  return {
    isOver: consumedPoints > limit,
    isFirstOver: consumedPoints > limit && consumedPoints - points <= limit,
    secondsLeft: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  };
}
