import type { PrismaClient } from '../../generated/prisma/client.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { Transaction } from '../../persistence/transaction.ts';
import type { ChangeAnnouncer } from '../../realtime/change-announcer.ts';
import type { ChatStore, Departure } from './chat-store.ts';

export interface ChatDeparturesOptions {
  prisma: PrismaClient;
  store: ChatStore;
  announcer: Pick<ChangeAnnouncer<never>, 'chatChanged' | 'usersChanged'>;
  /** Called behind the chat's lock: read ticks may hang on the member. Answers how many messages it has changed. */
  beforeMemberLeaves: (tx: Transaction, chatId: string, userId: string) => Promise<number>;
}

/** Chats that one transaction takes: others wait for each of them until all are done. */
const TOGETHER = 50;

/** After so many ms behind the locks no more read ticks are written: the rest of the chats wait for the next round. */
const TICKING_MS = 30;

/** A history goes with its chat, however long it is. Nobody else is there to wait. */
const DELETION_TIMEOUT_MS = 20_000;

/** How somebody goes out of all their chats, because the account goes. */
export function createChatDepartures({ prisma, store, announcer, beforeMemberLeaves }: ChatDeparturesOptions) {
  /** Answers false when there was no chat to leave. */
  async function departFromSome(userId: string): Promise<boolean> {
    const { chatIds, empty } = await inTransaction(prisma, async (tx) => {
      const chatIds = await store.listChatIds(tx.db, userId, TOGETHER);
      const departures = await store.findDepartures(tx.db, await lockSome(tx, chatIds), userId);
      await departBehindLocks(tx, userId, departures);
      return { chatIds, empty: departures.filter(({ heirId }) => heirId === null) };
    });
    for (const { chatId } of empty) await deleteBehind(chatId, userId);
    return chatIds.length > 0;
  }

  /** Waits for one chat at most, and while it does it holds no other. Answers which it took. */
  async function lockSome(tx: Transaction, chatIds: readonly string[]): Promise<readonly string[]> {
    const free = await store.lockFree(tx.db, chatIds);
    if (free.length > 0) return free;
    const first = chatIds.slice(0, 1);
    await store.lock(tx.db, first);
    return first;
  }

  async function departBehindLocks(tx: Transaction, userId: string, departures: readonly Departure[]): Promise<void> {
    const lockedAt = performance.now();
    const going: Departure[] = [];
    for (const departure of departures) {
      if (departure.heirId === null) continue;
      if (going.length > 0 && performance.now() - lockedAt > TICKING_MS) break;
      if (departure.lastSeq > 0) await beforeMemberLeaves(tx, departure.chatId, userId);
      going.push(departure);
    }
    if (going.length === 0) return;
    const chatIds = going.map(({ chatId }) => chatId);
    await store.handOver(
      tx.db,
      going.filter(({ role }) => role === 'OWNER'),
    );
    await store.deleteMemberships(tx.db, chatIds, userId);
    const heads = await store.recordDepartures(tx.db, chatIds);
    // To the person it is not told: their devices are signed out.
    tx.afterCommit(() => {
      for (const head of heads) announcer.chatChanged(head);
    });
  }

  /** The chat too, if nobody else is in it. */
  async function deleteBehind(chatId: string, userId: string): Promise<void> {
    await inTransaction(
      prisma,
      async (tx) => {
        await store.lock(tx.db, [chatId]);
        const [departure] = await store.findDepartures(tx.db, [chatId], userId);
        if (departure?.heirId !== null) return;
        await store.delete(tx.db, chatId);
        tx.afterCommit(() => announcer.chatChanged({ chatId, revision: departure.revision + 1 }));
      },
      { timeout: DELETION_TIMEOUT_MS },
    );
  }

  return {
    /**
     * Takes somebody out of all their chats, some at a time, so that nobody waits for a chat for as long as all of them
     * take. What is done stays done when it fails: another call goes on from there. A group that would be without an
     * owner goes to its longest-standing admin, else member; one that would be empty goes too.
     */
    async departEverywhere(userId: string): Promise<void> {
      while (await departFromSome(userId));
    },

    /** Whether the person is a member of any chat, as the transaction sees it. */
    isAnywhere: async (tx: Transaction, userId: string): Promise<boolean> =>
      (await store.listChatIds(tx.db, userId, 1)).length > 0,
  };
}
