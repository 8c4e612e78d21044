import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Viewer } from '../auth/viewer.ts';
import { RateLimitedError } from '../errors.ts';
import type { Places } from '../rate-limits/places.ts';
import type { RateLimits } from '../rate-limits/rate-limits.ts';

const REFUSED_AFTER_MS = 1_000;
/** For all of them what they bring is kept. */
const REFUSED_LATER = 200;

export interface OperationPlaces {
  /**
   * For an operation over HTTP, until the response has left, or its client. Answers how to leave the place before that.
   *
   * @throws RateLimitedError when all are taken: later, since who does not wait for `retryAfter` would keep the node busy
   * with refusing, unless there are too many of them.
   */
  take(viewer: Viewer | null, address: string, response: ServerResponse): (() => void) | Promise<never>;
  /** For an operation on a socket, until it is done. @throws RateLimitedError as above. */
  during<T>(viewer: Viewer, run: () => T | Promise<T>): Promise<T>;
}

interface Place {
  places: Places;
  key: string;
}

type Limits = Pick<RateLimits, 'userOperations' | 'sessionOperations' | 'addressOperations'>;

/**
 * Who is signed in has places by session, too: of theirs, a session that was stolen leaves some to its owner. A session
 * that has nothing under way gets a place though its user has none left: to whoever has taken them by other sessions,
 * the owner can put an end.
 */
export function createOperationPlaces({
  userOperations,
  sessionOperations,
  addressOperations,
}: Limits): OperationPlaces {
  let refusedLater = 0;

  async function refuse(): Promise<never> {
    if (refusedLater < REFUSED_LATER) {
      refusedLater += 1;
      await sleep(REFUSED_AFTER_MS);
      refusedLater -= 1;
    }
    throw new RateLimitedError(1, 'Too many operations at once.');
  }

  function takeOf({ userId, sessionId }: Viewer): Place[] | null {
    const ofSession = { places: sessionOperations, key: sessionId };
    const isFirst = sessionOperations.isUnused(sessionId);
    return takeAll([ofSession, { places: userOperations, key: userId }]) ?? (isFirst ? takeAll([ofSession]) : null);
  }

  return {
    take(viewer, address, response) {
      const taken = viewer ? takeOf(viewer) : takeAll([{ places: addressOperations, key: address }]);
      if (!taken) return refuse();
      let isTaken = true;
      const leave = () => {
        if (isTaken) giveBack(taken);
        isTaken = false;
      };
      // Of a connection that is gone already, no end is told any more.
      if (response.closed || response.req.socket.destroyed) leave();
      else response.once('close', leave);
      return leave;
    },

    async during(viewer, run) {
      const taken = takeOf(viewer);
      if (!taken) return refuse();
      try {
        return await run();
      } finally {
        giveBack(taken);
      }
    },
  };
}

function takeAll(wanted: Place[]): Place[] | null {
  for (const [index, { places, key }] of wanted.entries()) {
    if (places.take(key)) continue;
    giveBack(wanted.slice(0, index));
    return null;
  }
  return wanted;
}

function giveBack(taken: readonly Place[]): void {
  for (const { places, key } of taken) places.giveBack(key);
}
