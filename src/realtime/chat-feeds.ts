import { NotFoundError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import type { Broker } from './broker.ts';
import { ChatFeed } from './chat-feed.ts';
import type { FeedKind, Listener, Watcher } from './chat-feed.ts';
import { LiveCursor } from './live-cursor.ts';
import type { ChatHead, FeedMessage, FeedSource, Membership, Range } from './source.ts';
import { TAIL_LENGTH } from './tail.ts';
import { chatTopic } from './topics.ts';

/** What a listener reads at a time, from memory or from the database. */
const BATCH = 100;

const MAX_INT = 2_147_483_647;

export interface Committed<Message> {
  head: ChatHead;
  kind: FeedKind;
  message: Message;
}

export interface FollowRequest {
  userId: string;
  kind: FeedKind;
  /** The seq (`added`) or revision (`updated`) behind which to begin. */
  after: number;
  /** The chat as the check of the person's membership found it. */
  head: ChatHead;
}

export interface ChatFeedsOptions<Message extends FeedMessage> {
  source: FeedSource<Message>;
  broker: Broker;
  isTransient: (error: unknown) => boolean;
  /** A read failed; the sweep will try again. */
  onFailure: (error: unknown) => void;
}

export type ChatFeeds<Message extends FeedMessage> = ReturnType<typeof createChatFeeds<Message>>;

/**
 * The feeds of all chats that somebody on this node listens to.
 *
 * Guarantees: a listener is given every message behind its position, in order, each once, for as long as the person is
 * a member; what was committed after the person's removal, never. News comes from this node's own commits, from the
 * broker's hints, and from `sweep`, which compares with the database: a lost hint costs time, nothing else.
 */
export function createChatFeeds<Message extends FeedMessage>(options: ChatFeedsOptions<Message>) {
  const { source, broker } = options;
  const feeds = new Map<string, ChatFeed<Message>>();
  const dirty = new Set<ChatFeed<Message>>();
  let refreshing = false;

  function open(head: ChatHead): ChatFeed<Message> {
    const standing = feeds.get(head.chatId);
    if (standing) {
      if (head.revision > standing.head.revision) markDirty(standing);
      return standing;
    }
    const feed = new ChatFeed<Message>(head);
    feeds.set(feed.chatId, feed);
    feed.subscription = broker.subscribe(chatTopic(feed.chatId), (hint) => {
      if (hint.revision > feed.head.revision) markDirty(feed);
    });
    // What was committed before the broker began to listen was announced to nobody.
    void feed.subscription.ready.then(() => markDirty(feed));
    return feed;
  }

  function closeIfIdle(feed: ChatFeed<Message>) {
    if (!feed.isIdle || feeds.get(feed.chatId) !== feed) return;
    feeds.delete(feed.chatId);
    dirty.delete(feed);
    feed.subscription?.close();
  }

  function markDirty(feed: ChatFeed<Message>) {
    if (feeds.get(feed.chatId) !== feed) return;
    dirty.add(feed);
    if (refreshing) return;
    refreshing = true;
    setImmediate(() => void refresh());
  }

  /** All feeds that have become dirty meanwhile are read together. */
  async function refresh() {
    try {
      while (dirty.size > 0) {
        const batch = [...dirty];
        dirty.clear();
        await compare(batch);
      }
    } catch (error) {
      options.onFailure(error);
    } finally {
      refreshing = false;
    }
  }

  async function compare(batch: ReadonlyArray<ChatFeed<Message>>) {
    if (batch.length === 0) return;
    const changed = await source.findChangedHeads(
      batch.map((feed) => ({ chatId: feed.chatId, revision: feed.head.revision })),
    );
    const moved: Array<{ feed: ChatFeed<Message>; head: ChatHead }> = [];
    for (const { chatId, head } of changed) {
      const feed = feeds.get(chatId);
      if (!feed) continue;
      if (head === null) {
        feed.close();
        closeIfIdle(feed);
      } else if (head.revision > feed.head.revision) moved.push({ feed, head });
    }
    if (moved.length > 0) await advance(moved);
  }

  /**
   * The head was read first, so a removal that came before any message up to it shows in its `membersRevision`:
   * whoever is evicted here is gone before those messages are handed out.
   */
  async function advance(moved: ReadonlyArray<{ feed: ChatFeed<Message>; head: ChatHead }>) {
    await evictFormerMembers(
      moved.filter(({ feed, head }) => head.membersRevision !== feed.head.membersRevision).map(({ feed }) => feed),
    );
    const ranges: Record<FeedKind, Range[]> = { added: [], updated: [] };
    for (const { feed, head } of moved)
      for (const kind of ['added', 'updated'] as const) {
        const after = feed.tails[kind].end;
        const upTo = kind === 'added' ? head.lastSeq : head.revision;
        if (upTo <= after) continue;
        // Nobody listens, or the tail could not hold it: whoever comes reads the database for themself.
        if (!feed.hasListeners(kind) || (kind === 'added' && upTo - after > TAIL_LENGTH))
          feed.tails[kind].restart(upTo);
        else ranges[kind].push({ chatId: feed.chatId, after, upTo, limit: TAIL_LENGTH + 1 });
      }
    const added = groupBy(
      ranges.added.length > 0 ? await source.listAdded(ranges.added) : [],
      (message) => message.chatId,
    );
    const updated = groupBy(
      ranges.updated.length > 0 ? await source.listUpdated(ranges.updated) : [],
      (message) => message.chatId,
    );
    for (const range of ranges.added)
      feeds.get(range.chatId)?.tails.added.append(added.get(range.chatId) ?? [], range.upTo);
    for (const range of ranges.updated) {
      const messages = updated.get(range.chatId) ?? [];
      const tail = feeds.get(range.chatId)?.tails.updated;
      if (messages.length > TAIL_LENGTH) tail?.restart(range.upTo);
      else tail?.append(messages, range.upTo);
    }
    for (const { feed, head } of moved) feed.moveTo(head);
  }

  async function evictFormerMembers(changed: ReadonlyArray<ChatFeed<Message>>) {
    const pairs: Membership[] = changed.flatMap((feed) =>
      [...new Set([...feed.listeners].map((listener) => listener.userId))].map((userId) => ({
        chatId: feed.chatId,
        userId,
      })),
    );
    if (pairs.length === 0) return;
    const standing = new Set((await source.filterMemberships(pairs)).map((pair) => `${pair.chatId} ${pair.userId}`));
    for (const pair of pairs)
      if (!standing.has(`${pair.chatId} ${pair.userId}`)) feeds.get(pair.chatId)?.evict(pair.userId);
  }

  /** What lies behind the position: from memory, or by pages from the database, where membership is asked again. */
  async function readBehind(feed: ChatFeed<Message>, userId: string, kind: FeedKind, position: number) {
    const recent = feed.tails[kind].after(position, BATCH);
    if (recent) return recent;
    const range = { chatId: feed.chatId, after: position, upTo: MAX_INT, limit: BATCH };
    const page = kind === 'added' ? await source.listAdded([range]) : await source.listUpdated([range]);
    const standing = await source.filterMemberships([{ chatId: feed.chatId, userId }]);
    if (standing.length === 0) throw new NotFoundError();
    return page;
  }

  return {
    follow({ userId, kind, after, head }: FollowRequest): LiveCursor<Message> {
      const feed = open(head);
      let position = after;
      const cursor = new LiveCursor<Message>({
        async read() {
          const batch = await readBehind(feed, userId, kind, position);
          const last = batch.at(-1);
          if (last) position = kind === 'added' ? last.seq : (last.revision ?? position);
          return batch;
        },
        isTransient: options.isTransient,
        onEnd() {
          feed.listeners.delete(listener);
          closeIfIdle(feed);
        },
      });
      const listener: Listener<Message> = { userId, kind, cursor };
      feed.listeners.add(listener);
      return cursor;
    },

    /** Calls the watcher after each change of the chat, until the returned function is called. */
    watch(head: ChatHead, watcher: Watcher): () => void {
      const feed = open(head);
      feed.watchers.add(watcher);
      return () => {
        feed.watchers.delete(watcher);
        closeIfIdle(feed);
      };
    },

    /** A message of this node's own was committed: if nothing lies between, listeners have it without a read. */
    committed({ head, kind, message }: Committed<Message>): void {
      const feed = feeds.get(head.chatId);
      if (!feed || head.revision <= feed.head.revision) return;
      const isNext = head.revision === feed.head.revision + 1 && head.membersRevision === feed.head.membersRevision;
      if (!isNext) return markDirty(feed);
      feed.tails.added.append(kind === 'added' ? [message] : [], head.lastSeq);
      feed.tails.updated.append(kind === 'updated' ? [message] : [], head.revision);
      feed.moveTo(head);
    },

    /** Something else in the chat was committed here. */
    changed(chatId: string): void {
      const feed = feeds.get(chatId);
      if (feed) markDirty(feed);
    },

    /** Compares every feed with the database. */
    sweep: (): Promise<void> => compare([...feeds.values()]),

    get size(): number {
      return feeds.size;
    },
  };
}
