import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMemoryCounters } from '../../src/rate-limits/memory-counters.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pointsOf = async (counters: ReturnType<typeof createMemoryCounters>, key: string) =>
  (await counters.get(key))?.consumedPoints ?? null;

it('a window begins with the first point, and ends by itself', async () => {
  const counters = createMemoryCounters(10);
  expect(await counters.penalty('a', 2)).toEqual({ consumedPoints: 2, msBeforeNext: 10_000 });
  vi.advanceTimersByTime(4_000);
  expect(await counters.penalty('a', 3)).toEqual({ consumedPoints: 5, msBeforeNext: 6_000 });
  expect(await counters.reward('a', 1)).toEqual({ consumedPoints: 4, msBeforeNext: 6_000 });
  vi.advanceTimersByTime(6_000);
  expect(await counters.get('a')).toBeNull();
  expect(await counters.penalty('a', 1)).toEqual({ consumedPoints: 1, msBeforeNext: 10_000 });
});

it('what is set begins its window anew', async () => {
  const counters = createMemoryCounters(10);
  await counters.set('a', 1, 10);
  vi.advanceTimersByTime(9_000);
  await counters.set('a', 1, 10);
  vi.advanceTimersByTime(9_000);
  expect(await counters.get('a')).toEqual({ consumedPoints: 1, msBeforeNext: 1_000 });
});

it('keys without end take no more room than there is: the oldest make way', async () => {
  const counters = createMemoryCounters(10, 100);
  for (let n = 0; n < 10_000; n += 1) {
    await counters.penalty(`key ${n}`, 1);
    expect(counters.size()).toBeLessThanOrEqual(100);
  }
  expect(counters.size()).toBe(100);
  expect(await pointsOf(counters, 'key 9899')).toBeNull();
  expect(await pointsOf(counters, 'key 9900')).toBe(1);
});

it('what begins again is the newest', async () => {
  const counters = createMemoryCounters(10, 3);
  for (const key of ['a', 'b', 'c']) await counters.set(key, 1, 10);
  await counters.set('a', 1, 10);
  await counters.penalty('d', 1);
  expect(await pointsOf(counters, 'b')).toBeNull();
  expect(await pointsOf(counters, 'a')).toBe(1);
});

it('windows that have ended take no room, without a timer', async () => {
  const counters = createMemoryCounters(10, 100);
  for (let n = 0; n < 50; n += 1) await counters.penalty(`key ${n}`, 1);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(10_000);
  await counters.penalty('another', 1);
  expect(counters.size()).toBe(1);
});

it('what costs nothing in the end pushes nobody out', async () => {
  const counters = createMemoryCounters(10, 3);
  await counters.penalty('a', 5);
  for (let n = 0; n < 10; n += 1) {
    await counters.penalty(`free ${n}`, 5);
    await counters.reward(`free ${n}`, 5);
  }
  expect(await pointsOf(counters, 'a')).toBe(5);
  expect(counters.size()).toBe(1);
  expect(await counters.reward('nobody', 5)).toBeNull();
});
