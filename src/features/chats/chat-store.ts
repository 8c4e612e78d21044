import { v7 as uuidv7 } from 'uuid';
import type { Cancellation } from '../../cancellation.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Chat, ChatMember, ChatRole } from '../../generated/prisma/client.ts';
import { groupBy } from '../../group-by.ts';
import { toPage } from '../../persistence/paging.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import { queryWithin } from '../../persistence/query.ts';
import type { CancellableQuery } from '../../persistence/query.ts';
import type { Db } from '../../persistence/transaction.ts';
import type { ChatHead, Membership, UserChats, UserHead } from '../../realtime/source.ts';
import type { UserProfile } from '../users/user-store.ts';

/** A chat as one statement saw it. */
export interface ChatRow extends Chat {
  /** Every transaction before this one had ended by then: what it did shows in the row. */
  horizon: bigint;
}

export interface ChatPage extends Page<ChatRow> {
  /** As in its rows; an empty page has one too. */
  horizon: bigint;
}

export interface MemberRow extends Pick<ChatMember, 'chatId' | 'userId' | 'role' | 'joinedAt' | 'lastReadSeq'> {
  user: UserProfile;
}

/** A chat as one of its members finds it. */
export interface MemberView {
  chat: ChatRow;
  role: ChatRole;
}

/** A member who goes. */
export interface Departure {
  chatId: string;
  role: ChatRole;
  lastSeq: number;
  revision: number;
  /** Who owns the group if its last owner goes: the longest-standing admin, else member. Null: nobody is left. */
  heirId: string | null;
}

export interface MemberCount {
  chatId: string;
  members: number;
}

/** Where a chat stands in a list by latest activity. */
export interface ActivityKey {
  updatedAt: Date;
  id: string;
}

/** The two members who have read least: enough to say of any author's message whether all others have read it. */
export interface ReadFloor {
  chatId: string;
  userId: string;
  lastReadSeq: number;
}

export type ChatStore = ReturnType<typeof createChatStore>;

/** The oldest transaction that may still be under way: all before it have ended. */
const HORIZON = Prisma.sql`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;

const CHAT = Prisma.sql`c.id, c.kind::text AS kind, c.title, c.direct_key AS "directKey", c.created_at AS "createdAt",
  c.updated_at AS "updatedAt", c.last_seq AS "lastSeq", c.revision, c.members_revision AS "membersRevision",
  c.changed_in AS "changedIn", ${HORIZON} AS horizon`;

const MEMBER = Prisma.sql`m.chat_id AS "chatId", m.user_id AS "userId", m.role::text AS role,
  m.joined_at AS "joinedAt", m.last_read_seq AS "lastReadSeq"`;

const USER = Prisma.sql`u.id AS "user.id", u.first_name AS "user.firstName", u.last_name AS "user.lastName",
  u.avatar_url AS "user.avatarUrl"`;

const HEAD = Prisma.sql`c.id AS "chatId", c.last_seq AS "lastSeq", c.revision,
  c.members_revision AS "membersRevision"`;

/** The clock of the database, read behind the lock that orders the chat. */
const NOW = Prisma.sql`clock_timestamp()`;

const directKey = (a: string, b: string) => [a, b].toSorted().join(':');

export function createChatStore(query: CancellableQuery) {
  return {
    async findForMember(chatId: string, userId: string, db?: Db): Promise<MemberView | null> {
      const ask = db ? queryWithin(db) : query;
      const rows = await ask<ChatRow & { role: ChatRole }>`
        SELECT ${CHAT}, m.role::text AS role FROM chat c JOIN chat_member m ON m.chat_id = c.id
        WHERE c.id = ${chatId}::uuid AND m.user_id = ${userId}::uuid`;
      if (!rows[0]) return null;
      const { role, ...chat } = rows[0];
      return { chat, role };
    },

    /** The chats of those of the pairs that are memberships. */
    findByMemberships(
      pairs: readonly Membership[],
      cancellation?: Cancellation,
    ): Promise<Array<ChatRow & { memberId: string }>> {
      return query.until(cancellation)`
        SELECT ${CHAT}, m.user_id AS "memberId"
        FROM ${unnestMemberships(pairs)}
        JOIN chat_member m ON m.chat_id = wanted.chat_id AND m.user_id = wanted.user_id
        JOIN chat c ON c.id = m.chat_id`;
    },

    findByIds(chatIds: readonly string[], cancellation?: Cancellation): Promise<ChatRow[]> {
      return query.until(cancellation)`SELECT ${CHAT} FROM chat c WHERE c.id = ANY(${[...chatIds]}::uuid[])`;
    },

    /** Latest activity first. */
    async listPage(userId: string, page: PageRequest<ActivityKey>, cancellation?: Cancellation): Promise<ChatPage> {
      const after = page.after
        ? Prisma.sql`AND (c.updated_at, c.id) < (${page.after.updatedAt}, ${page.after.id}::uuid)`
        : Prisma.empty;
      const rows = await query.until(cancellation)<ChatRow | { id: null; horizon: bigint }>`
        SELECT ${CHAT} FROM (VALUES (1)) one LEFT JOIN LATERAL (
          SELECT c.* FROM chat c JOIN chat_member m ON m.chat_id = c.id
          WHERE m.user_id = ${userId}::uuid ${after}
          ORDER BY c.updated_at DESC, c.id DESC LIMIT ${page.limit + 1}
        ) c ON true ORDER BY c.updated_at DESC, c.id DESC`;
      const chats = rows.filter((row) => row.id !== null);
      return { ...toPage(chats, page), horizon: rows[0]!.horizon };
    },

    /** The pair's chat; made now, unless it stands or somebody makes it at this moment. Locks nothing that stands. */
    async findOrInsertDirect(db: Db, a: string, b: string): Promise<{ chatId: string; isNew: boolean }> {
      const key = directKey(a, b);
      const inserted = await db.$queryRaw<Array<{ id: string }>>`
        INSERT INTO chat (id, kind, direct_key) VALUES (${uuidv7()}::uuid, 'DIRECT', ${key})
        ON CONFLICT (direct_key) DO NOTHING RETURNING id`;
      if (inserted[0]) return { chatId: inserted[0].id, isNew: true };
      const [row] = await db.$queryRaw<[{ id: string }]>`SELECT id FROM chat WHERE direct_key = ${key}`;
      return { chatId: row.id, isNew: false };
    },

    async insertGroup(db: Db, title: string): Promise<string> {
      const id = uuidv7();
      await db.$executeRaw`INSERT INTO chat (id, kind, title) VALUES (${id}::uuid, 'GROUP', ${title})`;
      return id;
    },

    /**
     * Takes the chat's row until the transaction ends, and answers it as the member finds it behind the lock; null
     * when there is no such chat or no such member. Whoever is none takes nothing: nobody waits for strangers.
     */
    async lockForMember(db: Db, chatId: string, userId: string): Promise<MemberView | null> {
      const locked = await db.$queryRaw<unknown[]>`
        SELECT 1 FROM chat WHERE id = ${chatId}::uuid
          AND EXISTS (SELECT 1 FROM chat_member WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid)
        FOR NO KEY UPDATE`;
      return locked.length > 0 ? this.findForMember(chatId, userId, db) : null;
    },

    async lock(db: Db, chatIds: readonly string[]): Promise<void> {
      await db.$queryRaw`
        SELECT 1 FROM chat WHERE id = ANY(${[...chatIds]}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
    },

    /** Takes those of the chats that nobody holds, without waiting. Answers which. */
    async lockFree(db: Db, chatIds: readonly string[]): Promise<string[]> {
      const rows = await db.$queryRaw<Array<{ id: string }>>`
        SELECT id FROM chat WHERE id = ANY(${[...chatIds]}::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED`;
      return rows.map((row) => row.id);
    },

    /**
     * New members start at the chat's last seq: what was said before they came is history, not unread.
     * Answers those who were not members yet.
     */
    async insertMembers(db: Db, chatId: string, members: Array<{ userId: string; role: ChatRole }>): Promise<string[]> {
      const rows = await db.$queryRaw<Array<{ userId: string }>>`
        INSERT INTO chat_member (chat_id, user_id, role, joined_at, last_read_seq)
        SELECT c.id, n.user_id, n.role::chat_role, ${NOW}, c.last_seq
        FROM chat c, unnest(${members.map((m) => m.userId)}::uuid[], ${members.map((m) => m.role)}::text[])
          AS n(user_id, role)
        WHERE c.id = ${chatId}::uuid
        ON CONFLICT DO NOTHING RETURNING user_id AS "userId"`;
      return rows.map((row) => row.userId);
    },

    async deleteMember(db: Db, chatId: string, userId: string): Promise<void> {
      await db.$executeRaw`
        DELETE FROM chat_member WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid`;
    },

    async updateRole(db: Db, chatId: string, userId: string, role: ChatRole): Promise<void> {
      await db.$executeRaw`
        UPDATE chat_member SET role = ${role}::chat_role
        WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid`;
    },

    async findRole(db: Db, chatId: string, userId: string): Promise<ChatRole | null> {
      const rows = await db.$queryRaw<Array<{ role: ChatRole }>>`
        SELECT role::text FROM chat_member WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid`;
      return rows[0]?.role ?? null;
    },

    async countMembers(db: Db, chatId: string): Promise<{ members: number; owners: number }> {
      const [row] = await db.$queryRaw<[{ members: number; owners: number }]>`
        SELECT count(*)::int AS members, (count(*) FILTER (WHERE role = 'OWNER'))::int AS owners
        FROM chat_member WHERE chat_id = ${chatId}::uuid`;
      return row;
    },

    /** Of those of the chats that the person is a member of, what has to be known before they go. */
    findDepartures(db: Db, chatIds: readonly string[], userId: string): Promise<Departure[]> {
      return db.$queryRaw`
        SELECT m.chat_id AS "chatId", m.role::text AS role, c.last_seq AS "lastSeq", c.revision,
          heir.user_id AS "heirId"
        FROM chat_member m JOIN chat c ON c.id = m.chat_id LEFT JOIN LATERAL (
          SELECT h.user_id FROM chat_member h WHERE h.chat_id = m.chat_id AND h.user_id <> m.user_id
          ORDER BY h.role = 'OWNER' DESC, h.role = 'ADMIN' DESC, h.joined_at, h.user_id LIMIT 1
        ) heir ON true
        WHERE m.user_id = ${userId}::uuid AND m.chat_id = ANY(${[...chatIds]}::uuid[]) ORDER BY m.chat_id`;
    },

    /** Makes the heirs owners. */
    async handOver(db: Db, departures: readonly Departure[]): Promise<void> {
      await db.$executeRaw`
        UPDATE chat_member m SET role = 'OWNER'
        FROM unnest(${departures.map((d) => d.chatId)}::uuid[], ${departures.map((d) => d.heirId)}::uuid[])
          AS heir(chat_id, user_id)
        WHERE m.chat_id = heir.chat_id AND m.user_id = heir.user_id`;
    },

    async deleteMemberships(db: Db, chatIds: readonly string[], userId: string): Promise<void> {
      await db.$executeRaw`
        DELETE FROM chat_member WHERE chat_id = ANY(${[...chatIds]}::uuid[]) AND user_id = ${userId}::uuid`;
    },

    /** Counts a change of the members of each of the chats. */
    recordDepartures(db: Db, chatIds: readonly string[]): Promise<ChatHead[]> {
      return db.$queryRaw`
        UPDATE chat c SET revision = revision + 1, members_revision = revision + 1,
          updated_at = greatest(updated_at, ${NOW})
        WHERE c.id = ANY(${[...chatIds]}::uuid[]) RETURNING ${HEAD}`;
    },

    /** Counts a change that every member sees, and makes it the chat's latest activity. */
    async recordChange(db: Db, chatId: string, change: { title?: string; members?: boolean }): Promise<ChatHead> {
      const rows = await db.$queryRaw<[ChatHead]>`
        UPDATE chat c SET revision = revision + 1, updated_at = greatest(updated_at, ${NOW}),
          title = coalesce(${change.title ?? null}, title),
          members_revision = CASE WHEN ${change.members ?? false} THEN revision + 1 ELSE members_revision END
        WHERE c.id = ${chatId}::uuid RETURNING ${HEAD}`;
      return rows[0];
    },

    /** Counts a change for each of the people alone, and marks their membership of the chat with it, where they have one. */
    async recordForMembers(db: Db, chatId: string, userIds: readonly string[]): Promise<UserHead[]> {
      const ids = [...userIds];
      await db.$queryRaw`SELECT 1 FROM app_user WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`;
      return db.$queryRaw`
        WITH u AS (
          UPDATE app_user SET revision = revision + 1 WHERE id = ANY(${ids}::uuid[]) RETURNING id, revision
        ), m AS (
          UPDATE chat_member m SET user_revision = u.revision FROM u
          WHERE m.chat_id = ${chatId}::uuid AND m.user_id = u.id
        )
        SELECT id AS "userId", revision FROM u`;
    },

    async delete(db: Db, chatId: string): Promise<void> {
      await db.$executeRaw`DELETE FROM chat WHERE id = ${chatId}::uuid`;
    },

    async listMemberIds(db: Db, chatId: string): Promise<string[]> {
      const rows = await db.$queryRaw<Array<{ userId: string }>>`
        SELECT user_id AS "userId" FROM chat_member WHERE chat_id = ${chatId}::uuid`;
      return rows.map((row) => row.userId);
    },

    /** The first so many, by id. */
    async listChatIds(db: Db, userId: string, limit: number): Promise<string[]> {
      const rows = await db.$queryRaw<Array<{ chatId: string }>>`
        SELECT chat_id AS "chatId" FROM chat_member WHERE user_id = ${userId}::uuid ORDER BY chat_id LIMIT ${limit}`;
      return rows.map((row) => row.chatId);
    },

    /** Of each chat that has any. */
    countMembersOf(chatIds: readonly string[], cancellation?: Cancellation): Promise<MemberCount[]> {
      return query.until(cancellation)`
        SELECT chat_id AS "chatId", count(*)::int AS members FROM chat_member
        WHERE chat_id = ANY(${[...chatIds]}::uuid[]) GROUP BY chat_id`;
    },

    /** In the order in which they joined. */
    listMembers(chatIds: readonly string[], cancellation?: Cancellation): Promise<MemberRow[]> {
      return query.until(cancellation)`
        SELECT ${MEMBER}, ${USER} FROM chat_member m JOIN app_user u ON u.id = m.user_id
        WHERE m.chat_id = ANY(${[...chatIds]}::uuid[])
        ORDER BY m.joined_at, m.user_id`;
    },

    /** At most two rows for each chat, the lowest first. */
    findReadFloors(chatIds: readonly string[], cancellation?: Cancellation): Promise<ReadFloor[]> {
      return query.until(cancellation)`
        SELECT f.chat_id AS "chatId", f.user_id AS "userId", f.last_read_seq AS "lastReadSeq"
        FROM unnest(${[...chatIds]}::uuid[]) AS wanted(id), LATERAL (
          SELECT m.chat_id, m.user_id, m.last_read_seq FROM chat_member m WHERE m.chat_id = wanted.id
          ORDER BY m.last_read_seq LIMIT 2
        ) f ORDER BY f.last_read_seq`;
    },

    /** Seqs have no gaps: what is unread is a difference, less what the member wrote themself. */
    countUnread(
      pairs: readonly Membership[],
      cancellation?: Cancellation,
    ): Promise<Array<Membership & { unread: number }>> {
      return query.until(cancellation)`
        SELECT m.chat_id AS "chatId", m.user_id AS "userId", (c.last_seq - m.last_read_seq - (
          SELECT count(*) FROM message own
          WHERE own.author_id = m.user_id AND own.chat_id = m.chat_id AND own.seq > m.last_read_seq
        ))::int AS unread
        FROM ${unnestMemberships(pairs)}
        JOIN chat_member m ON m.chat_id = wanted.chat_id AND m.user_id = wanted.user_id
        JOIN chat c ON c.id = m.chat_id`;
    },

    // What the feeds of a node ask (see realtime/source.ts).

    findHeads(chatIds: readonly string[]): Promise<ChatHead[]> {
      return query`SELECT ${HEAD} FROM chat c WHERE c.id = ANY(${[...chatIds]}::uuid[])`;
    },

    /** Those of the chats whose revision is another than the one known, or null where the chat is gone. */
    async findChangedHeads(
      known: ReadonlyArray<{ chatId: string; revision: number }>,
    ): Promise<Array<{ chatId: string; head: ChatHead | null }>> {
      const rows = await query<{ wanted: string } & { [K in keyof ChatHead]: ChatHead[K] | null }>`
        SELECT k.id AS wanted, ${HEAD}
        FROM unnest(${known.map((k) => k.chatId)}::uuid[], ${known.map((k) => k.revision)}::int[]) AS k(id, revision)
        LEFT JOIN chat c ON c.id = k.id WHERE c.revision IS DISTINCT FROM k.revision`;
      return rows.map(({ wanted, ...head }) => ({
        chatId: wanted,
        head: head.chatId === null ? null : (head as ChatHead),
      }));
    },

    /** Those of the pairs that are memberships now. */
    filterMemberships(pairs: readonly Membership[]): Promise<Membership[]> {
      return query`
        SELECT m.chat_id AS "chatId", m.user_id AS "userId"
        FROM ${unnestMemberships(pairs)}
        JOIN chat_member m ON m.chat_id = wanted.chat_id AND m.user_id = wanted.user_id`;
    },

    findChangedUsers(known: readonly UserHead[]): Promise<UserHead[]> {
      return query`
        SELECT u.id AS "userId", u.revision
        FROM unnest(${known.map((k) => k.userId)}::uuid[], ${known.map((k) => k.revision)}::int[]) AS k(id, revision)
        JOIN app_user u ON u.id = k.id WHERE u.revision <> k.revision`;
    },

    /** Everything that each of the people is a member of, with their own revision; of those who have an account. */
    async findUserChats(userIds: readonly string[]): Promise<UserChats[]> {
      type ChatOfUser = UserChats['chats'][number];
      const rows = await query<Pick<UserChats, 'userId' | 'horizon'> & { own: number } & ChatOfUser>`
        SELECT u.id AS "userId", u.revision AS own, ${HORIZON} AS horizon, m.user_revision AS "userRevision",
          greatest(m.changed_in, c.changed_in) AS "changedIn", ${HEAD}
        FROM app_user u LEFT JOIN chat_member m ON m.user_id = u.id LEFT JOIN chat c ON c.id = m.chat_id
        WHERE u.id = ANY(${[...userIds]}::uuid[])`;
      return [...groupBy(rows, (row) => row.userId)].map(([userId, chats]) => ({
        userId,
        revision: chats[0]!.own,
        horizon: chats[0]!.horizon,
        chats: chats.filter((row) => row.chatId !== null),
      }));
    },
  };
}

function unnestMemberships(pairs: readonly Membership[]): Prisma.Sql {
  return Prisma.sql`unnest(${pairs.map((p) => p.chatId)}::uuid[], ${pairs.map((p) => p.userId)}::uuid[])
    AS wanted(chat_id, user_id)`;
}
