import type { ApolloClient } from '@apollo/client';
import type { ParleyCache } from './cache.ts';
import { forgetChat, trimHistory } from './cache.ts';
import { startFollow } from './follow.ts';
import type { Follow, FollowOptions, FollowState } from './follow.ts';
import type { MessageFieldsFragment } from './generated/graphql.ts';
import { createLiveChat } from './live-chat.ts';
import { createLiveChats } from './live-chats.ts';
import { createValue } from './readable.ts';
import type { Readable, Value } from './readable.ts';

/** Of one chat: `Follow`, and where its reader is. */
export interface ChatFollow extends Follow {
  /**
   * Whether the reader is at the newest messages. While every reader of the chat is, the cache keeps the newest few
   * hundred; `loadOlder` says false by itself.
   */
  setAtNewest(isAtNewest: boolean): void;
}

export interface FollowsOptions extends FollowOptions {
  apollo: ApolloClient;
  cache: ParleyCache;
  farBehind: number;
  keptMessages: number;
  onMessages(chatId: string, messages: readonly MessageFieldsFragment[]): void;
  /** Nobody looks at the chat any more. */
  onLeft(chatId: string): void;
}

const LIST = 'chats';

/** One thing that several views may follow: it runs while somebody is signed in. */
interface Shared {
  state: Value<FollowState>;
  running?: Follow;
  unwatch?: () => void;
  views: number;
  isAtNewest: boolean;
}

export interface Follows {
  followChats(): Follow;
  followChat(chatId: string): ChatFollow;
  isFollowed(chatId: string): boolean;
  setAtNewest(chatId: string, isAtNewest: boolean): void;
  /** All of them are up to date; true also of none. */
  readonly isUpToDate: Readable<boolean>;
  /** Somebody has signed in: what is followed begins. */
  resume(): void;
  /** Nobody is signed in: what is followed waits, and knows nothing. */
  suspend(): void;
}

export function createFollows(options: FollowsOptions): Follows {
  const shared = new Map<string, Shared>();
  const revisions = new Map<string, number>();
  const isUpToDate = createValue(true);
  let isRunning = false;

  function measure() {
    const states = [...shared.values()].map(({ state }) => state.get().status);
    isUpToDate.set(!states.includes('catchingUp'));
  }

  function run(key: string, one: Shared) {
    const followed =
      key === LIST
        ? createLiveChats(options)
        : createLiveChat(key, {
            ...options,
            revisions,
            isAtNewest: () => one.isAtNewest,
            onMessages: (messages) => options.onMessages(key, messages),
          });
    const running = startFollow(followed, options);
    one.running = running;
    one.unwatch = running.state.subscribe(() => {
      const state = running.state.get();
      if (state.status === 'ended') forgetChat(options.cache, key);
      one.state.set(state);
    });
    one.state.set(running.state.get());
  }

  function halt(one: Shared) {
    one.unwatch?.();
    one.running?.stop();
    delete one.running;
  }

  function join(key: string): { one: Shared; follow: Follow } {
    let one = shared.get(key);
    // Of one that has ended, a view that asks again may hear something else: the person may have been added again.
    if (one?.state.get().status === 'ended') one = undefined;
    if (!one) {
      one = { state: createValue<FollowState>({ status: 'catchingUp' }), views: 0, isAtNewest: true };
      one.state.subscribe(measure);
      shared.set(key, one);
      if (isRunning) run(key, one);
      measure();
    }
    const joined = one;
    joined.views += 1;
    let isStopped = false;
    const stop = () => {
      if (isStopped) return;
      isStopped = true;
      joined.views -= 1;
      if (joined.views === 0) leave(key, joined);
    };
    return { one: joined, follow: { state: joined.state, stop } };
  }

  function leave(key: string, one: Shared) {
    halt(one);
    if (shared.get(key) !== one) return;
    shared.delete(key);
    measure();
    if (key !== LIST) {
      trimHistory(options.cache, key, options.keptMessages);
      options.onLeft(key);
    }
  }

  function setAtNewest(chatId: string, isAtNewest: boolean) {
    const one = shared.get(chatId);
    if (!one) return;
    one.isAtNewest = isAtNewest;
    if (isAtNewest) trimHistory(options.cache, chatId, options.keptMessages);
  }

  return {
    isUpToDate,
    followChats: () => join(LIST).follow,
    followChat(chatId) {
      const { follow } = join(chatId);
      return { ...follow, setAtNewest: (isAtNewest) => setAtNewest(chatId, isAtNewest) };
    },
    isFollowed: (chatId) => shared.get(chatId)?.running !== undefined,
    setAtNewest,
    resume() {
      isRunning = true;
      for (const [key, one] of shared) if (!one.running) run(key, one);
    },
    suspend() {
      isRunning = false;
      revisions.clear();
      for (const one of shared.values()) {
        halt(one);
        one.state.set({ status: 'catchingUp' });
      }
    },
  };
}
