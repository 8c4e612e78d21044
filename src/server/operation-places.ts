import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimitedError } from '../errors.ts';
import type { Places } from '../rate-limits/places.ts';

const REFUSED_AFTER_MS = 1_000;

/**
 * For an operation, until the response has left, or its client. Answers how to leave the place before that.
 *
 * @throws RateLimitedError when all are taken.
 */
export async function takePlace(places: Places, key: string, response: ServerResponse): Promise<() => void> {
  if (!places.take(key)) {
    // Told at once, who does not wait for `retryAfter` would keep the node busy with refusing.
    await sleep(REFUSED_AFTER_MS);
    throw new RateLimitedError(1, 'Too many operations at once.');
  }
  let isTaken = true;
  const giveBack = () => {
    if (isTaken) places.giveBack(key);
    isTaken = false;
  };
  // Of a connection that is gone already, no end is told any more.
  if (response.closed || response.req.socket.destroyed) giveBack();
  else response.once('close', giveBack);
  return giveBack;
}
