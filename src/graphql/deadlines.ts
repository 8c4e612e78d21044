import { GraphQLError } from 'graphql';
import type { ExecutionResult } from 'graphql';
import { TimeoutError } from '../errors.ts';
import { Slots } from '../slots.ts';
import { closeContext } from './context.ts';
import type { Context } from './context.ts';

const LOOK_EVERY_MS = 100;

interface Running {
  context: Context;
  answer: (result: ExecutionResult) => void;
  /** Its context gives nothing any more; its work has not ended yet. */
  isClosed: boolean;
}

export interface Deadlines {
  /**
   * The result, or TIMEOUT when the time of the context's deadline is over before. An operation that is not waited for
   * any more gets nothing from its context from then on; one whose client has gone ends by that, and is never reported
   * as ended before it has.
   */
  keep(context: Context, result: Promise<ExecutionResult>): Promise<ExecutionResult>;
  stop(): void;
}

/** Looks after all operations that are under way, with one timer. */
export function createDeadlines(): Deadlines {
  const underWay = new Slots<Running>();

  const timer = setInterval(() => {
    const now = performance.now();
    underWay.forEach((running) => look(running, now));
  }, LOOK_EVERY_MS).unref();

  return {
    keep: (context, result) =>
      new Promise((resolve, reject) => {
        const slot = underWay.take({ context, answer: resolve, isClosed: false });
        result.then(
          (answer) => {
            underWay.free(slot);
            resolve(answer);
          },
          (error: Error) => {
            underWay.free(slot);
            reject(error);
          },
        );
      }),

    stop: () => clearInterval(timer),
  };
}

function look(running: Running, now: number): void {
  const { context, answer, isClosed } = running;
  const isPast = context.deadline.passes(now);
  if (isClosed || !(isPast || context.deadline.isCancelled)) return;
  running.isClosed = true;
  closeContext(context);
  if (isPast) answer(timedOut());
}

export function timedOut(): ExecutionResult {
  const originalError = new TimeoutError();
  return { errors: [new GraphQLError(originalError.message, { originalError })] };
}

/** The error of an operation that has nothing else for an answer. */
export function findTimeout({ data, errors }: ExecutionResult): GraphQLError | undefined {
  return data === undefined ? errors?.find(({ originalError }) => originalError instanceof TimeoutError) : undefined;
}
