import { setImmediate as nextRound } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCoalescer } from '../../src/persistence/coalescer.ts';
import type { CoalescerOptions, Job } from '../../src/persistence/coalescer.ts';
import { eventually } from '../support/wait.ts';

interface Entry {
  key: string;
  nth: number;
}

type Batch = Array<Job<Entry, string>> & { done: () => void; fail: (error: Error) => void };

/** A coalescer whose batches are done by the test, one after the other as they came. */
function build(options: Partial<CoalescerOptions<Entry, string>> = {}) {
  const batches: Batch[] = [];
  const add = createCoalescer<Entry, string>({
    keyOf: ({ key }) => key,
    run: (jobs) =>
      new Promise((resolve, reject) => {
        const done = () => {
          for (const job of jobs) job.resolve(nameOf(job.entry));
          resolve();
        };
        batches.push(Object.assign([...jobs], { done, fail: reject, resolve }));
      }),
    limit: 1,
    aloneMs: 60_000,
    maxBatchSize: 10,
    answerWithinMs: 60_000,
    ...options,
  });
  const send = (name: string) => add({ key: name[0]!, nth: Number(name.slice(1)) });
  return { batches, send };
}

const nameOf = ({ key, nth }: Entry) => `${key}${nth}`;
const namesIn = (batch: Batch | undefined) => batch?.map(({ entry }) => nameOf(entry));

describe('a coalescer', () => {
  it('does at once what comes alone', async () => {
    const { batches, send } = build();
    const answer = send('a1');
    await nextRound();
    expect(batches.map(namesIn)).toEqual([['a1']]);
    batches[0]!.done();
    expect(await answer).toBe('a1');
  });

  it('gathers what comes meanwhile, and answers each its own', async () => {
    const { batches, send } = build();
    const answers = [send('a1')];
    await nextRound();
    answers.push(send('b1'), send('a2'), send('c1'), send('a3'));
    await nextRound();
    expect(batches).toHaveLength(1);
    batches[0]!.done();
    await nextRound();
    await nextRound();
    expect(batches).toHaveLength(2);
    expect(namesIn(batches[1])?.toSorted()).toEqual(['a2', 'a3', 'b1', 'c1']);
    batches[1]!.done();
    expect(await Promise.all(answers)).toEqual(['a1', 'b1', 'a2', 'c1', 'a3']);
  });

  it('lets no smaller batch go beside one, until that has taken long', async () => {
    const { batches, send } = build({ limit: 2, aloneMs: 50 });
    const startedAt = performance.now();
    for (const name of ['a1', 'b1', 'c1']) void send(name);
    await nextRound();
    for (const name of ['d1', 'a2']) void send(name);
    await eventually(() => expect(batches).toHaveLength(2), { everyMs: 1 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(49);
    expect(batches.map(namesIn)).toEqual([['a1', 'b1', 'c1'], ['d1']]);
  });

  it('lets one that is as large go beside it at once', async () => {
    const { batches, send } = build({ limit: 2 });
    for (const name of ['a1', 'b1']) void send(name);
    await nextRound();
    for (const name of ['c1', 'd1']) void send(name);
    await nextRound();
    expect(batches.map(namesIn)).toEqual([
      ['a1', 'b1'],
      ['c1', 'd1'],
    ]);
  });

  it('has no more batches under way than it may, and none of a key that has one', async () => {
    const { batches, send } = build({ limit: 2 });
    for (const name of ['a1', 'b1']) {
      void send(name);
      await nextRound();
    }
    void send('c1');
    await nextRound();
    expect(batches.map(namesIn)).toEqual([['a1'], ['b1']]);
    void send('a2');
    batches[1]!.done();
    await nextRound();
    await nextRound();
    expect(namesIn(batches[2])).toEqual(['c1']);
  });

  it('keeps the newest batch alone, also when an older one is done', async () => {
    const { batches, send } = build({ limit: 2 });
    void send('a1');
    await nextRound();
    for (const name of ['b1', 'c1']) void send(name);
    await nextRound();
    expect(batches.map(namesIn)).toEqual([['a1'], ['b1', 'c1']]);
    batches[0]!.done();
    void send('d1');
    await nextRound();
    await nextRound();
    expect(batches).toHaveLength(2);
  });

  it('goes on with the other keys while one job waits for its answer', async () => {
    const { batches, send } = build();
    const [held, quick] = [send('a1'), send('b1')];
    await nextRound();
    const [job] = batches[0]!;
    const next = [send('a2'), send('b2')];
    batches[0]![1]!.resolve('quick');
    (batches[0] as unknown as { resolve: () => void }).resolve();
    expect(await quick).toBe('quick');
    await nextRound();
    await nextRound();
    expect(namesIn(batches[1])).toEqual(['b2']);
    batches[1]!.done();
    job!.resolve('at last');
    expect(await held).toBe('at last');
    await nextRound();
    await nextRound();
    expect(namesIn(batches[2])).toEqual(['a2']);
    batches[2]!.done();
    expect(await Promise.all(next)).toEqual(['a2', 'b2']);
  });

  it('takes no more than a batch may hold, and then the other keys first', async () => {
    const { batches, send } = build({ maxBatchSize: 2 });
    for (const name of ['a1', 'a2', 'a3', 'b1']) void send(name);
    for (let nth = 0; nth < 2; nth += 1) {
      await nextRound();
      await nextRound();
      batches[nth]!.done();
    }
    expect(batches.map(namesIn)).toEqual([
      ['a1', 'a2'],
      ['b1', 'a3'],
    ]);
  });

  it('tells a failure to those who have no answer yet, and goes on', async () => {
    const { batches, send } = build();
    const answers = [send('a1'), send('a2')];
    await nextRound();
    batches[0]![0]!.resolve('in time');
    batches[0]!.fail(new Error('broken'));
    expect(await Promise.allSettled(answers)).toMatchObject([
      { status: 'fulfilled', value: 'in time' },
      { status: 'rejected', reason: { message: 'broken' } },
    ]);
    const later = send('a3');
    await nextRound();
    await nextRound();
    batches[1]!.done();
    expect(await later).toBe('a3');
  });

  it('refuses what takes too long, under way or not, and does not begin it later', async () => {
    const { batches, send } = build({ answerWithinMs: 20 });
    const answers = [send('a1')];
    await nextRound();
    answers.push(send('b1'));
    const refused = { status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } };
    expect(await Promise.allSettled(answers)).toMatchObject([refused, refused]);
    batches[0]!.done();
    const answer = send('a2');
    await nextRound();
    await nextRound();
    expect(batches.map(namesIn)).toEqual([['a1'], ['a2']]);
    batches[1]!.done();
    expect(await answer).toBe('a2');
  });

  it('does everything once, each key in order, whatever the batches', async () => {
    const plan = fc.record({
      names: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 }),
      limit: fc.integer({ min: 1, max: 3 }),
      aloneMs: fc.integer({ min: 0, max: 2 }),
      maxBatchSize: fc.integer({ min: 1, max: 5 }),
      pauses: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ names, limit, aloneMs, maxBatchSize, pauses }) => {
        const done: string[] = [];
        let underWay = 0;
        const keys = new Set<string>();
        const pause = async () => {
          for (let rounds = pauses.next().value as number; rounds > 0; rounds -= 1) await nextRound();
        };
        const add = createCoalescer<Entry, number>({
          keyOf: ({ key }) => key,
          async run(jobs) {
            underWay += 1;
            expect(underWay).toBeLessThanOrEqual(limit);
            expect(jobs.length).toBeLessThanOrEqual(maxBatchSize);
            const mine = new Set(jobs.map(({ entry }) => entry.key));
            for (const key of mine) expect(keys.has(key)).toBe(false);
            for (const key of mine) keys.add(key);
            await pause();
            for (const key of mine) keys.delete(key);
            for (const { entry, resolve } of jobs) resolve(done.push(nameOf(entry)));
            underWay -= 1;
          },
          limit,
          aloneMs,
          maxBatchSize,
          answerWithinMs: 60_000,
        });
        const answers: Array<Promise<number>> = [];
        for (const [nth, key] of names.entries()) {
          answers.push(add({ key, nth }));
          await pause();
        }
        const places = await Promise.all(answers);
        expect(places.map((place) => done[place - 1])).toEqual(names.map((key, nth) => `${key}${nth}`));
        for (const key of new Set(names)) {
          const ofKey = done.filter((name) => name.startsWith(key)).map((name) => Number(name.slice(1)));
          expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 100 },
    );
  });
});
