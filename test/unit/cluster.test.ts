import { describe, expect, it } from 'vitest';
import { nextBackOff } from '../../src/cluster.ts';

const YOUNG_MS = 500;
const OLD_MS = 60_000;

describe('the wait before a worker is replaced', () => {
  it('is none where workers live', () => {
    expect(nextBackOff(0, OLD_MS)).toBe(0);
  });

  it('doubles while they die young, up to a cap', () => {
    const waits = [0];
    for (let death = 1; death <= 8; death += 1) waits.push(nextBackOff(waits.at(-1)!, YOUNG_MS));
    expect(waits.slice(1)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it('is forgotten when one has lived', () => {
    expect(nextBackOff(5_000, OLD_MS)).toBe(0);
  });
});
