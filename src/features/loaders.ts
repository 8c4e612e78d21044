import DataLoader from 'dataloader';
import { groupBy } from '../group-by.ts';
import type { MemberRow, ReadFloor } from './chats/chat-store.ts';
import type { Services } from './services.ts';

export type Loaders = ReturnType<typeof createLoaders>;

/**
 * What types of several features show of each other, read in one statement for all who ask in the same tick. Nothing
 * is kept: a mutation or an event never shows what was true before it.
 */
export function createLoaders(
  { users, presence, chats, messages }: Services,
  /** How each read is run. Default: once. An event that was lost for a failed read would not come again. */
  run: <T>(read: () => Promise<T>) => Promise<T> = (read) => read(),
) {
  const loadOne = <Row>(find: Find<Row>, idOf: (row: Row) => string) => batchOne((ids) => run(() => find(ids)), idOf);
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
    unread: new DataLoader<{ chatId: string; userId: string }, number>(
      async (pairs) => {
        const counts = new Map(
          (await run(() => chats.countUnread(pairs))).map((count) => [`${count.chatId} ${count.userId}`, count.unread]),
        );
        return pairs.map((pair) => counts.get(`${pair.chatId} ${pair.userId}`) ?? 0);
      },
      { cache: false },
    ),
  };
}

type Find<Row> = (ids: readonly string[]) => Promise<Row[]>;

function batchOne<Row>(find: Find<Row>, idOf: (row: Row) => string) {
  return new DataLoader<string, Row | null>(
    async (ids) => {
      const rows = new Map((await find([...new Set(ids)])).map((row) => [idOf(row), row]));
      return ids.map((id) => rows.get(id) ?? null);
    },
    { cache: false },
  );
}

function batchMany<Row>(find: Find<Row>, idOf: (row: Row) => string) {
  return new DataLoader<string, Row[]>(
    async (ids) => {
      const rows = groupBy(await find([...new Set(ids)]), idOf);
      return ids.map((id) => rows.get(id) ?? []);
    },
    { cache: false },
  );
}
