import { quantile } from '../../test/support/size.ts';

export interface LoopResult {
  count: number;
  perSecond: number;
  p50: number;
  p99: number;
}

/** So many at a time, each starting its next step when the last one is done. Times are in milliseconds. */
export async function runClosedLoop(
  workers: number,
  seconds: number,
  step: (worker: number) => Promise<void>,
): Promise<LoopResult> {
  const times: number[] = [];
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let from = performance.now(); from < end; from = performance.now()) {
        await step(worker);
        times.push(performance.now() - from);
      }
    }),
  );
  const perSecond = (times.length * 1000) / (performance.now() - startedAt);
  return { count: times.length, perSecond, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
