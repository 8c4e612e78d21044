import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createBurstLog } from '../../src/burst-log.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

it('says once in a window that there are many, and how many the last one had', () => {
  const lines: number[] = [];
  const note = createBurstLog({ threshold: 3, windowMs: 1_000 }, (before) => lines.push(before));
  const noteTimes = (times: number) => {
    for (let nth = 0; nth < times; nth += 1) note();
  };
  noteTimes(2);
  expect(lines).toEqual([]);
  noteTimes(8);
  expect(lines).toEqual([0]);
  vi.advanceTimersByTime(1_000);
  noteTimes(2);
  expect(lines).toEqual([0]);
  noteTimes(1);
  expect(lines).toEqual([0, 10]);
  // Long after.
  vi.advanceTimersByTime(5_000);
  noteTimes(3);
  expect(lines).toEqual([0, 10, 0]);
});

it('says nothing of few that come again and again', () => {
  const lines: number[] = [];
  const note = createBurstLog({ threshold: 3, windowMs: 1_000 }, (before) => lines.push(before));
  for (let window = 0; window < 10; window += 1) {
    note();
    note();
    vi.advanceTimersByTime(1_000);
  }
  expect(lines).toEqual([]);
});
