import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBreather } from '../../src/realtime/breather.ts';
import type { Breathe } from '../../src/realtime/breather.ts';

/** Time passes only where a test says so. */
let now: number;
beforeEach(() => {
  now = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

/** Work that goes on by promises, as an execution does, and takes its time in the last of them. */
async function work(breathe: Breathe, ms: number, onDone: () => void, whom = 'ann'): Promise<void> {
  const wait = breathe(whom);
  if (wait) await wait;
  for (let step = 0; step < 10; step += 1) await Promise.resolve();
  now += ms;
  onDone();
}

describe('a breather', () => {
  it('keeps nobody waiting while little is done', async () => {
    const breathe = createBreather(10);
    for (let turns = 0; turns < 20; turns += 1) {
      for (let nth = 0; nth < 3; nth += 1) {
        expect(breathe('ann')).toBeUndefined();
        now += 3;
      }
      await nextTurn();
      await nextTurn();
    }
  });

  it('lets whoever comes when the turn is used up go on in the next', async () => {
    const breathe = createBreather(10);
    expect(breathe('ann')).toBeUndefined();
    now += 10;
    let isLetGo = false;
    const wait = breathe('ann')!.then(() => (isLetGo = true));
    for (let step = 0; step < 100; step += 1) await Promise.resolve();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(isLetGo).toBe(false);
    await wait;
  });

  it('gives the event loop a turn each time that the work has used one up', async () => {
    const breathe = createBreather(10);
    const turns = new Map<number, number>();
    let turn = 0;
    let isOver = false;
    const count = () => {
      turn += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(
      Array.from({ length: 400 }, () => work(breathe, 3, () => turns.set(turn, (turns.get(turn) ?? 0) + 1))),
    );
    isOver = true;
    // The fourth is begun after 9 ms.
    expect([...turns.values()]).toEqual(Array.from({ length: 100 }, () => 4));
  });

  it('lets go in the order of arrival, also whoever comes while others wait', async () => {
    const breathe = createBreather(10);
    const begun: number[] = [];
    const all: Array<Promise<void>> = [];
    const come = (nth: number) => all.push(work(breathe, 1, () => begun.push(nth)));
    for (let nth = 0; nth < 300; nth += 1) {
      come(nth);
      if (nth % 50 === 49) await nextTurn();
    }
    await Promise.all(all);
    expect(begun).toEqual(Array.from({ length: 300 }, (_, nth) => nth));
  });

  it('lets nobody wait for all that is done for somebody else', async () => {
    const breathe = createBreather(10);
    const done: string[] = [];
    const come = (whom: string) => work(breathe, 1, () => done.push(whom), whom);
    const all = Array.from({ length: 100 }, () => come('ann'));
    all.push(come('bob'), come('carl'), come('bob'));
    await Promise.all(all);
    // Four of hers began at once.
    expect(done.slice(4, 9)).toEqual(['ann', 'bob', 'carl', 'ann', 'bob']);
    expect(done.slice(9).every((whom) => whom === 'ann')).toBe(true);
    expect(done).toHaveLength(103);
  });

  it('lets one begin when the one before has done what it could', async () => {
    const breathe = createBreather(10);
    let underWay = 0;
    let most = 0;
    const one = async () => {
      const wait = breathe('ann');
      if (wait) await wait;
      most = Math.max(most, (underWay += 1));
      for (let step = 0; step < 50; step += 1) await Promise.resolve();
      underWay -= 1;
    };
    // The first few, nobody waits for.
    await Promise.all(Array.from({ length: 4 }, one));
    most = 0;
    await Promise.all(Array.from({ length: 100 }, one));
    expect(most).toBe(1);
  });

  it('has little to do for each, however many wait', async () => {
    const breathe = createBreather(10);
    let done = 0;
    for (let wave = 0; wave < 10; wave += 1)
      await Promise.all(Array.from({ length: 5_000 }, () => work(breathe, 0.001, () => (done += 1))));
    expect(done).toBe(50_000);
    // Nobody asks again and again, and whoever was let go is forgotten.
    expect(vi.mocked(performance.now).mock.calls.length).toBeLessThan(110_000);
  });
});
