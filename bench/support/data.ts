import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { createAccessTokens } from '../../src/auth/access-tokens.ts';
import { secretKey } from '../../src/auth/signing-keys.ts';
import { openDatabase } from '../../src/persistence/open-database.ts';

/** What every Parley here signs its tokens with, so that the tokens of people who never signed in are good. */
export const JWT_SECRET = randomBytes(32).toString('hex');

/** Rows of one statement. */
export type Sql = <Row = Record<string, unknown>>(query: string, params?: unknown[]) => Promise<Row[]>;

/** Somebody with an account and a session. */
export interface Person {
  id: string;
  token: string;
}

const DAY_MS = 86_400_000;
const logger = pino({ level: 'silent' });
const accessTokens = createAccessTokens({ key: secretKey(new TextEncoder().encode(JWT_SECRET)), ttlMs: DAY_MS });

/** Brings the schema of a new database up to date. */
export async function migrate(url: string): Promise<void> {
  const database = await openDatabase({ url, dataDir: '', logger });
  await database.close();
}

/** Does something to an embedded database while no server has it. */
export async function withEmbedded<T>(dataDir: string, act: (sql: Sql) => Promise<T>): Promise<T> {
  const database = await openDatabase({ dataDir, logger });
  try {
    return await act((query, params = []) => database.prisma.$queryRawUnsafe(query, ...params));
  } finally {
    await database.close();
  }
}

/** Does something to a database on PostgreSQL, however long it takes. */
export async function withPostgres<T>(url: string, act: (sql: Sql) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await act(async (query, params) => (await client.query(query, params)).rows as never);
  } finally {
    await client.end();
  }
}

/** Without a password that anybody could sign in with: hashing it would take longer than the rest. */
export async function addPeople(sql: Sql, count: number): Promise<Person[]> {
  const ids = Array.from({ length: count }, () => ({ userId: uuidv7(), sessionId: uuidv7() }));
  const userIds = ids.map(({ userId }) => userId);
  await sql(
    `INSERT INTO app_user (id, email, password_hash, first_name, last_name)
    SELECT id, 'bench-' || n - 1 || '@example.test', '', 'Ada', 'Lovelace ' || n
    FROM unnest($1::uuid[]) WITH ORDINALITY AS new(id, n)`,
    [userIds],
  );
  await sql(
    `INSERT INTO session (id, user_id, expires_at, current_hash)
    SELECT id, user_id, now() + interval '1 day', sha256(id::text::bytea)
    FROM unnest($1::uuid[], $2::uuid[]) AS new(id, user_id)`,
    [ids.map(({ sessionId }) => sessionId), userIds],
  );
  const notAfter = new Date(Date.now() + DAY_MS);
  return Promise.all(
    ids.map(async ({ userId, sessionId }) => {
      const { token } = await accessTokens.issue({ userId, sessionId, generation: 0 }, notAfter);
      return { id: userId, token };
    }),
  );
}

/** Groups of which all of them are members, without a message yet. */
export async function addGroups(sql: Sql, count: number, members: readonly Person[]): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  await sql(
    `INSERT INTO chat (id, kind, title) SELECT id, 'GROUP', 'Group ' || n
    FROM unnest($1::uuid[]) WITH ORDINALITY AS new(id, n)`,
    [ids],
  );
  await sql(
    `INSERT INTO chat_member (chat_id, user_id)
    SELECT c.id, u.id FROM unnest($1::uuid[]) AS c(id), unnest($2::uuid[]) AS u(id)`,
    [ids, members.map(({ id }) => id)],
  );
  return ids;
}

/** How many messages the chats hold, once it is sure that each is numbered 1, 2, 3 … without a gap. */
export async function countMessages(sql: Sql, chatIds: readonly string[]): Promise<number> {
  const rows = await sql<{ kept: number; last: number; counted: number }>(
    `SELECT count(m.id)::int AS kept, coalesce(max(m.seq), 0) AS last, c.last_seq AS counted
    FROM chat c LEFT JOIN message m ON m.chat_id = c.id WHERE c.id = ANY($1::uuid[]) GROUP BY c.id`,
    [chatIds],
  );
  for (const { kept, last, counted } of rows)
    if (kept !== last || kept !== counted)
      throw new Error(`a chat holds ${kept} messages, the last is number ${last}, and it counts ${counted}`);
  return rows.reduce((sum, { kept }) => sum + kept, 0);
}
