import DataLoader from 'dataloader';
import { groupBy } from '../group-by.ts';
import type { MemberRow, ReadFloor } from './chats/chat-store.ts';
import type { Membership } from '../realtime/source.ts';
import type { Services } from './services.ts';

export type Loaders = ReturnType<typeof createLoaders>;

/**
 * Nothing is kept: a mutation or an event never shows what was true before it. What all operations ask for while the
 * node reads what its sockets have brought goes into the same statement, which begins after that.
 */
const OPTIONS = { cache: false, maxBatchSize: 1_000, batchScheduleFn: (send: () => void) => void setImmediate(send) };

/** What types of several features show of each other, read in one statement for all who ask at once. */
export function createLoaders(
  { users, presence, chats, messages }: Services,
  /** How each read is run. Default: once. An event that was lost for a failed read would not come again. */
  run: <T>(read: () => Promise<T>) => Promise<T> = (read) => read(),
) {
  const loadOne = <Row>(find: Find<Row>, idOf: (row: Row) => string) => batchOne((ids) => run(() => find(ids)), idOf);
  const ofMemberships = <Row>(
    find: (pairs: readonly Membership[]) => Promise<Row[]>,
    pairOf: (row: Row) => Membership,
  ) => batchMemberships((pairs) => run(() => find(pairs)), pairOf);
  const loadMany = <Row>(find: Find<Row>, idOf: (row: Row) => string) => batchMany((ids) => run(() => find(ids)), idOf);
  return {
    /** For what is not loaded by batches. */
    run,
    user: loadOne(users.findMany, (user) => user.id),
    presence: loadOne(presence.findMany, (state) => state.userId),
    chat: loadOne(chats.findMany, (chat) => chat.id),
    lastMessage: loadOne(messages.findLast, (message) => message.chatId),
    members: loadMany<MemberRow>(chats.listMembers, (member) => member.chatId),
    /** The two who have read least of a chat. */
    readFloors: loadMany<ReadFloor>(chats.findReadFloors, (floor) => floor.chatId),
    /** For those who are members of it: nobody else finds it. */
    chatOfMember: ofMemberships(chats.findByMemberships, (chat) => ({ chatId: chat.id, userId: chat.memberId })),
    unread: ofMemberships(chats.countUnread, (count) => count),
  };
}

type Find<Row> = (ids: readonly string[]) => Promise<Row[]>;

function batchOne<Row>(find: Find<Row>, idOf: (row: Row) => string) {
  return new DataLoader<string, Row | null>(async (ids) => {
    const rows = new Map((await find([...new Set(ids)])).map((row) => [idOf(row), row]));
    return ids.map((id) => rows.get(id) ?? null);
  }, OPTIONS);
}

function batchMemberships<Row>(
  find: (pairs: readonly Membership[]) => Promise<Row[]>,
  pairOf: (row: Row) => Membership,
) {
  const keyOf = ({ chatId, userId }: Membership) => `${chatId} ${userId}`;
  return new DataLoader<Membership, Row | null>(async (pairs) => {
    const wanted = new Map(pairs.map((pair) => [keyOf(pair), pair]));
    const rows = new Map((await find([...wanted.values()])).map((row) => [keyOf(pairOf(row)), row]));
    return pairs.map((pair) => rows.get(keyOf(pair)) ?? null);
  }, OPTIONS);
}

function batchMany<Row>(find: Find<Row>, idOf: (row: Row) => string) {
  return new DataLoader<string, Row[]>(async (ids) => {
    const rows = groupBy(await find([...new Set(ids)]), idOf);
    return ids.map((id) => rows.get(id) ?? []);
  }, OPTIONS);
}
