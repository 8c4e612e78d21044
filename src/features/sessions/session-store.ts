import { v7 as uuidv7 } from 'uuid';
import type { Cancellation } from '../../cancellation.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { PrismaClient, Session } from '../../generated/prisma/client.ts';
import type { CancellableQuery } from '../../persistence/query.ts';
import type { Db } from '../../persistence/transaction.ts';
import type { Identity } from '../users/user-store.ts';

export type SessionRow = Session;

/** What a request needs to know of the session that its token names. */
export interface SessionState {
  id: string;
  userId: string;
  confirmedGeneration: number;
}

/** By what somebody signs in: the hash of the password that was shown, or whom their provider's token named. */
export type Proof = { passwordHash: string } | { identity: Identity };

export interface NewSession {
  id: string;
  userId: string;
  proof: Proof;
  deviceName: string | null;
  /** Of the refresh token. */
  hash: Buffer;
  ttlMs: number;
}

export type SessionStore = ReturnType<typeof createSessionStore>;

const COLUMNS = Prisma.sql`id, user_id AS "userId", device_name AS "deviceName", created_at AS "createdAt",
  last_used_at AS "lastUsedAt", expires_at AS "expiresAt", generation, confirmed_generation AS "confirmedGeneration",
  current_hash AS "currentHash", parent_hash AS "parentHash"`;

export function createSessionStore(prisma: PrismaClient, query: CancellableQuery) {
  return {
    newId: (): string => uuidv7(),

    /** Null when the account is gone, or what was checked opens it no longer: a password, an identity. */
    async insert(session: NewSession): Promise<SessionRow | null> {
      const rows = await prisma.$queryRaw<SessionRow[]>`
        WITH account AS (${lockAccount(session)})
        INSERT INTO session (id, user_id, device_name, current_hash, expires_at)
        SELECT ${session.id}::uuid, account.id, ${session.deviceName}, ${session.hash},
          now() + ${session.ttlMs}::float8 * interval '1 millisecond' FROM account
        RETURNING ${COLUMNS}`;
      return rows[0] ?? null;
    },

    /** The session, if it has not ended. */
    async findLive(id: string, cancellation?: Cancellation): Promise<SessionRow | null> {
      const rows = await query.until(cancellation)<SessionRow>`
        SELECT ${COLUMNS} FROM session WHERE id = ${id}::uuid AND expires_at > now()`;
      return rows[0] ?? null;
    },

    findLiveStates(ids: readonly string[]): Promise<SessionState[]> {
      return query`
        SELECT id, user_id AS "userId", confirmed_generation AS "confirmedGeneration"
        FROM session WHERE id = ANY(${[...ids]}::uuid[]) AND expires_at > now()`;
    },

    /** The last used, in this order. */
    listByUser(userId: string, limit: number, cancellation?: Cancellation): Promise<SessionRow[]> {
      return query.until(cancellation)`
        SELECT ${COLUMNS} FROM session WHERE user_id = ${userId}::uuid AND expires_at > now()
        ORDER BY last_used_at DESC, id DESC LIMIT ${limit}`;
    },

    /**
     * Makes `next` the token that counts and `hash` its parent, if `hash` is the one that counts now. Of many at once
     * one succeeds; the others find null.
     */
    async rotate(id: string, hash: Buffer, next: Buffer): Promise<SessionRow | null> {
      const rows = await prisma.$queryRaw<SessionRow[]>`
        UPDATE session SET parent_hash = current_hash, current_hash = ${next}, confirmed_generation = generation,
          generation = generation + 1, last_used_at = now()
        WHERE id = ${id}::uuid AND current_hash = ${hash} AND expires_at > now()
        RETURNING ${COLUMNS}`;
      return rows[0] ?? null;
    },

    /** The holder of this generation's tokens has shown one: its parent's time is over. */
    async confirm(id: string, generation: number): Promise<void> {
      await prisma.$executeRaw`
        UPDATE session SET confirmed_generation = ${generation}, last_used_at = now()
        WHERE id = ${id}::uuid AND confirmed_generation < ${generation}`;
    },

    /** Answers the ids of those that were there to end. */
    async delete(
      userId: string,
      which: { id: string } | { allBut: string | null },
      db: Db = prisma,
    ): Promise<string[]> {
      const only =
        'id' in which
          ? Prisma.sql`AND id = ${which.id}::uuid`
          : which.allBut === null
            ? Prisma.empty
            : Prisma.sql`AND id <> ${which.allBut}::uuid`;
      const rows = await db.$queryRaw<Array<{ id: string }>>`
        DELETE FROM session WHERE user_id = ${userId}::uuid ${only} RETURNING id`;
      return rows.map((row) => row.id);
    },

    /** Rows of sessions that ended by themselves. */
    async deleteExpired(): Promise<number> {
      return prisma.$executeRaw`DELETE FROM session WHERE expires_at < now()`;
    },
  };
}

/** Whoever changes the password or unlinks at this moment does so before the session is kept, and is seen, or after. */
function lockAccount({ userId, proof }: NewSession): Prisma.Sql {
  if ('passwordHash' in proof)
    return Prisma.sql`
      SELECT u.id FROM app_user u
      WHERE u.id = ${userId}::uuid AND u.password_hash = ${proof.passwordHash} FOR SHARE`;
  const { issuer, subject } = proof.identity;
  return Prisma.sql`
    SELECT u.id FROM app_user u JOIN app_user_identity i ON i.user_id = u.id
    WHERE u.id = ${userId}::uuid AND i.issuer = ${issuer} AND i.subject = ${subject} FOR SHARE OF u, i`;
}
