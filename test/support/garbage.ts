import { setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

/** How many bytes more are in use behind the act than before, once the quick collection of garbage has had its turn. */
async function keptBy(act: () => unknown): Promise<number> {
  collect();
  const before = getHeapStatistics().used_heap_size;
  await act();
  collect({ type: 'minor' });
  collect({ type: 'minor' });
  return getHeapStatistics().used_heap_size - before;
}

const ROUNDS = 60;

/**
 * Says on standard output `gone` when less than so many bytes were kept, at the latest in the last of many rounds: V8
 * compiles the act when it has the time, and keeps more before. For a process of its own, since what else a worker of
 * the tests has run changes what V8 keeps.
 */
export async function sayWhetherGone(act: () => unknown, bytes: number): Promise<void> {
  let kept = Infinity;
  for (let round = 0; round < ROUNDS && kept >= bytes; round += 1) {
    kept = await keptBy(act);
    await delay(25);
  }
  console.log(kept < bytes ? 'gone' : `${kept} bytes kept`);
}
