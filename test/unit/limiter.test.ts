import { expect, it } from 'vitest';
import { ServiceUnavailableError, TimeoutError } from '../../src/errors.ts';
import { createFairLimiter, createLimiter } from '../../src/limiter.ts';
import { deferred } from '../support/wait.ts';

it('runs so many at a time, has so many wait in order, and refuses the next', async () => {
  const limited = createLimiter(2, 3);
  const gates = Array.from({ length: 6 }, () => deferred());
  const begun: number[] = [];
  const run = (n: number) =>
    limited(async () => {
      begun.push(n);
      await gates[n]!.promise;
      return n;
    });
  const results = [0, 1, 2, 3, 4].map(run);
  await expect(run(5)).rejects.toBeInstanceOf(ServiceUnavailableError);
  expect(begun).toEqual([0, 1]);
  gates[1]!.resolve();
  expect(await results[1]).toBe(1);
  expect(begun).toEqual([0, 1, 2]);
  // There is room for one more.
  const last = run(5);
  for (const gate of gates) gate.resolve();
  expect(await Promise.all([...results, last])).toEqual([0, 1, 2, 3, 4, 5]);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
});

it('whoever has left the line is refused when the next comes, or when a turn is over, and keeps nobody waiting', async () => {
  const turns = createFairLimiter(1);
  const gates = [deferred(), deferred()];
  const begun: string[] = [];
  const ask = (what: string, gate?: Promise<void>) => {
    const cancellation = { isCancelled: false };
    const done = turns('ann', { rank: 0, cancellation }, async () => {
      begun.push(what);
      await gate;
    });
    done.catch(() => {});
    return { cancellation, done };
  };
  const first = ask('first', gates[0]!.promise);
  const left = ask('left');
  const later = ask('later', gates[1]!.promise);
  left.cancellation.isCancelled = true;
  const last = ask('last');
  await expect(left.done).rejects.toBeInstanceOf(TimeoutError);
  last.cancellation.isCancelled = true;
  gates[0]!.resolve();
  await first.done;
  await expect(last.done).rejects.toBeInstanceOf(TimeoutError);
  gates[1]!.resolve();
  await later.done;
  expect(begun).toEqual(['first', 'later']);
  await ask('again').done;
  const gone = { rank: 0, cancellation: { isCancelled: true } };
  await expect(turns('ann', gone, () => Promise.resolve())).rejects.toBeInstanceOf(TimeoutError);
});
