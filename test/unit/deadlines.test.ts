import type { ExecutionResult } from 'graphql';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Context } from '../../src/graphql/context.ts';
import { Deadline } from '../../src/graphql/deadline.ts';
import { createDeadlines, findTimeout } from '../../src/graphql/deadlines.ts';
import type { Deadlines } from '../../src/graphql/deadlines.ts';
import { deferred } from '../support/wait.ts';

let deadlines: Deadlines;
beforeEach(() => {
  vi.useFakeTimers();
  deadlines = createDeadlines();
});
afterEach(() => {
  deadlines.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** An operation under way, what it is answered, and what becomes of its context. */
function begin(deadline = new Deadline(() => false)) {
  const context = { deadline, services: {}, loaders: {}, prisma: {} } as unknown as Context;
  const work = deferred<ExecutionResult>();
  const answers: ExecutionResult[] = [];
  void deadlines.keep(context, work.promise).then((answer) => answers.push(answer));
  return { context, answers, finish: work.resolve };
}

const done = { data: { me: { id: '1' } } };

it('answers what was answered in time', async () => {
  const { context, answers, finish } = begin();
  await vi.advanceTimersByTimeAsync(9_900);
  finish(done);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(answers).toEqual([done]);
  expect(context.deadline.isCancelled).toBe(false);
  expect(context.services).toEqual({});
});

it('answers TIMEOUT after 10 s, and from then on the context gives nothing', async () => {
  const { context, answers, finish } = begin();
  await vi.advanceTimersByTimeAsync(10_100);
  expect(answers).toHaveLength(1);
  expect(findTimeout(answers[0]!)?.originalError).toMatchObject({ code: 'TIMEOUT', extensions: { retryable: true } });
  expect(context.deadline.isCancelled).toBe(true);
  for (const name of ['services', 'loaders', 'prisma'] as const)
    expect(() => context[name]).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
  finish(done);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(answers).toHaveLength(1);
});

it('counts from when the operation was taken, not from when its execution began', async () => {
  const deadline = new Deadline(() => false);
  await vi.advanceTimersByTimeAsync(7_000);
  const late = begin(deadline);
  await vi.advanceTimersByTimeAsync(3_100);
  expect(late.answers.map(findTimeout)).toEqual([expect.anything()]);
});

it('closes the context of a client who has gone, and ends with the work itself', async () => {
  let isGone = false;
  const { context, answers, finish } = begin(new Deadline(() => isGone));
  await vi.advanceTimersByTimeAsync(1_000);
  isGone = true;
  expect(context.deadline.isCancelled).toBe(true);
  await vi.advanceTimersByTimeAsync(100);
  expect(() => context.services).toThrow('too long');
  await vi.advanceTimersByTimeAsync(20_000);
  expect(answers).toEqual([]);
  finish(done);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toEqual([done]);
});

it('takes only an answer without data for the operation’s own timeout', async () => {
  const { answers } = begin();
  await vi.advanceTimersByTimeAsync(10_100);
  expect(findTimeout({ ...answers[0]!, data: {} })).toBeUndefined();
  expect(findTimeout(done)).toBeUndefined();
});
