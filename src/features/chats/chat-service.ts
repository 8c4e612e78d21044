import type { Viewer } from '../../auth/viewer.ts';
import type { Cancellation } from '../../cancellation.ts';
import { BadUserInputError, ConflictError, NotFoundError } from '../../errors.ts';
import type { ChatKind, ChatRole } from '../../generated/prisma/client.ts';
import { LIMITS, readId, readIds, readLine } from '../../input-rules.ts';
import type { PageRequest } from '../../persistence/paging.ts';
import { isForeignKeyViolation } from '../../persistence/prisma-errors.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { Transaction } from '../../persistence/transaction.ts';
import type { RateLimits } from '../../rate-limits/rate-limits.ts';
import type { LiveCursor } from '../../realtime/live-cursor.ts';
import type { Membership } from '../../realtime/source.ts';
import type { UserFeeds } from '../../realtime/user-feeds.ts';
import type { UserService } from '../users/user-service.ts';
import { createChatDepartures } from './chat-departures.ts';
import type { ChatDeparturesOptions } from './chat-departures.ts';
import {
  assertCanAddMembers,
  assertCanChangeRoles,
  assertCanDelete,
  assertCanLeave,
  assertCanRemoveMember,
  assertCanRename,
  assertOwnerRemains,
} from './chat-policy.ts';
import type { ActivityKey, ChatPage, ChatRow, MemberView } from './chat-store.ts';

export interface NewChat {
  memberIds: readonly string[];
  kind?: ChatKind | null;
  title?: string | null;
}

export interface ChatServiceOptions extends ChatDeparturesOptions {
  users: UserService;
  userFeeds: UserFeeds;
  rateLimits: Pick<RateLimits, 'countGroup' | 'countAdded' | 'countWriting' | 'countRewritten'>;
  /** Called behind the chat's lock: read ticks may hang on them. Answers how many messages it has changed. */
  beforeMembersJoin: (tx: Transaction, chatId: string, userIds: readonly string[]) => Promise<number>;
}

export type ChatService = ReturnType<typeof createChatService>;

export function createChatService(options: ChatServiceOptions) {
  const { prisma, store, users, announcer } = options;

  /** A transaction in which people may go while they are let in. @throws NotFoundError for them, as for any absent. */
  async function withPeople<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await inTransaction(prisma, work);
    } catch (error) {
      throw isForeignKeyViolation(error) ? new NotFoundError() : error;
    }
  }

  /** Runs a change behind the chat's lock. @throws NotFoundError when the viewer is not a member of such a chat. */
  function change<T>(
    viewer: Viewer,
    chatId: string,
    work: (tx: Transaction, view: MemberView) => Promise<T>,
  ): Promise<T> {
    const id = readId('chatId', chatId);
    return withPeople(async (tx) => {
      const view = await store.lockForMember(tx.db, id, viewer.userId);
      if (!view) throw new NotFoundError();
      return work(tx, view);
    });
  }

  /** Counts the change, and announces it after the commit. */
  async function record(
    tx: Transaction,
    chatId: string,
    what: { title?: string; members?: boolean; userIds?: readonly string[] },
  ): Promise<void> {
    const head = await store.recordChange(tx.db, chatId, what);
    const people = what.userIds ? await store.recordForMembers(tx.db, chatId, what.userIds) : [];
    tx.afterCommit(() => {
      announcer.chatChanged(head);
      announcer.usersChanged(people);
    });
  }

  async function get(viewer: Viewer, chatId: string): Promise<ChatRow> {
    return (await getView(viewer, chatId)).chat;
  }

  async function getView(viewer: Viewer, chatId: string): Promise<MemberView> {
    const view = await store.findForMember(readId('chatId', chatId), viewer.userId);
    if (!view) throw new NotFoundError();
    return view;
  }

  async function createDirect(viewer: Viewer, memberIds: string[]): Promise<ChatRow> {
    const others = memberIds.filter((id) => id !== viewer.userId);
    const [other] = others;
    if (other === undefined || others.length > 1)
      throw new BadUserInputError('input.memberIds', 'A direct chat is with exactly one other person.');
    const userIds = [viewer.userId, other];
    await options.rateLimits.countWriting(viewer.userId, 0);
    await users.assertHere(userIds);
    const chatId = await withPeople(async (tx) => {
      const { chatId, isNew } = await store.findOrInsertDirect(tx.db, viewer.userId, other);
      if (!isNew) return chatId;
      await store.insertMembers(
        tx.db,
        chatId,
        userIds.map((userId) => ({ userId, role: 'MEMBER' as const })),
      );
      await record(tx, chatId, { members: true, userIds });
      return chatId;
    });
    return get(viewer, chatId);
  }

  async function createGroup(viewer: Viewer, memberIds: string[], title: string): Promise<ChatRow> {
    const others = memberIds.filter((id) => id !== viewer.userId);
    assertGroupSize('input.memberIds', others.length + 1);
    await options.rateLimits.countGroup(viewer.userId);
    if (others.length > 0) await options.rateLimits.countAdded(viewer.userId, others.length);
    await users.assertHere([viewer.userId, ...others]);
    const chatId = await withPeople(async (tx) => {
      const chatId = await store.insertGroup(tx.db, title);
      await store.insertMembers(tx.db, chatId, [
        { userId: viewer.userId, role: 'OWNER' },
        ...others.map((userId) => ({ userId, role: 'MEMBER' as const })),
      ]);
      await record(tx, chatId, { members: true, userIds: [viewer.userId, ...others] });
      return chatId;
    });
    return get(viewer, chatId);
  }

  /** Counts, once it is done, the messages whose read ticks turned with it. */
  function countTicks(tx: Transaction, viewer: Viewer, ticked: number): void {
    if (ticked > 0) tx.afterCommit(() => void options.rateLimits.countRewritten(viewer.userId, ticked));
  }

  async function removeBehindLock(tx: Transaction, viewer: Viewer, chatId: string, userId: string): Promise<void> {
    countTicks(tx, viewer, await options.beforeMemberLeaves(tx, chatId, userId));
    await store.deleteMember(tx.db, chatId, userId);
    await record(tx, chatId, { members: true, userIds: [userId] });
  }

  return {
    get,

    /** The chat and the viewer's role in it. @throws NotFoundError */
    getView,

    /** Of each pair that is a membership, the chat as its member finds it. */
    findByMemberships: (pairs: readonly Membership[], cancellation?: Cancellation) =>
      store.findByMemberships(pairs, cancellation),

    list: (viewer: Viewer, page: PageRequest<ActivityKey>, cancellation?: Cancellation): Promise<ChatPage> =>
      store.listPage(viewer.userId, page, cancellation),

    /** For what is already known to be the viewer's: the chats of visible messages. */
    findMany: (chatIds: readonly string[], cancellation?: Cancellation) => store.findByIds(chatIds, cancellation),
    countMembers: (chatIds: readonly string[], cancellation?: Cancellation) =>
      store.countMembersOf(chatIds, cancellation),
    listMembers: (chatIds: readonly string[], cancellation?: Cancellation) => store.listMembers(chatIds, cancellation),
    findReadFloors: (chatIds: readonly string[], cancellation?: Cancellation) =>
      store.findReadFloors(chatIds, cancellation),
    countUnread: (pairs: readonly Membership[], cancellation?: Cancellation) => store.countUnread(pairs, cancellation),

    async create(viewer: Viewer, input: NewChat): Promise<ChatRow> {
      const memberIds = readIds('input.memberIds', input.memberIds);
      if ((input.kind ?? 'DIRECT') === 'DIRECT') {
        if (input.title != null) throw new BadUserInputError('input.title', 'A direct chat has no title.');
        return createDirect(viewer, memberIds);
      }
      if (input.title == null) throw new BadUserInputError('input.title', 'A group needs a title.');
      return createGroup(viewer, memberIds, readLine('input.title', input.title, LIMITS.title));
    },

    async rename(viewer: Viewer, input: { chatId: string; title?: string | null }): Promise<ChatRow> {
      const chatId = readId('input.chatId', input.chatId);
      if (input.title === null) throw new BadUserInputError('input.title', 'A group needs a title.');
      const title = input.title === undefined ? undefined : readLine('input.title', input.title, LIMITS.title);
      await options.rateLimits.countWriting(viewer.userId, Buffer.byteLength(title ?? ''));
      await change(viewer, chatId, async (tx, { chat, role }) => {
        assertCanRename(chat.kind, role);
        if (title !== undefined && title !== chat.title) await record(tx, chat.id, { title });
      });
      return get(viewer, chatId);
    },

    async addMembers(viewer: Viewer, chatId: string, ids: readonly string[]): Promise<ChatRow> {
      const userIds = readIds('userIds', ids);
      if (userIds.length === 0) throw new BadUserInputError('userIds', 'Name at least one person.');
      await options.rateLimits.countWriting(viewer.userId, 0);
      await options.rateLimits.countAdded(viewer.userId, userIds.length);
      await change(viewer, chatId, async (tx, { chat, role }) => {
        assertCanAddMembers(chat.kind, role);
        await users.assertHere(userIds, tx.db);
        const { members } = await store.countMembers(tx.db, chat.id);
        assertGroupSize('userIds', members + userIds.length);
        if (members < 2) countTicks(tx, viewer, await options.beforeMembersJoin(tx, chat.id, userIds));
        const added = await store.insertMembers(
          tx.db,
          chat.id,
          userIds.map((userId) => ({ userId, role: 'MEMBER' as const })),
        );
        if (added.length < userIds.length) throw new ConflictError('Some of these people are members already.');
        await record(tx, chat.id, { members: true, userIds });
      });
      return get(viewer, chatId);
    },

    async removeMember(viewer: Viewer, chatId: string, userId: string): Promise<ChatRow> {
      const targetId = readId('userId', userId);
      await options.rateLimits.countWriting(viewer.userId, 0);
      await change(viewer, chatId, async (tx, { chat, role }) => {
        const target = await store.findRole(tx.db, chat.id, targetId);
        if (target === null) throw new NotFoundError();
        assertCanRemoveMember(chat.kind, role, target);
        if (targetId === viewer.userId) throw new BadUserInputError('userId', 'To go yourself, leave the chat.');
        await removeBehindLock(tx, viewer, chat.id, targetId);
      });
      return get(viewer, chatId);
    },

    async changeRole(viewer: Viewer, chatId: string, userId: string, to: ChatRole): Promise<ChatRow> {
      const targetId = readId('userId', userId);
      await options.rateLimits.countWriting(viewer.userId, 0);
      await change(viewer, chatId, async (tx, { chat, role }) => {
        assertCanChangeRoles(chat.kind, role);
        const from = await store.findRole(tx.db, chat.id, targetId);
        if (from === null) throw new NotFoundError();
        assertOwnerRemains(from, to, (await store.countMembers(tx.db, chat.id)).owners);
        if (from === to) return;
        await store.updateRole(tx.db, chat.id, targetId, to);
        await record(tx, chat.id, {});
      });
      return get(viewer, chatId);
    },

    async leave(viewer: Viewer, chatId: string): Promise<void> {
      await options.rateLimits.countWriting(viewer.userId, 0);
      await change(viewer, chatId, async (tx, { chat, role }) => {
        assertCanLeave(chat.kind, role, (await store.countMembers(tx.db, chat.id)).owners);
        await removeBehindLock(tx, viewer, chat.id, viewer.userId);
      });
    },

    /** With its history, for everybody. */
    async delete(viewer: Viewer, chatId: string): Promise<void> {
      await change(viewer, chatId, async (tx, { chat, role }) => {
        assertCanDelete(chat.kind, role);
        const people = await store.recordForMembers(tx.db, chat.id, await store.listMemberIds(tx.db, chat.id));
        await store.delete(tx.db, chat.id);
        tx.afterCommit(() => {
          announcer.chatChanged({ chatId: chat.id, revision: chat.revision + 1 });
          announcer.usersChanged(people);
        });
      });
    },

    ...createChatDepartures(options),

    /**
     * The viewer's chats, each time one of them is new or has changed; at first all that did since `after`, a
     * `ChatRow.horizon`. @throws NotFoundError without an account.
     */
    async follow(viewer: Viewer, after: bigint | null): Promise<LiveCursor<ChatRow>> {
      const cursor = await options.userFeeds.follow({
        userId: viewer.userId,
        after,
        load: (chatIds) => store.findByMemberships(chatIds.map((chatId) => ({ chatId, userId: viewer.userId }))),
      });
      if (!cursor) throw new NotFoundError();
      return cursor;
    },
  };
}

function assertGroupSize(field: string, members: number): void {
  if (members > LIMITS.groupMembers)
    throw new BadUserInputError(field, `A group has at most ${LIMITS.groupMembers} members.`);
}
