import { setImmediate as macrotask } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveCursor } from '../../src/realtime/live-cursor.ts';
import { deferred, within } from '../support/wait.ts';

const DONE = { value: undefined, done: true };

/** A feed that the test fills: each read takes what is there, or the failure that was put in its way. */
class Feed {
  reads = 0;
  ends = 0;
  readonly batches: number[][] = [];
  readonly failures: unknown[] = [];
  /** What keeps a read from answering what it has found. */
  gate: Promise<unknown> = Promise.resolve();
  /** What an item waits for when it has been read. */
  breath: Promise<void> | undefined;
  isOutdated = false;
  readonly cursor = new LiveCursor<number>({
    read: async () => {
      this.reads += 1;
      const found = this.batches.shift() ?? [];
      await this.gate;
      if (this.failures.length === 0) return found;
      this.batches.unshift(found);
      throw this.failures.shift();
    },
    breathe: () => this.breath,
    isOutdated: () => this.isOutdated,
    isTransient: (error) => error === AWAY,
    onEnd: () => (this.ends += 1),
  });

  /** Puts items there and says so, as the node's feed does. */
  add(...items: number[]) {
    this.batches.push(items);
    this.cursor.wake();
  }

  async take(count: number): Promise<unknown[]> {
    const taken: unknown[] = [];
    while (taken.length < count) taken.push((await within(this.cursor.next(), 2_000, 'an item')).value);
    return taken;
  }

  /** What `next` answers, once it is sure to be waiting for news. */
  async waitingNext(): Promise<{ result: Promise<IteratorResult<number>>; isSettled: () => boolean }> {
    let settled = false;
    const result = this.cursor.next();
    result.then(
      () => (settled = true),
      () => (settled = true),
    );
    for (let i = 0; i < 5; i++) await macrotask();
    expect(settled).toBe(false);
    return { result, isSettled: () => settled };
  }
}

const AWAY = new Error('the database is away');

let feed: Feed;
beforeEach(() => {
  feed = new Feed();
});
/** Whatever happened, the feed was told at most once that the cursor is gone. */
afterEach(() => expect(feed.ends).toBeLessThanOrEqual(1));

describe('a live cursor', () => {
  it('reads when it is asked, and not before', async () => {
    feed.add(1, 2);
    feed.add(3);
    await macrotask();
    expect(feed.reads).toBe(0);
    expect(await feed.take(3)).toEqual([1, 2, 3]);
  });

  it('keeps one batch for a slow consumer, however much comes meanwhile', async () => {
    feed.add(1, 2, 3);
    expect(await feed.take(1)).toEqual([1]);
    for (let item = 4; item < 100; item++) feed.add(item);
    await macrotask();
    expect(feed.reads).toBe(1);
    expect(await feed.take(3)).toEqual([2, 3, 4]);
    expect(feed.reads).toBe(2);
  });

  it('waits while there is nothing, and goes on when it is woken', async () => {
    const { result } = await feed.waitingNext();
    feed.add(1);
    expect(await within(result, 2_000, 'the item')).toEqual({ value: 1, done: false });
  });

  it('reads again, and waits again, when it was woken for nothing', async () => {
    const { result, isSettled } = await feed.waitingNext();
    feed.cursor.wake();
    for (let i = 0; i < 5; i++) await macrotask();
    expect(feed.reads).toBe(2);
    expect(isSettled()).toBe(false);
    feed.add(1);
    expect((await within(result, 2_000, 'the item')).value).toBe(1);
  });

  it('loses no news that come while it reads', async () => {
    const gate = deferred();
    feed.gate = gate.promise;
    const result = feed.cursor.next();
    await macrotask();
    // The read under way has looked already.
    feed.add(1);
    gate.resolve();
    expect((await within(result, 2_000, 'the item')).value).toBe(1);
  });

  it('can be walked with for await', async () => {
    feed.add(1, 2, 3);
    const walked: number[] = [];
    for await (const item of feed.cursor) {
      walked.push(item);
      if (item === 2) break;
    }
    expect(walked).toEqual([1, 2]);
    expect(feed.ends).toBe(1);
    expect(await feed.cursor.next()).toEqual(DONE);
  });
});

describe('return', () => {
  it('lets go at once of a subscriber who waits in a silent room', async () => {
    const { result } = await feed.waitingNext();
    expect(await feed.cursor.return()).toEqual(DONE);
    expect(await within(result, 2_000, 'the end')).toEqual(DONE);
    expect(feed.ends).toBe(1);
  });

  it('drops what a read under way brings', async () => {
    const gate = deferred();
    feed.gate = gate.promise;
    feed.add(1);
    const result = feed.cursor.next();
    await feed.cursor.return();
    gate.resolve();
    expect(await within(result, 2_000, 'the end')).toEqual(DONE);
  });

  it('drops what was read and not taken', async () => {
    feed.add(1, 2);
    await feed.take(1);
    await feed.cursor.return();
    expect(await feed.cursor.next()).toEqual(DONE);
  });

  it('before the first next reads nothing ever', async () => {
    feed.add(1);
    await feed.cursor.return();
    expect(await feed.cursor.next()).toEqual(DONE);
    expect(feed).toMatchObject({ reads: 0, ends: 1 });
  });

  it('twice ends once', async () => {
    await feed.cursor.return();
    expect(await feed.cursor.return()).toEqual(DONE);
    expect(feed.ends).toBe(1);
  });
});

describe('a failure', () => {
  it('reaches the subscriber who waits, once, and is the end', async () => {
    const { result } = await feed.waitingNext();
    feed.cursor.fail(new Error('removed'));
    await expect(within(result, 2_000, 'the error')).rejects.toThrow('removed');
    expect(await feed.cursor.next()).toEqual(DONE);
    expect(feed.ends).toBe(1);
  });

  it('comes before what was read and not taken', async () => {
    feed.add(1, 2, 3);
    await feed.take(1);
    feed.cursor.fail(new Error('removed'));
    await expect(feed.cursor.next()).rejects.toThrow('removed');
    expect(await feed.cursor.next()).toEqual(DONE);
  });

  it('comes before what a read under way brings', async () => {
    const gate = deferred();
    feed.gate = gate.promise;
    feed.add(1);
    const result = feed.cursor.next();
    feed.cursor.fail(new Error('removed'));
    gate.resolve();
    await expect(within(result, 2_000, 'the error')).rejects.toThrow('removed');
  });

  it('after the end is no news', async () => {
    await feed.cursor.return();
    feed.cursor.fail(new Error('too late'));
    expect(await feed.cursor.next()).toEqual(DONE);
  });

  it('after a failure changes nothing', async () => {
    feed.cursor.fail(new Error('the first'));
    feed.cursor.fail(new Error('the second'));
    await expect(feed.cursor.next()).rejects.toThrow('the first');
  });

  it('of a read ends the cursor', async () => {
    feed.failures.push(new Error('a bug'));
    await expect(feed.cursor.next()).rejects.toThrow('a bug');
    expect(await feed.cursor.next()).toEqual(DONE);
    expect(feed.ends).toBe(1);
  });

  it('of a read that will pass is tried again', async () => {
    feed.failures.push(AWAY, AWAY);
    feed.add(1);
    expect(await feed.take(1)).toEqual([1]);
    expect(feed.reads).toBe(3);
  });

  it('that will pass keeps nobody who leaves meanwhile', async () => {
    feed.failures.push(AWAY);
    const result = feed.cursor.next();
    await macrotask();
    await feed.cursor.return();
    expect(await within(result, 2_000, 'the end')).toEqual(DONE);
    expect(feed.reads).toBe(1);
  });
});

describe('while an item waits for its turn', () => {
  async function setUpWaiting() {
    const turn = deferred();
    feed.breath = turn.promise;
    feed.add(1, 2);
    const { result } = await feed.waitingNext();
    return { result: within(result, 2_000, 'the item'), letGo: turn.resolve };
  }

  it('it is given to nobody, and then once', async () => {
    const { result, letGo } = await setUpWaiting();
    letGo();
    expect(await result).toEqual({ value: 1, done: false });
    feed.breath = undefined;
    feed.add(3);
    expect(await feed.take(2)).toEqual([2, 3]);
  });

  it('a failure comes before it', async () => {
    const { result, letGo } = await setUpWaiting();
    feed.cursor.fail(new Error('removed'));
    letGo();
    await expect(result).rejects.toThrow('removed');
    expect(await feed.cursor.next()).toEqual(DONE);
    expect(feed.ends).toBe(1);
  });

  it('the end comes before it', async () => {
    const { result, letGo } = await setUpWaiting();
    await feed.cursor.return();
    expect(feed.ends).toBe(1);
    letGo();
    expect(await result).toEqual(DONE);
  });

  it('it may become outdated', async () => {
    const { result, letGo } = await setUpWaiting();
    feed.isOutdated = true;
    feed.breath = undefined;
    letGo();
    // Who has not waited is not outdated.
    expect(await result).toEqual({ value: 2, done: false });
  });
});

describe('on a line', () => {
  function openLine() {
    const controller = new AbortController();
    const line = { releases: 0, signal: controller.signal, release: () => (line.releases += 1) };
    return { line, cut: (reason: Error) => controller.abort(reason) };
  }

  it('the line’s end is the cursor’s, with its reason', async () => {
    const { line, cut } = openLine();
    feed.cursor.holdOn(line);
    const { result } = await feed.waitingNext();
    cut(new Error('signed out'));
    await expect(within(result, 2_000, 'the error')).rejects.toThrow('signed out');
    expect(line.releases).toBe(1);
  });

  it('the cursor’s end lets go of the line', async () => {
    const { line, cut } = openLine();
    feed.cursor.holdOn(line);
    await feed.cursor.return();
    expect(line.releases).toBe(1);
    cut(new Error('signed out'));
    expect(await feed.cursor.next()).toEqual(DONE);
    expect(line.releases).toBe(1);
  });

  it('that was cut before, the cursor fails', async () => {
    const { line, cut } = openLine();
    cut(new Error('signed out'));
    feed.cursor.holdOn(line);
    await expect(feed.cursor.next()).rejects.toThrow('signed out');
    expect(line.releases).toBe(1);
  });

  it('a cursor that has ended holds nothing', async () => {
    const { line } = openLine();
    await feed.cursor.return();
    feed.cursor.holdOn(line);
    expect(line.releases).toBe(1);
  });
});
