import { parse } from 'graphql';
import { expect, it } from 'vitest';
import { createDocumentCache } from '../../src/graphql/document-cache.ts';

const document = parse('{ me { id } }');
/** With what every document costs besides, it counts as 250 characters. */
const textOf = (nth: number) => `${nth}`.padEnd(50);

/** Which are found of so many texts that were put in one after the other. */
function fill(count: number, maxCharacters: number, ask: (nth: number) => number[] = () => []) {
  const numbers = Array.from({ length: count }, (_, nth) => nth);
  // To ask for one changes what is kept of the others.
  return numbers.filter((wanted) => {
    const cache = createDocumentCache(maxCharacters);
    for (const nth of numbers) {
      cache.set(textOf(nth), document);
      for (const asked of ask(nth)) cache.get(textOf(asked));
    }
    return cache.get(textOf(wanted)) !== undefined;
  });
}

it('A document is found by its text', () => {
  const cache = createDocumentCache(10_000);
  cache.set('{ me { id } }', document);
  expect(cache.get('{ me { id } }')).toBe(document);
  expect(cache.get('{ me { id }}')).toBeUndefined();
});

it('Of more documents than there is room for, the last ones are kept, and at least half as many as there could be', () => {
  expect(fill(10, 250 * 20)).toEqual(Array.from({ length: 10 }, (_, nth) => nth));
  for (let count = 21; count < 60; count += 1) {
    const kept = fill(count, 250 * 20);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, nth) => count - kept.length + nth));
    expect(kept.length).toBeGreaterThanOrEqual(10);
    expect(kept.length).toBeLessThanOrEqual(20);
  }
});

it('A document that is asked for again stays, however many others come', () => {
  expect(fill(200, 250 * 20, () => [3])).toContain(3);
  // No less often than that.
  expect(fill(200, 250 * 20, (nth) => (nth % 9 === 0 ? [3] : []))).toContain(3);
  expect(fill(200, 250 * 20, (nth) => (nth < 100 ? [3] : []))).not.toContain(3);
});

it('A document that takes more than there is room for is found all the same, and those before it make room', () => {
  const cache = createDocumentCache(1_000);
  cache.set(textOf(1), document);
  cache.set('x'.repeat(5_000), document);
  expect(cache.get('x'.repeat(5_000))).toBe(document);
  cache.set(textOf(2), document);
  cache.set(textOf(3), document);
  expect(cache.get(textOf(1))).toBeUndefined();
});
