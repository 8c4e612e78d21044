import { isTransient, toParleyError } from './errors.ts';
import type { ParleyError } from './errors.ts';
import { createValue } from './readable.ts';
import type { Readable } from './readable.ts';
import type { Socket } from './socket.ts';
import type { Waiting } from './waiting.ts';

export type FollowState =
  | { status: 'catchingUp' }
  | { status: 'live' }
  /** NOT_FOUND: removed from the chat, or it is gone. */
  | { status: 'ended'; code: string };

export interface Follow {
  readonly state: Readable<FollowState>;
  stop(): void;
}

/**
 * What is followed: a chat, or the list of chats. Once the signal is aborted, nothing is written and nothing is
 * subscribed any more.
 */
export interface Followed {
  /** Reads what there is, and subscribes from there on. `fail` is told what ends a subscription. */
  begin(signal: AbortSignal, fail: (error: ParleyError) => void): Promise<void>;
  /** Called with each new connection. Resolves once all is here that was there when it was called. */
  catchUp(signal: AbortSignal): Promise<void>;
  /** Lets go of the subscriptions; `begin` may come again. */
  end(): void;
}

export interface FollowOptions {
  socket: Socket;
  waiting: Waiting;
}

/** No later attempt would be answered otherwise. */
const OVER = new Set(['NOT_FOUND', 'FORBIDDEN']);

/** Begins, begins again after whatever went wrong, and knows whether it is up to date. */
export function startFollow(followed: Followed, { socket, waiting }: FollowOptions): Follow {
  const state = createValue<FollowState>({ status: 'catchingUp' });
  /** Of the present beginning: what an earlier one started has no say any more. */
  let current = new AbortController();
  let hasBegun = false;
  let attempt = 0;

  /** Ends what runs, and answers the signal of what comes. */
  function renew(): AbortSignal {
    current.abort();
    current = new AbortController();
    hasBegun = false;
    followed.end();
    return current.signal;
  }

  async function begin(signal: AbortSignal) {
    try {
      await followed.begin(signal, (error) => {
        if (!signal.aborted) recover(error);
      });
      if (signal.aborted) return;
      hasBegun = true;
      await catchUp(signal);
    } catch (error) {
      if (!signal.aborted) recover(toParleyError(error));
    }
  }

  function recover(error: ParleyError) {
    const signal = renew();
    if (OVER.has(error.code)) return finish({ status: 'ended', code: error.code });
    state.set({ status: 'catchingUp' });
    void beginLater(signal);
  }

  async function beginLater(signal: AbortSignal) {
    await waiting.backOff(attempt++);
    if (!signal.aborted) await begin(signal);
  }

  /** Of one connection; what fails in passing is no reason to let go of subscriptions that stand. */
  async function catchUp(signal: AbortSignal) {
    const connection = socket.connection.get();
    const isOver = () => signal.aborted || connection !== socket.connection.get();
    for (let tries = 0; !isOver() && connection !== null; tries += 1) {
      try {
        await followed.catchUp(signal);
        if (isOver()) return;
        attempt = 0;
        return state.set({ status: 'live' });
      } catch (thrown) {
        const error = toParleyError(thrown);
        if (isOver()) return;
        if (!isTransient(error)) return recover(error);
        await waiting.backOff(tries);
      }
    }
  }

  const unwatch = socket.connection.subscribe(() => {
    if (state.get().status === 'live') state.set({ status: 'catchingUp' });
    if (hasBegun) void catchUp(current.signal);
  });

  function finish(last?: FollowState) {
    unwatch();
    renew();
    current.abort();
    if (last) state.set(last);
  }

  void begin(current.signal);
  return { state, stop: () => finish() };
}
