import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimitedError } from '../errors.ts';
import type { Places } from '../rate-limits/places.ts';

const REFUSED_AFTER_MS = 1_000;

/**
 * For an operation, until the response has left, or its client. Answers how to leave the place before that.
 *
 * @throws RateLimitedError when all are taken: later, since who does not wait for `retryAfter` would keep the node busy
 * with refusing.
 */
export function takePlace(places: Places, key: string, response: ServerResponse): (() => void) | Promise<never> {
  if (!places.take(key)) return refuseLater();
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

/** For an operation on a socket, until it is done. @throws RateLimitedError as above. */
export async function inPlace<T>(places: Places, key: string, run: () => T | Promise<T>): Promise<T> {
  if (!places.take(key)) return refuseLater();
  try {
    return await run();
  } finally {
    places.giveBack(key);
  }
}

async function refuseLater(): Promise<never> {
  await sleep(REFUSED_AFTER_MS);
  throw new RateLimitedError(1, 'Too many operations at once.');
}
