import { cancelledWithAll } from '../cancellation.ts';
import type { Cancellation } from '../cancellation.ts';
import { groupBy } from '../group-by.ts';
import { LIMITS as INPUT_LIMITS } from '../input-rules.ts';
import type { Membership } from '../realtime/source.ts';
import type { Ask as AskBy } from './batch.ts';
import type { MemberCount, MemberRow } from './chats/chat-store.ts';
import { LIMITS } from './tally.ts';
import type { Tally } from './tally.ts';

/** Of so many chats one operation may show all members: only of more are they counted before they are read. */
const CHATS_UNCOUNTED = LIMITS.members / INPUT_LIMITS.groupMembers;
/** Chats whose members are read for those who ask at once; for more there is another statement. */
export const CHATS_AT_ONCE = 100;

type Ask<Key> = AskBy<Key, Tally>;

export type Find<Key, Row> = (keys: readonly Key[], cancellation: Cancellation | undefined) => Promise<Row[]>;

/** One value for each, in their order. */
export type Read<Key, Value> = (asks: ReadonlyArray<Ask<Key>>) => Promise<Value[]>;

export function readOne<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Read<string, Row | null> {
  return async (asks) => {
    const found = await find(distinctIds(asks), cancellationOf(asks));
    const rows = new Map(found.map((row) => [idOf(row), row]));
    return asks.map(({ key }) => rows.get(key) ?? null);
  };
}

export function readMany<Row>(find: Find<string, Row>, idOf: (row: Row) => string): Read<string, Row[]> {
  return async (asks) => {
    const rows = groupBy(await find(distinctIds(asks), cancellationOf(asks)), idOf);
    return asks.map(({ key }) => rows.get(key) ?? []);
  };
}

export function nameOfMembership({ chatId, userId }: Membership): string {
  return `${chatId} ${userId}`;
}

export function readMemberships<Row>(
  find: Find<Membership, Row>,
  pairOf: (row: Row) => Membership,
): Read<Membership, Row | null> {
  return async (asks) => {
    const wanted = new Map(asks.map(({ key }) => [nameOfMembership(key), key]));
    const found = await find([...wanted.values()], cancellationOf(asks));
    const rows = new Map(found.map((row) => [nameOfMembership(pairOf(row)), row]));
    return asks.map(({ key }) => rows.get(nameOfMembership(key)) ?? null);
  };
}

/** Null: the operation asks for more members than it may show, and none are read for it. */
export function readMembers(
  count: Find<string, MemberCount>,
  list: Find<string, MemberRow>,
): Read<string, MemberRow[] | null> {
  return async (asks) => {
    const cancellation = cancellationOf(asks);
    let ids = distinctIds(asks);
    let parts = [ids];
    const refused = new Set<Tally>();
    if (ids.length > CHATS_UNCOUNTED) {
      const sizes = new Map((await count(ids, cancellation)).map(({ chatId, members }) => [chatId, members]));
      const sizeOf = (chatId: string) => sizes.get(chatId) ?? 0;
      for (const [tally, own] of groupBy(asks, ({ by }) => by))
        if (own.reduce((sum, { key }) => sum + sizeOf(key), tally.members) > tally.limits.members) refused.add(tally);
      ids = distinctIds(asks.filter(({ by }) => !refused.has(by)));
      parts = cut(ids, sizeOf, LIMITS.members);
    }
    const members = new Map<string, MemberRow[]>();
    for (const part of parts)
      for (const [chatId, rows] of groupBy(await list(part, cancellation), (member) => member.chatId))
        members.set(chatId, rows);
    return asks.map(({ key, by }) => (refused.has(by) ? null : (members.get(key) ?? [])));
  };
}

/** Into parts of at most so much, or of one item that is more. */
function cut<Item>(items: readonly Item[], sizeOf: (item: Item) => number, max: number): Item[][] {
  const parts: Item[][] = [];
  let size = Infinity;
  for (const item of items) {
    size += sizeOf(item);
    if (size > max) {
      parts.push([]);
      size = sizeOf(item);
    }
    parts.at(-1)!.push(item);
  }
  return parts;
}

function distinctIds(asks: ReadonlyArray<Ask<string>>): string[] {
  return [...new Set(asks.map(({ key }) => key))];
}

function cancellationOf(asks: ReadonlyArray<Ask<unknown>>): Cancellation | undefined {
  return cancelledWithAll(asks.map(({ by }) => by.cancellation));
}
