import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

/** How many bytes more are in use behind the act than before, once the quick collection of garbage has had its turn. */
export async function keptBy(act: () => unknown): Promise<number> {
  collect();
  const before = getHeapStatistics().used_heap_size;
  await act();
  collect({ type: 'minor' });
  collect({ type: 'minor' });
  return getHeapStatistics().used_heap_size - before;
}
