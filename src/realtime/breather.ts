import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Called before each piece of work, with the one for whom it is done: somebody, or a chat. Undefined: it may begin at
 * once; else when the promise is resolved.
 */
export type Breathe = (whom: string) => Promise<void> | undefined;

/** What everybody else on the node waits for at the most, and a long piece of work. */
const MAX_MS = 10;

/** Let go in one turn of the event loop before it is known how long each of them takes. */
const AT_ONCE = 4;

/**
 * Keeps the event loop turning, however much there is to do for subscribers at the same time. What one turn has no room
 * for stands in a queue, and whoever comes meanwhile stands behind it; of those for whom much is to be done one piece is
 * done in turn with the others'. Those in the queue are let go one after the other, each when all that the one before
 * could do without waiting is done: only then does the clock tell what is left of the turn.
 */
export function createBreather(maxMs = MAX_MS): Breathe {
  /** By whom they are for, in the order in which those have their turn. */
  const queues = new Map<string, Set<() => void>>();
  let isLettingGo = false;
  /** When the first in this turn was let go; null: nobody was. */
  let began: number | null = null;
  let letGo = 0;

  function count() {
    letGo += 1;
    if (began !== null) return;
    began = performance.now();
    setImmediate(() => {
      began = null;
      letGo = 0;
    });
  }

  const isUsedUp = () => began !== null && performance.now() - began >= maxMs;

  async function letAllGo() {
    for (const [whom, queue] of queues) {
      await allPromises();
      while (isUsedUp()) await nextTurn();
      // Behind the others, whom the loop comes to as well.
      queues.delete(whom);
      const [go] = queue;
      queue.delete(go!);
      if (queue.size > 0) queues.set(whom, queue);
      count();
      go!();
    }
    isLettingGo = false;
  }

  return (whom) => {
    if (!isLettingGo) {
      if (letGo < AT_ONCE && !isUsedUp()) {
        count();
        return undefined;
      }
      isLettingGo = true;
      queueMicrotask(() => void letAllGo());
    }
    return new Promise((resolve) => {
      const queue = queues.get(whom);
      if (queue) queue.add(resolve);
      else queues.set(whom, new Set([resolve]));
    });
  };
}

/** Until all that is settled has been acted upon: for who comes from a promise, a tick is after all other promises. */
const allPromises = () => new Promise<void>((resolve) => process.nextTick(resolve));
