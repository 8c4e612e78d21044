import { NotFoundError } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import { NO_METRICS } from '../metrics/metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createBreather } from './breather.ts';
import type { Breathe } from './breather.ts';
import type { Broker } from './broker.ts';
import { ChatFeed } from './chat-feed.ts';
import type { FeedKind, Listener, Watcher } from './chat-feed.ts';
import { createGatherer } from './gatherer.ts';
import { LiveCursor } from './live-cursor.ts';
import type { Share } from './lane.ts';
import type { ChatHead, FeedMessage, FeedSource, Membership, Range } from './source.ts';
import { TAIL_LENGTH } from './tail.ts';
import { chatTopic } from './topics.ts';

/** What a listener reads at a time, from memory or from the database. */
const BATCH = 100;
/** The first time, when nobody knows how long its messages are. */
const FIRST_BATCH = 25;
/** What of it a listener keeps until it has taken it: somebody may listen to thousands of chats, and take nothing. */
const BATCH_CHARACTERS = 64 * 1024;

const MAX_INT = 2_147_483_647;

export interface Committed<Message> {
  head: ChatHead;
  kind: FeedKind;
  message: Message;
}

export interface FollowRequest<Message> {
  userId: string;
  kind: FeedKind;
  /** The seq (`added`) or revision (`updated`) behind which to begin. */
  after: number;
  /** The chat as the check of the person's membership found it. */
  head: ChatHead;
  /** What the listener has in common with others; absent: nothing. */
  share?: Share<Message> | undefined;
}

export interface ChatFeedsOptions<Message extends FeedMessage> {
  source: FeedSource<Message>;
  broker: Broker;
  /** How much of what somebody wrote the message holds. */
  charactersOf: (message: Message) => number;
  /** When a person's listeners may read behind what memory holds. Default: at once. */
  inTurn?: (<T>(userId: string, read: () => Promise<T>) => Promise<T>) | undefined;
  /** What work for subscribers waits for. Default: what there is to do for others of these feeds. */
  breathe?: Breathe | undefined;
  isTransient: (error: unknown) => boolean;
  /** A read failed; the sweep will try again. */
  onFailure: (error: unknown) => void;
  /** Default: nobody asks. */
  metrics?: Metrics | undefined;
}

export type ChatFeeds<Message extends FeedMessage> = ReturnType<typeof createChatFeeds<Message>>;

/**
 * The feeds of all chats that somebody on this node listens to.
 *
 * Guarantees: a listener is given every message behind its position, in order, each once, for as long as the person is
 * a member; what was committed after the person's removal, never. News comes from this node's own commits, from the
 * broker's hints, and from `sweep`, which compares with the database: a lost hint costs time, nothing else. All of this
 * holds whether a listener reads by its cursor or is handed what it shares with others.
 */
export function createChatFeeds<Message extends FeedMessage>(options: ChatFeedsOptions<Message>) {
  const { source, broker, charactersOf, breathe = createBreather(), onFailure, metrics = NO_METRICS } = options;
  const inTurn = options.inTurn ?? ((_userId, read) => read());
  const onTaken = () => metrics.delivered('own', 1);
  const feeds = new Map<string, ChatFeed<Message>>();
  /** Feeds that may be behind; all of a round are read together. */
  const dirty = createGatherer<ChatFeed<Message>>((batch) => compare(batch), onFailure);

  interface Move {
    feed: ChatFeed<Message>;
    head: ChatHead;
  }

  const byChat = (messages: readonly Message[]) => groupBy(messages, (message) => message.chatId);

  function open(head: ChatHead): ChatFeed<Message> {
    const standing = feeds.get(head.chatId);
    if (standing) {
      if (head.revision > standing.head.revision) markDirty(standing);
      return standing;
    }
    const feed = new ChatFeed<Message>(head, { charactersOf, breathe, onFailure, metrics });
    feeds.set(feed.chatId, feed);
    feed.subscription = broker.subscribe(chatTopic(feed.chatId), (hint) => {
      feed.tidings.told(hint.revision);
      if (hint.revision > feed.head.revision) markDirty(feed);
    });
    // What was committed before the broker began to listen was announced to nobody.
    void feed.subscription.ready.then(() => {
      feed.tidings.toldOfAll();
      markDirty(feed);
    });
    return feed;
  }

  function closeIfIdle(feed: ChatFeed<Message>) {
    if (!feed.isIdle || feeds.get(feed.chatId) !== feed) return;
    feeds.delete(feed.chatId);
    dirty.drop(feed);
    feed.subscription?.close();
  }

  function markDirty(feed: ChatFeed<Message>) {
    if (feeds.get(feed.chatId) === feed) dirty.add(feed);
  }

  /** `onMoved` is told of each that was behind. */
  async function compare(
    batch: ReadonlyArray<ChatFeed<Message>>,
    onMoved?: (feed: ChatFeed<Message>, revision: number) => void,
  ) {
    if (batch.length === 0) return;
    const changed = await source.findChangedHeads(
      batch.map((feed) => ({ chatId: feed.chatId, revision: feed.head.revision })),
    );
    const moved: Move[] = [];
    for (const { chatId, head } of changed) {
      const feed = feeds.get(chatId);
      if (!feed) continue;
      if (head === null) {
        feed.close();
        closeIfIdle(feed);
      } else if (head.revision > feed.head.revision) {
        onMoved?.(feed, head.revision);
        moved.push({ feed, head });
      }
    }
    if (moved.length > 0) await advance(moved);
  }

  /**
   * The head was read first, so a removal that came before any message up to it shows in its `membersRevision`:
   * whoever is evicted here is gone before those messages are handed out.
   */
  async function advance(moved: readonly Move[]) {
    await evictFormerMembers(moved.filter(({ feed, head }) => head.membersRevision !== feed.head.membersRevision));
    const ranges: Record<FeedKind, Array<Range & Pick<Move, 'feed'>>> = { added: [], updated: [] };
    for (const { feed, head } of moved)
      for (const kind of ['added', 'updated'] as const) {
        const after = feed.tails[kind].end;
        const upTo = kind === 'added' ? head.lastSeq : head.revision;
        // Nobody listens, or the tail could not hold it: whoever comes reads the database for themself.
        if (feed.listeners.size === 0 || (kind === 'added' && upTo - after > TAIL_LENGTH))
          feed.tails[kind].restart(upTo);
        else if (upTo > after) ranges[kind].push({ feed, chatId: feed.chatId, after, upTo, limit: TAIL_LENGTH + 1 });
      }
    const added = byChat(ranges.added.length > 0 ? await source.listAdded(ranges.added) : []);
    const updated = byChat(ranges.updated.length > 0 ? await source.listUpdated(ranges.updated) : []);
    for (const { feed, chatId, upTo } of ranges.added) feed.takeAdded(added.get(chatId) ?? [], upTo);
    for (const { feed, chatId, upTo } of ranges.updated) {
      const messages = updated.get(chatId) ?? [];
      if (messages.length > TAIL_LENGTH) {
        feed.tails.updated.restart(upTo);
        feed.tails.added.restart(feed.tails.added.end);
      } else {
        feed.tails.updated.append(messages, upTo);
        for (const message of messages) feed.refreshAdded(message);
      }
    }
    for (const { feed, head } of moved) feed.moveTo(head);
  }

  async function evictFormerMembers(changed: readonly Move[]) {
    const pairs: Membership[] = changed.flatMap(({ feed }) =>
      [...new Set([...feed.listeners].map(({ userId }) => userId))].map((userId) => ({ chatId: feed.chatId, userId })),
    );
    if (pairs.length === 0) return;
    const asked = new Set(pairs.map(toKey));
    const standing = new Set((await source.filterMemberships(pairs)).map(toKey));
    for (const { feed, head } of changed)
      for (const listener of [...feed.listeners]) {
        const key = toKey({ chatId: feed.chatId, userId: listener.userId });
        if (standing.has(key)) listener.memberAsOf = Math.max(listener.memberAsOf, head.membersRevision);
        else if (asked.has(key)) feed.evict(listener.userId);
      }
  }

  /** What lies behind the listener's position: from memory, or by pages from the database. */
  async function readBehind(feed: ChatFeed<Message>, listener: Listener<Message>): Promise<Message[]> {
    const { kind, userId, position } = listener;
    listener.lane?.leave(listener);
    const tail = feed.tails[kind];
    // A removal may have overtaken the check that the listener came with: then membership is asked again.
    const recent = feed.isKnownMember(listener) ? tail.after(position, BATCH) : null;
    if (recent) {
      if (recent.length > 0) listener.position = tail.keyOf(recent.at(-1)!);
      else listener.lane?.join(listener);
      return recent;
    }
    return inTurn(userId, () => readDatabase(feed, listener));
  }

  async function readDatabase(feed: ChatFeed<Message>, listener: Listener<Message>): Promise<Message[]> {
    // It has left while others had their turn.
    if (!feed.listeners.has(listener)) return [];
    const { kind, userId, position, batch } = listener;
    const { membersRevision } = feed.head;
    const tail = feed.tails[kind];
    const { end } = tail;
    const range = { chatId: feed.chatId, after: position, upTo: MAX_INT, limit: batch };
    const found = kind === 'added' ? await source.listAdded([range]) : await source.listUpdated([range]);
    // Asked after the page was read, so that nothing in it is younger than the answer.
    const standing = await source.filterMemberships([{ chatId: feed.chatId, userId }]);
    if (standing.length === 0) throw new NotFoundError();
    listener.memberAsOf = Math.max(listener.memberAsOf, membersRevision);
    const page = cut(found);
    if (page.length > 0) listener.position = tail.keyOf(page.at(-1)!);
    // The last page: what memory held before it was read is behind the listener, too.
    if (found.length < batch && page.length === found.length) listener.position = Math.max(listener.position, end);
    // What is left out now is read once more.
    listener.batch = Math.min(BATCH, 2 * (page.length < found.length ? page.length : batch));
    return page;
  }

  /** To what may be kept, or to a single message. */
  function cut(messages: Message[]): Message[] {
    let characters = 0;
    const tooMany = messages.findIndex((message) => (characters += charactersOf(message)) > BATCH_CHARACTERS);
    return tooMany < 0 ? messages : messages.slice(0, Math.max(1, tooMany));
  }

  return {
    follow({ userId, kind, after, head, share }: FollowRequest<Message>): LiveCursor<Message> {
      const feed = open(head);
      const listener: Listener<Message> = {
        userId,
        kind,
        position: after,
        memberAsOf: head.membersRevision,
        lane: share ? feed.laneOf(kind, share, userId) : null,
        waitsInLane: false,
        batch: FIRST_BATCH,
        outlet: share?.outlet ?? null,
        cursor: new LiveCursor<Message>({
          read: () => readBehind(feed, listener),
          breathe: () => breathe(userId),
          isTransient: options.isTransient,
          onTaken,
          onEnd() {
            feed.remove(listener);
            closeIfIdle(feed);
          },
        }),
      };
      feed.add(listener);
      return listener.cursor;
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

    /** Whether the chat's feed has moved past the head: who begins to watch with that head was told of nothing since. */
    isAhead: (head: ChatHead): boolean => (feeds.get(head.chatId)?.head.revision ?? 0) > head.revision,

    /** A message of this node's own was committed: if nothing lies between, listeners have it without a read. */
    committed({ head, kind, message }: Committed<Message>): void {
      const feed = feeds.get(head.chatId);
      if (!feed) return;
      feed.tidings.told(head.revision);
      if (head.revision <= feed.head.revision) return;
      const isNext = head.revision === feed.head.revision + 1 && head.membersRevision === feed.head.membersRevision;
      if (!isNext) return markDirty(feed);
      feed.takeAdded(kind === 'added' ? [message] : [], head.lastSeq);
      feed.tails.updated.append(kind === 'updated' ? [message] : [], head.revision);
      if (kind === 'updated') feed.refreshAdded(message);
      feed.moveTo(head);
    },

    /** Something else in the chat was committed here. */
    changed(chatId: string): void {
      const feed = feeds.get(chatId);
      if (!feed) return;
      feed.tidings.toldOfAll();
      markDirty(feed);
    },

    /** Compares every feed with the database. */
    sweep(): Promise<void> {
      const all = [...feeds.values()];
      for (const feed of all) if (feed.tidings.takeLoss()) metrics.hintLossHealed('chat');
      return compare(all, (feed, revision) => feed.tidings.found(revision));
    },
  };
}

const toKey = ({ chatId, userId }: Membership): string => `${chatId} ${userId}`;
