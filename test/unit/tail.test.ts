import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tail, TAIL_LENGTH } from '../../src/realtime/tail.ts';

interface Item {
  key: number;
  text?: string;
  characters?: number;
}

const items = (...keys: number[]): Item[] => keys.map((key) => ({ key }));
const keysFrom = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
const tailAt = (position: number) =>
  new Tail<Item>(
    position,
    ({ key }) => key,
    ({ characters = 1 }) => characters,
  );
const keysAfter = (tail: Tail<Item>, position: number, limit = 1_000) =>
  tail.after(position, limit)?.map(({ key }) => key) ?? null;

describe('a tail', () => {
  it('holds what was appended behind its position', () => {
    const tail = tailAt(7);
    tail.append(items(8, 9, 10), 10);
    expect(tail.end).toBe(10);
    expect(keysAfter(tail, 7)).toEqual([8, 9, 10]);
    expect(keysAfter(tail, 9)).toEqual([10]);
    expect(keysAfter(tail, 10)).toEqual([]);
    expect(keysAfter(tail, 7, 2)).toEqual([8, 9]);
  });

  it('does not know what was before its position', () => {
    const tail = tailAt(7);
    tail.append(items(8), 8);
    expect(keysAfter(tail, 6)).toBeNull();
  });

  it('drops what it has already', () => {
    const tail = tailAt(0);
    tail.append(items(1, 2), 2);
    tail.append(items(1, 2, 3), 3);
    tail.append(items(2), 2);
    expect(keysAfter(tail, 0)).toEqual([1, 2, 3]);
    expect(tail.end).toBe(3);
  });

  it('may end behind its last item: revisions that no message shows', () => {
    const tail = tailAt(0);
    tail.append(items(2), 5);
    expect(tail.end).toBe(5);
    expect(keysAfter(tail, 3)).toEqual([]);
    tail.append(items(4, 7), 7);
    expect(keysAfter(tail, 0)).toEqual([2, 7]);
  });

  it('forgets everything when it starts again further on, and only then', () => {
    const tail = tailAt(0);
    tail.append(items(1, 2, 3), 3);
    tail.restart(2);
    expect(keysAfter(tail, 0)).toEqual([1, 2, 3]);
    tail.restart(9);
    expect(tail.end).toBe(9);
    expect(keysAfter(tail, 3)).toBeNull();
    expect(keysAfter(tail, 9)).toEqual([]);
    tail.append(items(10), 10);
    expect(keysAfter(tail, 9)).toEqual([10]);
  });

  it('keeps the newest, and says of the rest that it is not here', () => {
    const tail = tailAt(0);
    for (const key of keysFrom(1, 10 * TAIL_LENGTH)) {
      tail.append(items(key), key);
      const oldest = keysFrom(0, key + 1).find((position) => tail.after(position, 1) !== null)!;
      const held = keysAfter(tail, oldest)!;
      expect(held).toEqual(keysFrom(oldest + 1, key - oldest));
      expect(held.length).toBeGreaterThanOrEqual(Math.min(key, TAIL_LENGTH));
      expect(held.length).toBeLessThanOrEqual(2 * TAIL_LENGTH);
    }
  });

  it('keeps the newest that are not too long together', () => {
    const tail = tailAt(0);
    const heldAt = (upTo: number) => {
      const oldest = keysFrom(0, upTo + 1).find((position) => tail.after(position, 1) !== null)!;
      return upTo - oldest;
    };
    const characters = 8_000;
    const append = (key: number) => tail.append([{ key, characters }], key);
    for (const key of keysFrom(1, 100)) {
      append(key);
      expect(heldAt(key) * characters).toBeLessThanOrEqual(256 * 1024);
      expect(heldAt(key)).toBeGreaterThanOrEqual(Math.min(key, 16));
    }
    // What takes the place of another is as long as it is, and not as the other was.
    for (const key of keysFrom(101, 1_000)) {
      append(key);
      tail.replace({ key, characters: 1 }, () => true);
    }
    expect(heldAt(1_100)).toBeGreaterThanOrEqual(TAIL_LENGTH);
    tail.restart(2_000);
    for (const key of keysFrom(2_001, 20)) append(key);
    expect(heldAt(2_020)).toBe(20);
  });

  it('answers what a list would, or null, for any way of filling it', () => {
    const appends = fc.array(fc.record({ gaps: fc.array(fc.integer({ min: 1, max: 3 })), more: fc.nat(2) }));
    fc.assert(
      fc.property(appends, fc.nat(60), fc.integer({ min: 1, max: 9 }), (steps, position, limit) => {
        const tail = tailAt(0);
        const all: number[] = [];
        for (const { gaps, more } of steps) {
          const keys = gaps.map((_, index) => tail.end + gaps.slice(0, index + 1).reduce((a, b) => a + b));
          all.push(...keys);
          tail.append(items(...keys), (keys.at(-1) ?? tail.end) + more);
        }
        expect(keysAfter(tail, position, limit)).toEqual(all.filter((key) => key > position).slice(0, limit));
      }),
    );
  });
});
