import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Message, MessageType } from '../../generated/prisma/client.ts';
import { groupBy } from '../../group-by.ts';
import { createLimiter } from '../../limiter.ts';
import { createCoalescer } from '../../persistence/coalescer.ts';
import type { Job } from '../../persistence/coalescer.ts';
import type { Query } from '../../persistence/query.ts';
import { isDataRefused, isLockTimeout, isUniqueViolation } from '../../persistence/prisma-errors.ts';
import type { ChatHead } from '../../realtime/source.ts';

/** Without what only a repeated send is compared with. */
export type MessageRow = Omit<Message, 'sentHash'>;

export interface NewMessage {
  chatId: string;
  authorId: string;
  type: MessageType;
  body: string;
  extraData: unknown;
  clientId: string | null;
  /** SHA-256 of what is sent, in hexadecimal, where there is a client id. */
  sentHash: string | null;
}

/** A message and the counters of its chat right after the change. */
export interface Written {
  message: MessageRow;
  head: ChatHead;
}

export interface Sent extends Written {
  /** False: the message stood already under the sender's client id, and nothing was written. */
  isNew: boolean;
  /** Of what was sent when it was new. */
  sentHash: string | null;
}

const BARE_COLUMNS = {
  id: 'm.id',
  seq: 'm.seq',
  type: 'm.type::text',
  body: 'm.body',
  extraData: 'm.extra_data',
  clientId: 'm.client_id',
  createdAt: 'm.created_at',
  editedAt: 'm.edited_at',
  deletedAt: 'm.deleted_at',
  revision: 'm.revision',
};
const COLUMNS = { chatId: 'm.chat_id', authorId: 'm.author_id', ...BARE_COLUMNS };

/** @param part of the row that they are found in, with its dot. */
function select(columns: Record<string, string>, part = ''): Prisma.Sql {
  return Prisma.raw(
    Object.entries(columns)
      .map(([name, column]) => `${column} AS "${part}${name}"`)
      .join(', '),
  );
}

/** Of one whose chat and author are known. */
export const BARE_MESSAGE = select(BARE_COLUMNS);

export const MESSAGE = select(COLUMNS);

const STANDING = Prisma.sql`${select(COLUMNS, 'standing.')}, encode(m.sent_hash, 'hex') AS "standing.sentHash"`;

export const HEAD = Prisma.sql`c.last_seq AS "headLastSeq", c.revision AS "headRevision",
  c.members_revision AS "headMembersRevision"`;

export interface HeadColumns {
  headLastSeq: number;
  headRevision: number;
  headMembersRevision: number;
}

/** Fewer and larger ones cost less, for each message, than twice as many at a time. */
const BATCH_ALONE_MS = 25;
/** With one under way, the other sends would stand behind a connection that has died until that is known. */
const BATCHES = 2;
const MAX_BATCH_SIZE = 500;
/** As long as a statement of its own may take: to get a connection, then to be answered. */
const ANSWER_WITHIN_MS = 4_500;

/** A statement for several chats waits so long for one of them; a chat that is held longer is waited for on its own. */
const LOCK_TIMEOUT = '100ms';
/** Each takes a connection for as long as its chat is held. */
const HELD_CHATS_WAITED_FOR = 3;

/** A repeated send meets the first one at the unique key at most once for each that is in flight. */
const SEND_ATTEMPTS = 5;

/** With the id that it gets if it is new. */
type AskedMessage = NewMessage & { id: string };

/** What is asked of one statement: null where there is no such chat or the author is not a member. */
type Inserted = Map<NewMessage, Sent | null>;

/** How a statement takes the rows of its chats: in one order, so that no two wait for each other. */
const PATIENTLY = Prisma.sql`ORDER BY id FOR NO KEY UPDATE`;
const BRIEFLY = Prisma.sql`AND (SELECT set_config('lock_timeout', ${LOCK_TIMEOUT}, true)) <> '' ${PATIENTLY}`;
const UNLESS_HELD = Prisma.sql`${BRIEFLY} SKIP LOCKED`;

/**
 * Puts messages in. Those that come while a statement is under way share the next one; those of one chat are numbered
 * in the order in which they came.
 */
export function createMessageInsert(query: Query): (message: NewMessage) => Promise<Sent | null> {
  const waitInLine = createLimiter(HELD_CHATS_WAITED_FOR);

  async function insertTogether(jobs: InsertJob[]): Promise<void> {
    const inserted = await insertWhatIsFree(jobs.map(({ entry }) => entry));
    const left: InsertJob[] = [];
    for (const job of jobs) {
      const sent = inserted.get(job.entry);
      if (sent === undefined) left.push(job);
      else job.resolve(sent);
    }
    for (const ofChat of groupBy(left, ({ entry }) => entry.chatId).values())
      void waitInLine(() => insertPatiently(ofChat));
  }

  /** Leaves out the messages of chats that are held; all of them, when one may be what the database refuses. */
  async function insertWhatIsFree(messages: NewMessage[]): Promise<Inserted> {
    try {
      return await insertBriefly(messages);
    } catch (error) {
      if (isDataRefused(error) || isLockTimeout(error)) return new Map();
      throw error;
    }
  }

  async function insertBriefly(messages: NewMessage[]): Promise<Inserted> {
    try {
      const [message, ...others] = messages;
      if (message && others.length === 0) return new Map([[message, await insertOne(query, message)]]);
      return await insertMany(query, messages, BRIEFLY);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      return insertMany(query, messages, UNLESS_HELD);
    }
  }

  /** Answers every job, of one chat. */
  async function insertPatiently(jobs: InsertJob[]): Promise<void> {
    try {
      const messages = jobs.map(({ entry }) => entry);
      const inserted = await insertMany(query, messages, PATIENTLY);
      for (const job of jobs) job.resolve(inserted.get(job.entry) ?? null);
    } catch (error) {
      if (isDataRefused(error)) for (const job of jobs) await insertAlone(job.entry).then(job.resolve, job.reject);
      else for (const job of jobs) job.reject(error);
    }
  }

  async function insertAlone(message: NewMessage): Promise<Sent | null> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await insertMany(query, [message], PATIENTLY)).get(message) ?? null;
      } catch (error) {
        // The same client id was committed after this statement began: the next one finds it.
        if (!isUniqueViolation(error) || attempt === SEND_ATTEMPTS) throw error;
      }
    }
  }

  return createCoalescer({
    keyOf: ({ chatId }: NewMessage) => chatId,
    run: insertTogether,
    limit: BATCHES,
    aloneMs: BATCH_ALONE_MS,
    maxBatchSize: MAX_BATCH_SIZE,
    answerWithinMs: ANSWER_WITHIN_MS,
  });
}

type InsertJob = Job<NewMessage, Sent | null>;

/**
 * One statement: takes the chat's row, checks the membership behind that lock, numbers, inserts, and bumps the chat.
 * What `insertMany` does, in half the time.
 */
async function insertOne(query: Query, message: NewMessage): Promise<Sent | null> {
  const rows = await query<SentColumns>`
    WITH locked AS MATERIALIZED (
      SELECT id FROM chat WHERE id = ${message.chatId}::uuid
        AND EXISTS (SELECT 1 FROM chat_member WHERE chat_id = ${message.chatId}::uuid
          AND user_id = ${message.authorId}::uuid)
      ${BRIEFLY}
    ), member AS MATERIALIZED (
      SELECT cm.chat_id FROM chat_member cm JOIN locked ON locked.id = cm.chat_id
      WHERE cm.user_id = ${message.authorId}::uuid FOR KEY SHARE OF cm
    ), standing AS (
      SELECT * FROM message m
      WHERE ${sentKey('m')} = ${message.chatId} || ${message.authorId} || ${message.clientId} COLLATE "C"
    ), bumped AS (
      UPDATE chat SET last_seq = last_seq + 1, revision = chat.revision + 1,
        updated_at = greatest(updated_at, clock_timestamp())
      FROM member WHERE id = member.chat_id AND NOT EXISTS (SELECT 1 FROM standing)
      RETURNING chat.*
    ), inserted AS (
      INSERT INTO message (id, chat_id, seq, author_id, type, body, extra_data, client_id, sent_hash, created_at)
      SELECT ${uuidv7()}::uuid, id, last_seq, ${message.authorId}::uuid, ${message.type}::message_type, ${message.body},
        ${toJson(message.extraData)}::jsonb, ${message.clientId}, decode(${message.sentHash}, 'hex'),
        updated_at FROM bumped
      RETURNING *
    )
    SELECT ${MESSAGE}, true AS "isNew", NULL::text AS "sentHash", ${HEAD}
      FROM inserted m JOIN bumped c ON c.id = m.chat_id
    UNION ALL
    SELECT ${MESSAGE}, false, encode(m.sent_hash, 'hex'), ${HEAD} FROM standing m JOIN member ON member.chat_id = m.chat_id
      JOIN chat c ON c.id = m.chat_id`;
  const row = rows[0];
  return row ? toSent(row, message) : null;
}

/** The hash of a message that is new is not read back. */
type SentColumns = MessageRow & HeadColumns & Pick<Sent, 'isNew' | 'sentHash'>;

/** What `insertMany` answers of each message. Of one that is new only what the database has made of it. */
interface InsertedColumns extends HeadColumns {
  nth: number;
  isHeld: boolean;
  /** Null: it is not new. */
  seq: number | null;
  extraData: MessageRow['extraData'];
  createdAt: Date;
  /** What was there under its client id. */
  standing: (MessageRow & Pick<Sent, 'sentHash'>) | null;
}

/**
 * One statement: takes the chats' rows in the order of their ids, so that no two wait for each other; checks the
 * memberships behind those locks; numbers, inserts, and bumps the chats. Repetitions of a client id are one message.
 * Leaves out the messages of chats that `lock` left out.
 */
async function insertMany(query: Query, messages: NewMessage[], lock: Prisma.Sql): Promise<Inserted> {
  const repetitions = [...groupBy(messages, toRepetitionKey).values()];
  const ids = newIds(repetitions.length);
  const asked: AskedMessage[] = repetitions.map(([first], nth) => ({ ...first!, id: ids[nth]! }));
  const rows = await query<InsertedColumns>`
    WITH asked AS MATERIALIZED (
      SELECT a.* FROM ${unnestMessages(asked)} CROSS JOIN LATERAL (
        SELECT FROM chat_member cm WHERE cm.chat_id = a.chat_id AND cm.user_id = a.author_id LIMIT 1
      ) cm
    ), locked AS MATERIALIZED (
      SELECT id FROM chat WHERE id IN (SELECT chat_id FROM asked) ${lock}
    ), allowed AS MATERIALIZED (
      SELECT a.* FROM asked a JOIN locked ON locked.id = a.chat_id CROSS JOIN LATERAL (
        SELECT FROM chat_member cm WHERE cm.chat_id = a.chat_id AND cm.user_id = a.author_id FOR KEY SHARE
      ) cm
    ), standing AS MATERIALIZED (
      SELECT a.nth, m.* FROM allowed a CROSS JOIN LATERAL (
        SELECT * FROM message m WHERE ${sentKey('m')} = ${sentKey('a')} LIMIT 1
      ) m
    ), fresh AS MATERIALIZED (
      SELECT *, row_number() OVER (PARTITION BY chat_id ORDER BY nth) AS place
      FROM allowed WHERE nth NOT IN (SELECT nth FROM standing)
    ), bumped AS (
      UPDATE chat c SET last_seq = last_seq + f.count, revision = c.revision + f.count,
        updated_at = greatest(updated_at, clock_timestamp())
      FROM (SELECT chat_id, count(*)::int AS count FROM fresh GROUP BY chat_id) f WHERE c.id = f.chat_id
      RETURNING c.id, c.last_seq, c.revision, c.members_revision, c.updated_at, f.count
    ), inserted AS (
      INSERT INTO message (id, chat_id, seq, author_id, type, body, extra_data, client_id, sent_hash, created_at)
      SELECT f.id, f.chat_id, c.last_seq - c.count + f.place, f.author_id, f.type::message_type, f.body,
        f.extra_data::jsonb, f.client_id, decode(f.sent_hash, 'hex'), c.updated_at
      FROM fresh f JOIN bumped c ON c.id = f.chat_id
      RETURNING id, chat_id, seq, extra_data, created_at
    ), sent AS MATERIALIZED (
      SELECT f.nth, m.seq, m.extra_data, m.created_at, m.seq AS last_seq, c.revision - c.last_seq + m.seq AS revision,
        c.members_revision
      FROM inserted m JOIN bumped c ON c.id = m.chat_id JOIN fresh f ON f.id = m.id
      UNION ALL
      SELECT s.nth, NULL, NULL, NULL, c.last_seq, c.revision, c.members_revision
      FROM standing s JOIN chat c ON c.id = s.chat_id
    )
    SELECT a.nth::int, locked.id IS NULL AS "isHeld", c.seq, c.extra_data AS "extraData", c.created_at AS "createdAt",
      ${HEAD}, ${STANDING}
    FROM asked a LEFT JOIN locked ON locked.id = a.chat_id LEFT JOIN sent c ON c.nth = a.nth
      LEFT JOIN standing m ON m.nth = a.nth`;
  const inserted: Inserted = new Map(messages.map((message) => [message, null]));
  for (const row of rows) {
    const sent = toInserted(row, asked[row.nth - 1]!);
    for (const [nth, message] of repetitions[row.nth - 1]!.entries()) {
      if (row.isHeld) inserted.delete(message);
      else if (sent) inserted.set(message, nth === 0 ? sent : { ...sent, isNew: false });
    }
  }
  return inserted;
}

function toInserted(row: InsertedColumns, asked: AskedMessage): Sent | null {
  const { seq, extraData, createdAt, standing } = row;
  const { id, chatId, authorId, type, body, clientId, sentHash } = asked;
  const head = toHead(chatId, row);
  if (standing) {
    const { sentHash: sentBefore, ...message } = standing;
    return { message, head, isNew: false, sentHash: sentBefore };
  }
  if (seq === null) return null;
  const unchanged = { editedAt: null, deletedAt: null, revision: null };
  const message = { id, chatId, seq, authorId, type, body, extraData, clientId, createdAt, ...unchanged };
  return { message, head, isNew: true, sentHash };
}

/** To draw at random costs more than to write an id: of those of a batch it is done once. */
function newIds(count: number): string[] {
  const drawn = randomBytes(16 * count);
  return Array.from({ length: count }, (_, nth) => uuidv7({ random: drawn.subarray(16 * nth, 16 * (nth + 1)) }));
}

/** What is sent again under its client id has the same. */
function toRepetitionKey(message: NewMessage): unknown {
  const { chatId, authorId, clientId } = message;
  return clientId === null ? message : `${chatId} ${authorId} ${clientId}`;
}

/** What the unique index of client ids holds, of such a row. */
function sentKey(row: string): Prisma.Sql {
  const [chatId, authorId, clientId] = ['chat_id', 'author_id', 'client_id'].map((column) =>
    Prisma.raw(`${row}.${column}`),
  );
  return Prisma.sql`(${chatId}::text || ${authorId}::text || ${clientId}) COLLATE "C"`;
}

function unnestMessages(messages: AskedMessage[]): Prisma.Sql {
  return Prisma.sql`unnest(${messages.map((m) => m.id)}::uuid[], ${messages.map((m) => m.chatId)}::uuid[],
    ${messages.map((m) => m.authorId)}::uuid[], ${messages.map((m) => m.type)}::text[],
    ${messages.map((m) => m.body)}::text[], ${messages.map((m) => toJson(m.extraData))}::text[],
    ${messages.map((m) => m.clientId)}::text[], ${messages.map((m) => m.sentHash)}::text[]
  ) WITH ORDINALITY AS a(id, chat_id, author_id, type, body, extra_data, client_id, sent_hash, nth)`;
}

export function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

export function toHead(chatId: string, row: HeadColumns): ChatHead {
  return {
    chatId,
    lastSeq: row.headLastSeq,
    revision: row.headRevision,
    membersRevision: row.headMembersRevision,
  };
}

export function toWritten(row: MessageRow & HeadColumns): Written {
  const { headLastSeq, headRevision, headMembersRevision, ...message } = row;
  return { message, head: toHead(row.chatId, { headLastSeq, headRevision, headMembersRevision }) };
}

function toSent({ isNew, sentHash, ...row }: SentColumns, asked: NewMessage): Sent {
  return { ...toWritten(row), isNew, sentHash: isNew ? asked.sentHash : sentHash };
}
