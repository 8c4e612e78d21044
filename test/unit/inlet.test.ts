import { setImmediate as macrotask } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ExecutionResult } from 'graphql';
import { createInlet } from '../../src/server/inlet.ts';
import { deferred } from '../support/wait.ts';

/** A source that says what the test lets it say. */
function createSource() {
  const steps = [deferred<ExecutionResult | Error | null>()];
  let taken = 0;
  const source: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      const result = await steps[taken]!.promise;
      taken += 1;
      if (result instanceof Error) throw result;
      return result ? { done: false, value: result } : { done: true, value: undefined };
    },
    return: async () => {
      steps[taken]!.resolve(null);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => source,
  };
  const say = (result: ExecutionResult | Error | null) => {
    const current = steps.at(-1)!;
    steps.push(deferred());
    current.resolve(result);
  };
  return { source, say };
}

function setUp() {
  const { source, say } = createSource();
  const inlet = createInlet();
  const stream = inlet.join(source);
  const push = (answers: string[]) => {
    const isFree = inlet.isFree();
    const isTaken = inlet.push(answers);
    expect(isTaken).toBe(isFree);
    return isTaken;
  };
  const read = async () => {
    const { value, done } = await stream.next();
    return done ? 'the end' : (value.stringify?.() ?? JSON.stringify(value));
  };
  return { push, say, read, stream };
}

describe('an inlet', () => {
  it('takes answers only while the stream is waited on, and hands them on in order', async () => {
    const { push, say, read } = setUp();
    expect(push(['too early'])).toBe(false);
    const first = read();
    expect(push(['1', '2'])).toBe(true);
    expect(push(['too much'])).toBe(false);
    expect([await first, await read()]).toEqual(['1', '2']);
    const third = read();
    say({ data: { own: 3 } });
    expect(await third).toBe('{"data":{"own":3}}');
    const fourth = read();
    expect(push(['4'])).toBe(true);
    expect(await fourth).toBe('4');
  });

  it('puts what the source says behind what was pushed before', async () => {
    const { push, say, read } = setUp();
    const first = read();
    push(['1', '2']);
    say({ data: { own: 3 } });
    await macrotask();
    expect([await first, await read(), await read()]).toEqual(['1', '2', '{"data":{"own":3}}']);
    const end = read();
    say(null);
    expect(await end).toBe('the end');
  });

  it('drops what was not read when the source fails', async () => {
    const { push, say, read } = setUp();
    const first = read();
    push(['1', '2']);
    expect(await first).toBe('1');
    say(new Error('removed'));
    await macrotask();
    await expect(read()).rejects.toThrow('removed');
  });

  it('ends with the source when the reader leaves', async () => {
    const { stream, read, push } = setUp();
    const waiting = read();
    await stream.return!();
    expect(await waiting).toBe('the end');
    expect(push(['too late'])).toBe(false);
  });
});
