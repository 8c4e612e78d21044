import { expect, it } from 'vitest';
import { ServiceUnavailableError } from '../../src/errors.ts';
import { createLimiter } from '../../src/limiter.ts';
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
