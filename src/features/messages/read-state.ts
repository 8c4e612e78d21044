import type { ReadFloor } from '../chats/chat-store.ts';

/**
 * Whether every current member but the author has read the message, and there is one.
 *
 * @param floors The two members of its chat who have read least, the lowest first.
 */
export function isReadByOthers(
  message: { authorId: string | null; seq: number },
  floors: readonly ReadFloor[],
): boolean {
  const lowest = floors.find((floor) => floor.userId !== message.authorId);
  return lowest !== undefined && lowest.lastReadSeq >= message.seq;
}
