import { createFairLimiter } from '../limiter.ts';
import { createBreather } from '../realtime/breather.ts';
import { Shares } from './shares.ts';

/**
 * How what one person asks for stands beside what others do, whatever the transport.
 *
 * @param share how many statements one person may have under way on this node: so many for pages, for what mutations do
 * and for subscriptions that begin or catch up, and as many for what is read in batches. The rest of the pool is for
 * others.
 */
export function createFairness(share: number) {
  let operations = 0;
  return {
    turns: createFairLimiter(share),
    /** By session, for what ends sessions: whoever has a token that was stolen keeps nobody from it. */
    sessionTurns: createFairLimiter(1),
    shares: new Shares(share),
    /** For long work without a statement. */
    breathe: createBreather(),
    /** What was begun first goes on first: else everything would be kept at once that was read for what is not done. */
    nextRank: () => (operations += 1),
  };
}

export type Fairness = ReturnType<typeof createFairness>;
