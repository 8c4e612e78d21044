import type { Broker } from '../../src/realtime/broker.ts';
import type { ChatHead, FeedMessage, FeedSource, UserChats } from '../../src/realtime/source.ts';
import { deferred } from './wait.ts';

/** The one chat of the truth. */
export const CHAT = 'a-chat';

/** A chat in memory, which holds reads back when it is told to. */
export function createTruth() {
  const head: ChatHead = { chatId: CHAT, lastSeq: 0, revision: 0, membersRevision: 0 };
  const messages: FeedMessage[] = [];
  const members = new Set(['ann', 'bob']);
  const userRevisions: Record<string, number> = { ann: 0, bob: 0 };
  const gates = new Map<string, Promise<void>[]>();

  async function answer<T>(read: string, value: T): Promise<T> {
    const seen = structuredClone(value);
    await gates.get(read)?.shift();
    return seen;
  }
  const rows = (kind: 'seq' | 'revision', ranges: ReadonlyArray<{ after: number; upTo: number; limit: number }>) =>
    ranges.flatMap(({ after, upTo, limit }) =>
      messages.filter((message) => (message[kind] ?? 0) > after && (message[kind] ?? 0) <= upTo).slice(0, limit),
    );

  const source: FeedSource<FeedMessage> = {
    findChangedHeads: (known) =>
      answer(
        'findChangedHeads',
        known.filter(({ revision }) => revision !== head.revision).map(() => ({ chatId: CHAT, head: { ...head } })),
      ),
    listAdded: (ranges) => answer('listAdded', rows('seq', ranges)),
    listUpdated: (ranges) => answer('listUpdated', rows('revision', ranges)),
    filterMemberships: (pairs) =>
      answer(
        'filterMemberships',
        pairs.filter(({ userId }) => members.has(userId)),
      ),
    findChangedUsers: () => answer('findChangedUsers', []),
    findUserChats: (userIds) =>
      answer<UserChats[]>(
        'findUserChats',
        userIds.map((userId) => ({
          userId,
          revision: userRevisions[userId]!,
          horizon: 1n,
          chats: members.has(userId) ? [{ ...head, userRevision: userRevisions[userId]!, changedIn: 0n }] : [],
        })),
      ),
  };

  return {
    source,
    head: () => ({ ...head }),
    say() {
      head.lastSeq += 1;
      head.revision += 1;
      const message: FeedMessage = { chatId: CHAT, seq: head.lastSeq, revision: null, createdAt: new Date() };
      messages.push(message);
      return { head: { ...head }, kind: 'added' as const, message };
    },
    edit(seq: number) {
      head.revision += 1;
      messages[seq - 1] = { ...messages[seq - 1]!, revision: head.revision };
      return { head: { ...head }, kind: 'updated' as const, message: messages[seq - 1]! };
    },
    setMember(userId: string, isMember: boolean) {
      if (isMember) members.add(userId);
      else members.delete(userId);
      head.revision += 1;
      head.membersRevision = head.revision;
      userRevisions[userId]! += 1;
    },
    /** Holds the next such read's answer, which is what was true when it was asked, until the gate is opened. */
    hold(read: keyof FeedSource<FeedMessage>) {
      const gate = deferred();
      gates.set(read, [...(gates.get(read) ?? []), gate.promise]);
      return gate.resolve;
    },
  };
}

/** Says nothing by itself: `listening` is when it begins to, `hint` what it then says. */
export function createQuietBroker() {
  const listeners = new Set<(hint: { revision: number }) => void>();
  const listening = deferred();
  const broker: Broker = {
    publish() {},
    subscribe(topic, listener) {
      if (topic.startsWith('chat:')) listeners.add(listener);
      return { ready: listening.promise, close: () => void listeners.delete(listener) };
    },
    onReconnect() {},
    status: () => 'up',
    close: async () => {},
  };
  return {
    broker,
    listening: listening.resolve,
    /** Of chats. */
    listenerCount: () => listeners.size,
    hint: (revision: number) => listeners.forEach((tell) => tell({ revision })),
  };
}

/** A turn of the event loop, and all promises that it settles: nothing in here takes longer. */
export const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
