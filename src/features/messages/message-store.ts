import type { Cancellation } from '../../cancellation.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { ChatRole, PrismaClient } from '../../generated/prisma/client.ts';
import { toPage } from '../../persistence/paging.ts';
import type { Page, PageRequest } from '../../persistence/paging.ts';
import type { CancellableQuery } from '../../persistence/query.ts';
import { inTransaction } from '../../persistence/transaction.ts';
import type { Db } from '../../persistence/transaction.ts';
import type { ChatHead, Range, UserHead } from '../../realtime/source.ts';
import type { UserProfile } from '../users/user-store.ts';
import { BARE_MESSAGE, createMessageInsert, HEAD, MESSAGE, toHead, toJson, toWritten } from './message-insert-store.ts';
import type { HeadColumns, MessageRow, Written } from './message-insert-store.ts';

export type { MessageRow };

/** A message as it is shown. */
export interface MessageView extends MessageRow {
  /** Null: their account is gone. Undefined: not read along. */
  author?: UserProfile | null;
}

export interface ReadMark {
  /** Null: the mark stood there or further already. */
  moved: { userHead: UserHead; chatHead: ChatHead; ticked: number } | null;
}

/** For what is shown to somebody in pages and lists; a chat's many subscribers share the reads of their own. */
const AUTHOR = Prisma.sql`u.id AS "author.id", u.first_name AS "author.firstName", u.last_name AS "author.lastName",
  u.avatar_url AS "author.avatarUrl"`;

export type MessageStore = ReturnType<typeof createMessageStore>;

export function createMessageStore(prisma: PrismaClient, query: CancellableQuery) {
  return {
    /** Null when there is no such chat or the author is not a member. */
    insert: createMessageInsert(query),

    /** Null when there is no such message, or the person is not a member of its chat. */
    async findForMember(
      id: string,
      userId: string,
      cancellation?: Cancellation,
    ): Promise<{ message: MessageRow; role: ChatRole } | null> {
      const rows = await query.until(cancellation)<MessageRow & { role: ChatRole }>`
        SELECT ${MESSAGE}, cm.role::text AS role FROM message m
        JOIN chat_member cm ON cm.chat_id = m.chat_id AND cm.user_id = ${userId}::uuid
        WHERE m.id = ${id}::uuid`;
      if (!rows[0]) return null;
      const { role, ...message } = rows[0];
      return { message, role };
    },

    /** Null when it was deleted, or the editor is no member any more. */
    update(
      message: MessageRow,
      editorId: string,
      change: { body: string; extraData?: unknown },
    ): Promise<Written | null> {
      const extraData =
        change.extraData === undefined ? Prisma.sql`m.extra_data` : Prisma.sql`${toJson(change.extraData)}::jsonb`;
      return rewrite(
        message,
        editorId,
        Prisma.sql`body = ${change.body}, extra_data = ${extraData},
        edited_at = clock_timestamp()`,
      );
    },

    /** Leaves a tombstone. Null when it is one already, or the editor is no member any more. */
    erase(message: MessageRow, editorId: string): Promise<Written | null> {
      return rewrite(message, editorId, Prisma.sql`body = '', extra_data = NULL, deleted_at = clock_timestamp()`);
    },

    async listPage(chatId: string, page: PageRequest<number>, cancellation?: Cancellation): Promise<Page<MessageView>> {
      const after = page.after === null ? Prisma.empty : Prisma.sql`AND m.seq > ${page.after}`;
      const before = page.before === null ? Prisma.empty : Prisma.sql`AND m.seq < ${page.before}`;
      const order = page.direction === 'forward' ? Prisma.sql`ASC` : Prisma.sql`DESC`;
      const rows = await query.until(cancellation)<Omit<MessageView, 'chatId' | 'authorId'>>`
        SELECT ${BARE_MESSAGE}, ${AUTHOR} FROM message m LEFT JOIN app_user u ON u.id = m.author_id
        WHERE m.chat_id = ${chatId}::uuid ${after} ${before}
        ORDER BY m.seq ${order} LIMIT ${page.limit + 1}`;
      return toPage(
        rows.map((row) => Object.assign(row, { chatId, authorId: row.author?.id ?? null })),
        page,
      );
    },

    /** The newest message of each chat that has one. */
    findLast(chatIds: readonly string[], cancellation?: Cancellation): Promise<MessageView[]> {
      return query.until(cancellation)`
        SELECT ${MESSAGE}, ${AUTHOR} FROM chat c JOIN message m ON m.chat_id = c.id AND m.seq = c.last_seq
        LEFT JOIN app_user u ON u.id = m.author_id
        WHERE c.id = ANY(${[...chatIds]}::uuid[])`;
    },

    /**
     * Moves the member's mark forward, and counts a change of every message that all others than its author have read
     * now. Null when there is no such chat or no such member.
     */
    async markRead(chatId: string, userId: string, seq: number): Promise<ReadMark | null> {
      // Two statements, so that the second sees what was committed while the first waited for the chat's row.
      const rows = await inTransaction(prisma, async ({ db }) => {
        const locked = await db.$queryRaw<unknown[]>`
          SELECT 1 FROM chat WHERE id = ${chatId}::uuid
            AND EXISTS (SELECT 1 FROM chat_member WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid)
          FOR NO KEY UPDATE`;
        // A stranger takes nothing: nobody waits for one.
        if (locked.length === 0) return [];
        return db.$queryRaw<Array<HeadColumns & { moved: boolean; userRevision: number | null; ticked: number }>>`
          WITH target AS (
            SELECT least(${seq}::int, c.last_seq) AS seq FROM chat c
            JOIN chat_member me ON me.chat_id = c.id AND me.user_id = ${userId}::uuid
            WHERE c.id = ${chatId}::uuid AND least(${seq}::int, c.last_seq) > me.last_read_seq
          ), before AS (
            ${lowestMarks(chatId)}
          ), after AS (
            SELECT b.user_id,
              CASE WHEN b.user_id = ${userId}::uuid THEN coalesce(t.seq, b.last_read_seq) ELSE b.last_read_seq END
                AS last_read_seq
            FROM before b LEFT JOIN target t ON true
          ), ${tickMessages(chatId)}, me AS (
            UPDATE app_user SET revision = revision + 1 WHERE id = ${userId}::uuid AND EXISTS (SELECT 1 FROM target)
            RETURNING revision
          ), mark AS (
            UPDATE chat_member cm SET last_read_seq = t.seq, user_revision = me.revision FROM target t, me
            WHERE cm.chat_id = ${chatId}::uuid AND cm.user_id = ${userId}::uuid
          )
          SELECT (SELECT count(*) FROM target) > 0 AS moved, (SELECT revision FROM me) AS "userRevision",
            (SELECT n FROM ticks) AS ticked, c.last_seq AS "headLastSeq",
            c.revision + (SELECT n FROM ticks) AS "headRevision", c.members_revision AS "headMembersRevision"
          FROM chat c JOIN chat_member cm ON cm.chat_id = c.id AND cm.user_id = ${userId}::uuid
          WHERE c.id = ${chatId}::uuid`;
      });
      const row = rows[0];
      if (!row) return null;
      if (!row.moved || row.userRevision === null) return { moved: null };
      return {
        moved: {
          userHead: { userId, revision: row.userRevision },
          chatHead: toHead(chatId, row),
          ticked: row.ticked,
        },
      };
    },

    /**
     * To be called behind the chat's lock, before a member's row is deleted: counts a change of every message whose
     * `isRead` turns once that member does not count any more. Answers how many those are.
     */
    async tickWithout(db: Db, chatId: string, userId: string): Promise<number> {
      const rows = await db.$queryRaw<[{ n: number }]>`
        WITH before AS (${lowestMarks(chatId)}),
          after AS (SELECT user_id, last_read_seq FROM before WHERE user_id <> ${userId}::uuid),
          ${tickMessages(chatId)}
        SELECT n FROM ticks`;
      return rows[0].n;
    },

    /**
     * To be called behind the chat's lock, before people come in at the newest message: counts a change of every message
     * whose `isRead` turns with them, and answers how many those are. Where two or more are members already, none does.
     */
    async tickWith(db: Db, chatId: string, userIds: readonly string[]): Promise<number> {
      const rows = await db.$queryRaw<[{ n: number }]>`
        WITH before AS (${lowestMarks(chatId)}),
          after AS (
            SELECT user_id, last_read_seq FROM before UNION ALL
            SELECT n.user_id, c.last_seq FROM chat c, unnest(${[...userIds]}::uuid[]) AS n(user_id)
            WHERE c.id = ${chatId}::uuid
          ), ${tickMessages(chatId)}
        SELECT n FROM ticks`;
      return rows[0].n;
    },

    /**
     * Takes the author from the first so many of what they wrote, and answers from how many. What somebody has under
     * way, such as read ticks, is left: they take the rows in another order, and the two would wait for each other.
     */
    unlinkSome(authorId: string, limit: number): Promise<number> {
      return prisma.$executeRaw`
        UPDATE message SET author_id = NULL WHERE id = ANY(ARRAY(
          SELECT id FROM message WHERE author_id = ${authorId}::uuid
          ORDER BY chat_id, seq LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ))`;
    },

    // What the feeds of a node ask (see realtime/source.ts).

    listAdded(ranges: readonly Range[]): Promise<MessageRow[]> {
      return query`
        SELECT ${MESSAGE} FROM ${unnestRanges(ranges)} CROSS JOIN LATERAL (
          SELECT * FROM message m WHERE m.chat_id = r.chat_id AND m.seq > r.after AND m.seq <= r.up_to
          ORDER BY m.seq LIMIT r.max
        ) m ORDER BY m.chat_id, m.seq`;
    },

    listUpdated(ranges: readonly Range[]): Promise<MessageRow[]> {
      return query`
        SELECT ${MESSAGE} FROM ${unnestRanges(ranges)} CROSS JOIN LATERAL (
          SELECT * FROM message m WHERE m.chat_id = r.chat_id AND m.revision > r.after AND m.revision <= r.up_to
          ORDER BY m.revision LIMIT r.max
        ) m ORDER BY m.chat_id, m.revision`;
    },
  };

  async function rewrite(message: MessageRow, editorId: string, change: Prisma.Sql): Promise<Written | null> {
    const rows = await query<MessageRow & HeadColumns>`
      WITH locked AS MATERIALIZED (
        SELECT id FROM chat WHERE id = ${message.chatId}::uuid FOR NO KEY UPDATE
      ), member AS MATERIALIZED (
        SELECT cm.chat_id FROM chat_member cm JOIN locked ON locked.id = cm.chat_id
        WHERE cm.user_id = ${editorId}::uuid FOR KEY SHARE OF cm
      ), c AS (
        UPDATE chat SET revision = revision + 1 FROM member WHERE id = member.chat_id
          AND EXISTS (SELECT 1 FROM message WHERE id = ${message.id}::uuid AND deleted_at IS NULL)
        RETURNING id, last_seq, chat.revision, members_revision
      )
      UPDATE message m SET ${change}, revision = c.revision FROM c
      WHERE m.id = ${message.id}::uuid AND m.deleted_at IS NULL
      RETURNING ${MESSAGE}, ${HEAD}`;
    return rows[0] ? toWritten(rows[0]) : null;
  }
}

/**
 * The three members who have read least. With one of them moved or gone, the lowest of all but any one author is still
 * among the rest.
 */
function lowestMarks(chatId: string): Prisma.Sql {
  return Prisma.sql`SELECT user_id, last_read_seq FROM chat_member WHERE chat_id = ${chatId}::uuid
    ORDER BY last_read_seq, user_id LIMIT 3`;
}

/** Of the messages that one mark turns read, only the newest are told of: each costs a row written under the lock. */
const MAX_TICKS = 1_000;

/**
 * Common table expressions that give a revision of its own, in the order of seq, to every message whose `isRead` is not
 * the same by the marks in `before` and by those in `after`, and bump the chat by as many; `ticks.n` says how many.
 */
function tickMessages(chatId: string): Prisma.Sql {
  const isReadBy = (marks: Prisma.Sql) => Prisma.sql`coalesce(
    m.seq <= (SELECT min(last_read_seq) FROM ${marks} WHERE user_id IS DISTINCT FROM m.author_id), false)`;
  const before = Prisma.sql`before`;
  const after = Prisma.sql`after`;
  return Prisma.sql`span AS (
      SELECT greatest(max(last_read_seq), (SELECT max(last_read_seq) FROM after)) AS up_to,
        -- What everybody has read stays so, as long as there is another than the author.
        CASE WHEN least(count(*), (SELECT count(*) FROM after)) > 1 THEN min(last_read_seq) ELSE 0 END AS read_by_all
      FROM before
    ), ticked AS (
      SELECT m.id, row_number() OVER (ORDER BY m.seq) AS nth FROM message m, span
      WHERE m.chat_id = ${chatId}::uuid AND m.seq <= span.up_to
        AND m.seq > greatest(span.read_by_all, span.up_to - ${MAX_TICKS}::int)
        AND ${isReadBy(before)} <> ${isReadBy(after)}
    ), ticks AS (SELECT count(*)::int AS n FROM ticked), base AS (
      UPDATE chat c SET revision = c.revision + ticks.n FROM ticks WHERE c.id = ${chatId}::uuid AND ticks.n > 0
      RETURNING c.revision - ticks.n AS revision
    ), stamped AS (
      UPDATE message m SET revision = base.revision + ticked.nth FROM ticked, base WHERE m.id = ticked.id
    )`;
}

function unnestRanges(ranges: readonly Range[]): Prisma.Sql {
  return Prisma.sql`unnest(${ranges.map((r) => r.chatId)}::uuid[], ${ranges.map((r) => r.after)}::int[],
    ${ranges.map((r) => r.upTo)}::int[], ${ranges.map((r) => r.limit)}::int[]) AS r(chat_id, after, up_to, max)`;
}
