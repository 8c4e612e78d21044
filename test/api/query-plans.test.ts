import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChatStore } from '../../src/features/chats/chat-store.ts';
import { createMessageStore } from '../../src/features/messages/message-store.ts';
import { createSessionStore } from '../../src/features/sessions/session-store.ts';
import { createUserStore } from '../../src/features/users/user-store.ts';
import { backend, startCluster } from '../support/cluster.ts';
import type { Cluster } from '../support/cluster.ts';
import { openWatched } from '../support/statements.ts';
import type { Statement, WatchedDatabase } from '../support/statements.ts';

const MESSAGES = 100_000;
const CHATS = 50_000;
/** Few beside all: of many, PostgreSQL would rather read every chat than look up each. */
const OWN_CHATS = 100;
const PEOPLE = 20_000;
/** Of all the others, in each chat. */
const MESSAGES_OF_A_CHAT = 1;

type Table = 'message' | 'chat' | 'chat_member' | 'app_user' | 'session';

type Reads = Partial<Record<Table, number>>;

interface PlanNode {
  'Relation Name'?: Table;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

interface Case {
  act: () => Promise<unknown>;
  /** At most so many rows are looked at, found or not. Tables that are not named: none. */
  reads: Reads;
  /** What it stands on. */
  indexes: string[];
}

describe.runIf(backend === 'distributed')(`among ${MESSAGES} messages of a chat and ${CHATS} chats`, () => {
  let cluster: Cluster;
  let database: WatchedDatabase;
  let client: pg.Client;
  let stores: ReturnType<typeof createStores>;
  /** Of the long chat. */
  let chatId: string;
  /** Who is in `OWN_CHATS` of the chats. */
  let userId: string;
  let ownChatIds: string[];
  let sessionIds: string[];

  const createStores = () => ({
    chats: createChatStore(database.query),
    messages: createMessageStore(database.prisma, database.query),
    sessions: createSessionStore(database.prisma, database.query),
    users: createUserStore(database.prisma, database.query),
  });

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    database = await openWatched(cluster.databaseUrl!);
    stores = createStores();
    client = new pg.Client(cluster.databaseUrl);
    await client.connect();
    await fill();
    const ids = async (sql: string) => (await client.query<{ id: string }>(sql)).rows.map(({ id }) => id);
    [chatId = ''] = await ids(`SELECT id FROM chat WHERE title = 'long'`);
    [userId = ''] = await ids(`SELECT id FROM app_user WHERE email = 'plan-1@example.test'`);
    ownChatIds = await ids(`SELECT chat_id AS id FROM chat_member WHERE user_id = '${userId}'`);
    sessionIds = (await ids('SELECT id FROM session')).slice(0, 20);
  }, 120_000);

  afterAll(async () => {
    await client?.end();
    await database?.close();
    await cluster?.stop();
  });

  async function fill() {
    await client.query(`
      INSERT INTO app_user (id, email, password_hash, first_name, last_name)
      SELECT gen_random_uuid(), 'plan-' || n || '@example.test', '-', 'Pat', 'Lee' FROM generate_series(1, ${PEOPLE}) n;
      INSERT INTO session (id, user_id, current_hash, expires_at)
      SELECT gen_random_uuid(), id, '\\x00', now() + interval '1 day' FROM app_user;
      CREATE TEMPORARY TABLE person AS SELECT id, substring(email FROM '\\d+')::int AS n FROM app_user;
      CREATE TEMPORARY TABLE talk AS SELECT gen_random_uuid() AS id, n FROM generate_series(0, ${CHATS}) n;
      INSERT INTO chat (id, kind, title, last_seq, revision, updated_at)
      SELECT id, 'GROUP', CASE WHEN n = 0 THEN 'long' ELSE 'short' END,
        CASE WHEN n = 0 THEN ${MESSAGES} ELSE ${MESSAGES_OF_A_CHAT} END, 200000, now() - n * interval '1 second' FROM talk;
      INSERT INTO chat_member (chat_id, user_id, role)
      SELECT talk.id, person.id, 'MEMBER' FROM talk CROSS JOIN generate_series(0, 2) place
      JOIN person ON person.n = 2 + (talk.n * 7 + place) % (${PEOPLE} - 1);
      INSERT INTO chat_member (chat_id, user_id, role)
      SELECT talk.id, u.id, 'MEMBER' FROM talk, app_user u
      WHERE talk.n < ${OWN_CHATS} AND u.email = 'plan-1@example.test' ON CONFLICT DO NOTHING;
      INSERT INTO message (id, chat_id, seq, author_id, body, revision)
      SELECT gen_random_uuid(), talk.id, seq, person.id, 'text', CASE WHEN seq % 2 = 0 THEN seq END
      FROM talk CROSS JOIN LATERAL generate_series(1, CASE WHEN talk.n = 0 THEN ${MESSAGES} ELSE ${MESSAGES_OF_A_CHAT} END) seq
      JOIN person ON person.n = 1 + (talk.n + seq) % ${PEOPLE};
      ANALYZE;`);
  }

  const page = { limit: 50, direction: 'backward' as const, after: null, before: null };
  const first20 = () => [chatId, ...ownChatIds.filter((id) => id !== chatId)].slice(0, 20);
  const pairs = () => first20().map((id) => ({ chatId: id, userId }));
  const ranges = () => [{ chatId, after: 50_000, upTo: MESSAGES, limit: 100 }];

  const cases: Record<string, Case> = {
    'the newest page of messages': {
      act: () => stores.messages.listPage(chatId, page),
      reads: { message: 51, app_user: 51 },
      indexes: ['message_chat_id_seq_key'],
    },
    'a page in the middle': {
      act: () => stores.messages.listPage(chatId, { ...page, before: MESSAGES / 2 }),
      reads: { message: 51, app_user: 51 },
      indexes: ['message_chat_id_seq_key'],
    },
    'a page behind a message': {
      act: () => stores.messages.listPage(chatId, { ...page, direction: 'forward', after: MESSAGES / 2 }),
      reads: { message: 51, app_user: 51 },
      indexes: ['message_chat_id_seq_key'],
    },
    'a page of chats': {
      act: () => stores.chats.listPage(userId, { ...page, limit: 20, direction: 'forward' }),
      reads: { chat: OWN_CHATS, chat_member: OWN_CHATS },
      indexes: ['chat_member_user_id_idx'],
    },
    'the members of 20 chats': {
      act: () => stores.chats.listMembers(first20()),
      reads: { chat_member: 80, app_user: 80 },
      indexes: ['chat_member_pkey', 'chat_member_chat_id_last_read_seq_idx'],
    },
    'the last messages of 20 chats': {
      act: () => stores.messages.findLast(first20()),
      reads: { chat: 20, message: 20, app_user: 20 },
      indexes: ['message_chat_id_seq_key'],
    },
    'what is unread in 20 chats': {
      act: () => stores.chats.countUnread(pairs()),
      // Their own messages alone.
      reads: { chat: 20, chat_member: 20, message: 20 * MESSAGES_OF_A_CHAT + MESSAGES / PEOPLE + 1 },
      indexes: ['message_author_id_chat_id_seq_idx'],
    },
    'chats as their members find them': {
      act: () => stores.chats.findByMemberships(pairs()),
      reads: { chat: 20, chat_member: 20 },
      indexes: ['chat_pkey'],
    },
    'people by id': {
      act: () => stores.users.findByIds([userId]),
      reads: { app_user: 1 },
      indexes: ['app_user_pkey'],
    },
    'the sweep of sessions': {
      act: () => stores.sessions.findLiveStates(sessionIds),
      reads: { session: 20 },
      indexes: ['session_pkey'],
    },
    'the sweep of chats': {
      act: () => stores.chats.findChangedHeads(first20().map((id) => ({ chatId: id, revision: 1 }))),
      reads: { chat: 20 },
      indexes: ['chat_pkey'],
    },
    'the sweep of people': {
      act: () => stores.chats.findChangedUsers([{ userId, revision: 1 }]),
      reads: { app_user: 1 },
      indexes: ['app_user_pkey'],
    },
    'the members among listeners': {
      act: () => stores.chats.filterMemberships(pairs()),
      reads: { chat_member: 20 },
      indexes: ['chat_member_pkey', 'chat_member_chat_id_last_read_seq_idx', 'chat_member_user_id_idx'],
    },
    'the chats of a listener': {
      act: () => stores.chats.findUserChats([userId]),
      reads: { app_user: 1, chat: OWN_CHATS, chat_member: OWN_CHATS },
      indexes: ['chat_member_user_id_idx'],
    },
    'messages that a feed lacks': {
      act: () => stores.messages.listAdded(ranges()),
      reads: { message: 100 },
      indexes: ['message_chat_id_seq_key'],
    },
    'changes that a feed lacks': {
      act: () => stores.messages.listUpdated(ranges()),
      reads: { message: 100 },
      indexes: ['message_chat_id_revision_idx'],
    },
  };

  async function statementOf({ act }: Case): Promise<Statement> {
    database.statements.length = 0;
    await act();
    expect(database.statements).toHaveLength(1);
    return database.statements[0]!;
  }

  /** Of each table, how many rows the statement looks at. */
  async function countReads({ text, values }: Statement): Promise<Reads> {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
      values,
    );
    const reads: Reads = {};
    function add(node: PlanNode) {
      const table = node['Relation Name'];
      const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
      if (table) reads[table] = (reads[table] ?? 0) + (node['Actual Rows'] + removed) * node['Actual Loops'];
      node.Plans?.forEach(add);
    }
    add(rows[0]!['QUERY PLAN'][0].Plan);
    return reads;
  }

  const exceeds = (found: Reads, allowed: Reads) =>
    (Object.keys(found) as Table[]).some((table) => found[table]! > (allowed[table] ?? 0));

  async function drop(index: string) {
    const { rows } = await client.query<{ table: string }>(
      'SELECT conrelid::regclass::text AS table FROM pg_constraint WHERE conname = $1',
      [index],
    );
    const [constrained] = rows;
    await client.query(
      constrained ? `ALTER TABLE ${constrained.table} DROP CONSTRAINT ${index} CASCADE` : `DROP INDEX ${index}`,
    );
  }

  it.each(Object.keys(cases))('%s: no more rows are read than it needs', async (name) => {
    const one = cases[name]!;
    const found = await countReads(await statementOf(one));
    expect(exceeds(found, one.reads), JSON.stringify(found)).toBe(false);
  });

  it.each(Object.keys(cases))('%s: without its indexes, more are', async (name) => {
    const one = cases[name]!;
    const statement = await statementOf(one);
    await client.query('BEGIN');
    try {
      for (const index of one.indexes) await drop(index);
      const found = await countReads(statement);
      expect(exceeds(found, one.reads), JSON.stringify(found)).toBe(true);
    } finally {
      await client.query('ROLLBACK');
    }
  });
});
