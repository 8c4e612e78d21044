import { expect, it } from 'vitest';
import { isTooMuchJson } from '../../src/server/json-limits.ts';

const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
const list = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => structuredClone(item));
const fields = (count: number) => Object.fromEntries(list(count, 1).map((value, nth) => [`f${nth}`, value]));

it('is a hundred levels deep at most', () => {
  expect(isTooMuchJson(nested(100))).toBe(false);
  expect(isTooMuchJson(nested(101))).toBe(true);
});

it('has five thousand objects, lists and fields at most, each counted wherever it is', () => {
  expect(isTooMuchJson(list(4_999, {}))).toBe(false);
  expect(isTooMuchJson(list(5_000, {}))).toBe(true);
  expect(isTooMuchJson(list(4_999, []))).toBe(false);
  expect(isTooMuchJson(list(5_000, []))).toBe(true);
  expect(isTooMuchJson(fields(4_999))).toBe(false);
  expect(isTooMuchJson(fields(5_000))).toBe(true);
  expect(isTooMuchJson([fields(2_500), list(2_497, {})])).toBe(false);
  expect(isTooMuchJson([fields(2_500), list(2_498, {})])).toBe(true);
});

it('may hold what takes as little room as it takes to send', () => {
  expect(isTooMuchJson('a'.repeat(100_000))).toBe(false);
  expect(isTooMuchJson(list(50_000, 1))).toBe(false);
  expect(isTooMuchJson(list(20_000, null))).toBe(false);
});
