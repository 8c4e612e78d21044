import { setImmediate as nextTurn } from 'node:timers/promises';
import { NO_METRICS } from '../metrics/metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createBreather } from './breather.ts';
import type { Breathe } from './breather.ts';
import type { Broker, BrokerSubscription } from './broker.ts';
import type { ChatFeeds } from './chat-feeds.ts';
import { createGatherer } from './gatherer.ts';
import { LiveCursor } from './live-cursor.ts';
import type { FeedMessage, FeedSource, UserChats } from './source.ts';
import { Tidings } from './tidings.ts';
import { userTopic } from './topics.ts';

interface UserListener {
  /** Chats that changed since they were last handed out: each at most once, however often it changed. */
  pending: Set<string>;
  wake: () => void;
}

interface UserFeed {
  userId: string;
  revision: number;
  /** What to call to stop watching each of the person's chats. */
  watched: Map<string, () => void>;
  /** The end of the states that are being applied, one after the other. */
  applied: Promise<void>;
  listeners: Set<UserListener>;
  tidings: Tidings;
  subscription: BrokerSubscription;
}

export interface UserFeedsOptions<Message extends FeedMessage> {
  source: FeedSource<Message>;
  broker: Broker;
  chatFeeds: ChatFeeds<Message>;
  /** What work for subscribers waits for. Default: what there is to do for others of these feeds. */
  breathe?: Breathe | undefined;
  isTransient: (error: unknown) => boolean;
  onFailure: (error: unknown) => void;
  /** Default: nobody asks. */
  metrics?: Metrics | undefined;
}

export interface UserFollowRequest<Chat> {
  userId: string;
  /** The horizon of what the listener has; null: what changes from now on. */
  after: bigint | null;
  /** Answers those of the chats that the person may see, as they are now. */
  load: (chatIds: string[]) => Promise<Chat[]>;
}

/** People whose chats one statement reads: each may have hundreds. */
const READ_TOGETHER = 100;

/** Chats that are begun or ceased to be watched in one turn of the event loop: each is a subscription at the broker. */
const WATCHED_TOGETHER = 50;

export type UserFeeds = ReturnType<typeof createUserFeeds>;

/**
 * Which chats of a person changed, for people who listen on this node. Changes that come together are one: who asks
 * is given the chat as it is by then.
 *
 * Guarantee: a listener is told of every change that came after the state it was opened with was read, also while the
 * feed still goes through somebody's thousands of chats, some in each turn. Until a chat is watched, its feed moves
 * without a word to the person's; when its turn comes, it is told of if it is ahead of the head known by then.
 */
export function createUserFeeds<Message extends FeedMessage>(options: UserFeedsOptions<Message>) {
  const { source, broker, chatFeeds, breathe = createBreather(), metrics = NO_METRICS } = options;
  const onTaken = () => metrics.delivered('own', 1);
  const feeds = new Map<string, UserFeed>();
  const dirty = createGatherer<UserFeed>(refresh, options.onFailure);

  function announce(feed: UserFeed, chatId: string) {
    for (const listener of feed.listeners) {
      listener.pending.add(chatId);
      listener.wake();
    }
  }

  /** Watches what is new, lets go of what is gone, and announces what changed for this person alone. */
  async function apply(feed: UserFeed, state: UserChats) {
    const { revision } = feed;
    // Before anything is announced: who comes meanwhile with an older state reads again (see `follow`).
    feed.revision = Math.max(feed.revision, state.revision);
    const standing = new Set(state.chats.map((chat) => chat.chatId));
    const gone = [...feed.watched.keys()].filter((chatId) => !standing.has(chatId));
    await unwatch(feed, gone);
    await watch(feed, state.chats, (chat, isNew) => isNew || chat.userRevision > revision);
  }

  async function unwatch(feed: UserFeed, chatIds: readonly string[]) {
    for (const [index, chatId] of chatIds.entries()) {
      if (index > 0 && index % WATCHED_TOGETHER === 0) await nextTurn();
      feed.watched.get(chatId)?.();
      feed.watched.delete(chatId);
    }
  }

  /** Announces the chats that are news. */
  async function watch(
    feed: UserFeed,
    chats: UserChats['chats'],
    isNews: (chat: UserChats['chats'][number], isNew: boolean) => boolean,
  ) {
    let begun = 0;
    for (const chat of chats) {
      const { chatId } = chat;
      const isNew = !feed.watched.has(chatId);
      if (isNew) {
        if (begun > 0 && begun % WATCHED_TOGETHER === 0) await nextTurn();
        if (feeds.get(feed.userId) !== feed) return;
        begun += 1;
        feed.watched.set(
          chatId,
          chatFeeds.watch(chat, () => announce(feed, chatId)),
        );
      }
      if (isNews(chat, isNew)) announce(feed, chatId);
    }
  }

  function markDirty(feed: UserFeed) {
    if (feeds.get(feed.userId) === feed) dirty.add(feed);
  }

  /** Nobody waits for it: the next round is for other people. */
  function enqueue(feed: UserFeed, work: () => Promise<void>) {
    feed.applied = feed.applied.then(work).catch(options.onFailure);
  }

  async function refresh(behind: readonly UserFeed[]) {
    for (let first = 0; first < behind.length; first += READ_TOGETHER) {
      const together = new Map(behind.slice(first, first + READ_TOGETHER).map((feed) => [feed.userId, feed]));
      for (const state of await source.findUserChats([...together.keys()])) {
        const feed = together.get(state.userId)!;
        if (feeds.get(feed.userId) === feed) enqueue(feed, () => apply(feed, state));
      }
    }
  }

  /** One that stands knows more than `state`, which was read before this call: it stays as it is. */
  function open(userId: string, state: UserChats): UserFeed {
    const standing = feeds.get(userId);
    if (standing) return standing;
    const feed: UserFeed = {
      userId,
      revision: state.revision,
      watched: new Map(),
      applied: Promise.resolve(),
      listeners: new Set(),
      tidings: new Tidings(),
      subscription: broker.subscribe(userTopic(userId), (hint) => {
        feed.tidings.told(hint.revision);
        if (hint.revision > feed.revision) markDirty(feed);
      }),
    };
    feeds.set(userId, feed);
    // Only of what its opener may have missed: the chats are no news.
    feed.applied = watch(feed, state.chats, (chat, isNew) => isNew && chatFeeds.isAhead(chat)).catch(options.onFailure);
    void feed.subscription.ready.then(() => {
      feed.tidings.toldOfAll();
      markDirty(feed);
    });
    return feed;
  }

  function closeIfIdle(feed: UserFeed) {
    if (feed.listeners.size > 0) return;
    feeds.delete(feed.userId);
    dirty.drop(feed);
    feed.subscription.close();
    enqueue(feed, () => unwatch(feed, [...feed.watched.keys()]));
  }

  return {
    /** Null when the person has no account. */
    async follow<Chat>({ userId, after, load }: UserFollowRequest<Chat>): Promise<LiveCursor<Chat> | null> {
      let [state] = await source.findUserChats([userId]);
      // What the feed announced while this was read, it announced to others alone.
      while (state && (feeds.get(userId)?.revision ?? 0) > state.revision)
        [state] = await source.findUserChats([userId]);
      if (!state) return null;
      const feed = open(userId, state);
      const pending = new Set(after === null ? [] : changedSince(state, after));
      for (const chat of state.chats) if (chatFeeds.isAhead(chat)) pending.add(chat.chatId);
      /** The chat that was read last. */
      let inHand: string | undefined;
      const cursor = new LiveCursor<Chat>({
        // One at a time: a chat that waits behind others is read when its turn comes, with the right to see it.
        async read() {
          const [chatId] = pending;
          if (chatId === undefined) return [];
          pending.delete(chatId);
          inHand = chatId;
          try {
            const chats = await load([chatId]);
            // It may not be seen any more: there may be others behind it.
            if (chats.length === 0 && pending.size > 0) cursor.wake();
            return chats;
          } catch (error) {
            pending.add(chatId);
            throw error;
          }
        },
        breathe: () => breathe(userId),
        // The person may have been removed while it waited: it is read again, with the right to see it.
        isOutdated() {
          if (inHand === undefined || feed.watched.has(inHand)) return false;
          pending.add(inHand);
          return true;
        },
        isTransient: options.isTransient,
        onTaken,
        onEnd() {
          feed.listeners.delete(listener);
          closeIfIdle(feed);
        },
      });
      const listener: UserListener = { pending, wake: () => cursor.wake() };
      feed.listeners.add(listener);
      return cursor;
    },

    /** Something that concerns this person alone was committed here. */
    changed(userId: string): void {
      const feed = feeds.get(userId);
      if (!feed) return;
      feed.tidings.toldOfAll();
      markDirty(feed);
    },

    async sweep(): Promise<void> {
      if (feeds.size === 0) return;
      for (const feed of feeds.values()) if (feed.tidings.takeLoss()) metrics.hintLossHealed('user');
      const known = [...feeds.values()].map(({ userId, revision }) => ({ userId, revision }));
      for (const { userId, revision } of await source.findChangedUsers(known)) {
        const feed = feeds.get(userId);
        if (!feed) continue;
        if (revision > feed.revision) feed.tidings.found(revision);
        markDirty(feed);
      }
    },
  };
}

/** Every chat that may have changed since; all, for a horizon of another database, from before it was restored. */
function changedSince({ chats, horizon }: UserChats, after: bigint): string[] {
  return chats.filter((chat) => after > horizon || chat.changedIn >= after).map((chat) => chat.chatId);
}
