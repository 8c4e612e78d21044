import type { ExecutionResult } from 'graphql';
import type { Outlet } from '../realtime/lane.ts';

/** A result that is written already; Yoga takes it from `stringify`. */
type Result = ExecutionResult & { stringify?: () => string };

export interface Inlet extends Outlet {
  /** The results of the source, and between them what is pushed. To be called once. */
  join(source: AsyncIterable<ExecutionResult>): AsyncIterableIterator<Result>;
}

/**
 * Where answers that were made for many come into the stream of one subscriber. They are taken only while the stream
 * is waited on, so that there is never more of them than one push brings; and dropped when the source fails before they
 * are read, as whatever the source itself has in hand.
 */
export function createInlet(): Inlet {
  let pushed: string[] = [];
  let wake: (() => void) | undefined;
  /** What the source has said last, if it was not handed on yet. */
  let said: (() => IteratorResult<Result>) | undefined;
  let isAsked = false;

  function tell() {
    const waiting = wake;
    wake = undefined;
    waiting?.();
  }

  async function ask(own: AsyncIterator<ExecutionResult>): Promise<void> {
    isAsked = true;
    try {
      const step = await own.next();
      said = () => step;
    } catch (error) {
      pushed = [];
      said = () => {
        throw error;
      };
    }
    tell();
  }

  const isFree = () => wake !== undefined;

  return {
    isFree,

    push(answers) {
      if (!isFree()) return false;
      pushed.push(...answers);
      tell();
      return true;
    },

    join(source) {
      const own = source[Symbol.asyncIterator]();
      return {
        async next() {
          for (;;) {
            const answer = pushed.shift();
            if (answer !== undefined) return { done: false, value: { stringify: () => answer } };
            if (said) {
              const hand = said;
              said = undefined;
              isAsked = false;
              return hand();
            }
            if (!isAsked) void ask(own);
            await new Promise<void>((resolve) => (wake = resolve));
          }
        },
        return: async () => (await own.return?.()) ?? { done: true, value: undefined },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}
